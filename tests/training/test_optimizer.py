"""AdamW against Keras's, and the scaling of float16's loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from interestrec.training import optimizer as module
from interestrec.training.optimizer import AdamW, WeightGroup

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(2)
START = [RNG.normal(size=shape).astype(np.float32) for shape in ((4, 3), (3,), (), (5, 2))]
# Of the first steps some are cut by a clip of 1, some are not.
GRADIENTS = [[(RNG.normal(size=w.shape) * 4.0 ** -(n % 4)).astype(np.float32) for w in START] for n in range(20)]
RATES = [1.0 - n / 20 for n in range(20)]


def variables() -> list[tf.Variable]:
    return [tf.Variable(value) for value in START]


def step(optimizer: AdamW, gradients: list[np.ndarray], number: int, rate: float = 1.0) -> float:
    """The update as the engine makes it; gives the gradient's norm."""

    @tf.function
    def update() -> tf.Tensor:
        def replica() -> tf.Tensor:
            tensors = [tf.constant(gradient, tf.float32) for gradient in gradients]
            return optimizer.apply(tensors, tf.constant(number), tf.constant(rate, tf.float32))

        return tf.distribute.get_strategy().run(replica)

    return float(update())


@pytest.mark.slow
def test_twenty_steps_are_those_of_keras() -> None:
    ours = variables()
    optimizer = AdamW([WeightGroup(ours, 0.02)], weight_decay=0.1, clip=1.0)
    theirs = [keras.Variable(value) for value in START]
    reference = keras.optimizers.AdamW(learning_rate=0.02, weight_decay=0.1, epsilon=1e-7, global_clipnorm=1.0)
    reference.exclude_from_weight_decay(var_list=[v for v in theirs if len(v.shape) < 2])
    reference.build(theirs)
    norms = []
    for number, (gradients, rate) in enumerate(zip(GRADIENTS, RATES, strict=True), 1):
        norms.append(step(optimizer, gradients, number, rate))
        reference.learning_rate = 0.02 * rate
        reference.apply(list(map(tf.constant, gradients)), theirs)
    assert min(norms) < 1 < max(norms)
    np.testing.assert_allclose(norms[0], np.sqrt(sum((g**2).sum() for g in GRADIENTS[0])), rtol=1e-6)
    for our, their, start in zip(ours, theirs, START, strict=True):
        np.testing.assert_allclose(our.numpy(), their.numpy(), atol=1e-6)
        assert np.abs(our.numpy() - start).max() > 1e-3


def test_every_group_has_its_own_rate() -> None:
    slow, fast = tf.Variable([[1.0]]), tf.Variable([[1.0]])
    optimizer = AdamW([WeightGroup([slow], 0.01), WeightGroup([fast], 0.3)], weight_decay=0.0, clip=10.0)
    step(optimizer, [np.ones((1, 1)), np.ones((1, 1))], 1)
    # Adam's first step is the rate, in the gradient's direction.
    assert [float(slow[0, 0]), float(fast[0, 0])] == pytest.approx([0.99, 0.7], rel=1e-5)


@pytest.mark.parametrize("broken", [np.inf, np.nan])
def test_an_overflow_leaves_the_weights_and_halves_the_scale(broken: float) -> None:
    ours = variables()
    optimizer = AdamW([WeightGroup(ours, 0.02)], weight_decay=0.1, clip=1.0, loss_scaling=True)
    assert optimizer.scale is not None
    scale = float(optimizer.scale)
    assert float(optimizer.scale_loss(tf.constant(3.0))) == 3 * scale
    gradients = [gradient.copy() for gradient in GRADIENTS[0]]
    gradients[3][0, 0] = broken
    assert not np.isfinite(step(optimizer, gradients, 1))
    assert float(optimizer.scale) == scale / 2
    for our, start in zip(ours, START, strict=True):
        np.testing.assert_array_equal(our.numpy(), start)
    for moment in optimizer.first_moments + optimizer.second_moments:
        assert not moment.numpy().any()


def test_the_scale_moves_no_weight() -> None:
    ours, plain = variables(), variables()
    scaled = AdamW([WeightGroup(ours, 0.02)], weight_decay=0.1, clip=1.0, loss_scaling=True)
    other = AdamW([WeightGroup(plain, 0.02)], weight_decay=0.1, clip=1.0)
    assert scaled.scale is not None
    for number, gradients in enumerate(GRADIENTS[:3], 1):
        larger = [gradient * float(scaled.scale) for gradient in gradients]
        assert step(scaled, larger, number) == pytest.approx(step(other, gradients, number), rel=1e-5)
    for our, their in zip(ours, plain, strict=True):
        np.testing.assert_allclose(our.numpy(), their.numpy(), atol=1e-6)


def test_the_scale_doubles_after_so_many_steps_without_an_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STEPS_TO_DOUBLE", 3)
    optimizer = AdamW([WeightGroup(variables(), 0.02)], weight_decay=0.1, clip=1.0, loss_scaling=True)
    assert optimizer.scale is not None
    first = float(optimizer.scale)
    seen = []
    for number in range(1, 10):
        gradients = [g * (np.inf if number == 3 else 1.0) for g in GRADIENTS[number]]
        step(optimizer, gradients, number)
        seen.append(float(optimizer.scale) / first)
    assert seen == [1, 1, 0.5, 0.5, 0.5, 1, 1, 1, 2]


def test_the_scale_stays_at_one_or_above() -> None:
    optimizer = AdamW([WeightGroup(variables(), 0.02)], weight_decay=0.1, clip=1.0, loss_scaling=True)
    assert optimizer.scale is not None
    optimizer.scale.assign(1.0)
    step(optimizer, [g * np.inf for g in GRADIENTS[0]], 1)
    assert float(optimizer.scale) == 1.0


def test_the_state_is_all_that_the_next_step_depends_on() -> None:
    ours, again = variables(), variables()
    whole = AdamW([WeightGroup(ours, 0.02)], weight_decay=0.1, clip=1.0, loss_scaling=True)
    for number, gradients in enumerate(GRADIENTS[:4], 1):
        step(whole, gradients, number)
    resumed = AdamW([WeightGroup(again, 0.02)], weight_decay=0.1, clip=1.0, loss_scaling=True)
    for here, there in zip(again + resumed.state, ours + whole.state, strict=True):
        here.assign(there)
    for optimizer in (whole, resumed):
        step(optimizer, GRADIENTS[5], 5)
    for here, there in zip(again + resumed.state, ours + whole.state, strict=True):
        np.testing.assert_array_equal(here.numpy(), there.numpy())
