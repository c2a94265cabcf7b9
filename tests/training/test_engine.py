"""The engine: whatever slices a global batch comes in, the step is the same."""

from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf

from interestrec.model.candidate_loss import count, total
from interestrec.model.losses import LOSSES
from interestrec.model.two_tower import TwoTower
from interestrec.training.batches import Batch
from interestrec.training.engine import Engine
from interestrec.training.item_vectors import FrozenTextVectors
from interestrec.training.objective import CandidateLists, arrays
from interestrec.training.optimizer import AdamW, WeightGroup
from tests.training.batch_of import logits
from tests.training.test_loop import CODES, NO_FEATURES, planted, tower, vectors, weights

pytestmark = pytest.mark.slow

LOSS_WEIGHTS = {"intensity": 1.0, "softmax": 0.5}


def uneven(examples: int) -> Batch:
    """Labels and what is known differ between examples, so that slices count differently."""
    batch = planted(examples)
    rng = np.random.default_rng(5)
    batch.labels[:] = rng.choice([0.0, 0.25, 1.0], batch.labels.shape)
    batch.labels[0] = 0
    known = batch.known.copy()
    known[-1, 0] = False
    return Batch(**{**vars(batch), "known": known})


class Run:
    """A new two-tower model and an engine that trains it."""

    def __init__(self, accumulate: int, dropout: float = 0.0) -> None:
        self.model: TwoTower = tower(dropout)
        # Where all candidates are alike, or a unit is active for all of them, losses of lists give a user's part a
        # gradient of rounding, which Adam takes steps of. So candidates differ, and by more than users do.
        head = self.model.head
        for weight, deviation in (
            (self.model.fused_items.candidate_map, 1.0),
            (head.last.kernel, 1.0),
            (head.first_item.kernel, 10.0),
        ):
            weight.assign(np.random.default_rng(1).normal(0, deviation, weight.shape))
        self.texts = FrozenTextVectors(vectors())
        objective = CandidateLists(self.model, self.texts, tuple(LOSS_WEIGHTS), 0.0)
        optimizer = AdamW([WeightGroup([v.value for v in self.model.trainable_variables], 1e-2)], 0.01, 1.0)
        self.engine = Engine(tf.distribute.get_strategy(), objective, LOSS_WEIGHTS, optimizer, accumulate, 5)

    def step(self, batch: Batch, number: int = 1) -> dict[str, float]:
        parts = batch.split(self.engine.slices)
        prepared = [self.texts.prepare(part.distinct, np.random.default_rng(0)) for part in parts]
        slices = [arrays(part, one, CODES, NO_FEATURES) for part, one in zip(parts, prepared, strict=True)]
        return self.engine.step(slices, number, number, 1.0)[0]


@pytest.mark.parametrize(("examples", "accumulate"), [(64, 2), (64, 4), (3, 4)])
def test_slices_one_after_the_other_give_the_weights_of_one(examples: int, accumulate: int) -> None:
    whole, parts, batch = Run(1), Run(accumulate), uneven(examples)
    assert (len(batch.split(accumulate)[-1]) == 0) == (examples < accumulate)
    before = weights(whole.model)
    for number in range(1, 4):
        ours, theirs = parts.step(batch, number), whole.step(batch, number)
        assert ours == pytest.approx(theirs, rel=1e-5)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(weights(whole.model), before, strict=True))
    for here, there in zip(weights(parts.model), weights(whole.model), strict=True):
        np.testing.assert_allclose(here, there, atol=1e-6)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_the_loss_is_the_mean_over_the_whole_batch(accumulate: int) -> None:
    run, batch = Run(accumulate), uneven(30)
    order, strength = logits(run.model, vectors(), CODES, batch)
    lists = (batch.labels, batch.present, batch.known)
    means = {
        name: float(total(LOSSES[name], said, *lists) / count(LOSSES[name], *lists))
        for name, said in {"intensity": strength, "softmax": order}.items()
    }
    measured = run.step(batch)
    assert {name: measured[f"loss_{name}"] for name in means} == pytest.approx(means, rel=1e-5)
    assert measured["loss"] == pytest.approx(sum(LOSS_WEIGHTS[name] * mean for name, mean in means.items()), rel=1e-5)


class Draws:
    """An objective that lets the seed of its slice be seen, and a number drawn from it."""

    signature = (tf.TensorSpec([None], tf.float32),)

    def __init__(self, weight: tf.Variable) -> None:
        self.weight = weight

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"x": tf.cast(tf.size(inputs[0]), tf.float32)}

    def totals(self, *inputs: tf.Tensor, noise: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        drawn = tf.random.stateless_uniform([1], noise)
        return {"x": tf.reduce_sum(inputs[0]) * self.weight}, drawn


def draws(seed: int, numbers: Sequence[int], accumulate: int = 2) -> list[float]:
    """What is drawn in each slice of some steps of a run."""
    weight = tf.Variable(1.0)
    optimizer = AdamW([WeightGroup([weight], 0.1)], 0.0, 1.0)
    engine = Engine(tf.distribute.get_strategy(), Draws(weight), {"x": 1.0}, optimizer, accumulate, seed)
    slices = [(np.ones(2, np.float32),)] * accumulate
    return [float(seen[0]) for number in numbers for seen in engine.step(slices, number, 1, 1.0)[1]]


def test_noise_is_another_in_every_step_and_slice_and_a_function_of_the_seed() -> None:
    drawn = draws(5, [1, 2, 3])
    assert len(set(drawn)) == 6
    assert draws(5, [3, 2]) == drawn[4:] + drawn[2:4]
    assert not set(draws(6, [1, 2, 3])) & set(drawn)


def test_dropout_moves_the_loss_from_step_to_step() -> None:
    runs = [Run(1, dropout=0.5) for _ in range(3)]
    first, again, other = (run.step(planted(), number)["loss"] for run, number in zip(runs, (1, 1, 2), strict=True))
    assert first == again != other
