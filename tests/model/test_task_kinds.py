"""What holds for every kind of task, and what each of them means, by hand."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from interestrec.metrics.task_metrics import TASK_METRICS
from interestrec.model.multi_event_task import event_tasks
from interestrec.model.rating_task import rising_thresholds
from interestrec.model.task_kind import TaskKind
from interestrec.model.task_logits import rising
from interestrec.model.tasks import TASKS
from interestrec.training.label_expressions import parse_label

registered = pytest.mark.parametrize("name", TASKS)
RNG = np.random.default_rng(3)
SCORES = RNG.normal(size=400).astype(np.float32)
LABELS: dict[str, np.ndarray] = {
    "intensity": RNG.uniform(size=400),
    "binary": RNG.integers(0, 2, 400),
    "multi_event": RNG.integers(0, 2, 400),
    "rating": RNG.integers(1, 6, 400),
    "count": RNG.poisson(3, 400),
    "duration": np.exp(RNG.normal(2, 1.5, 400)),
}


def fitted(kind: TaskKind, labels: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """Parameters with thresholds, and the raw thresholds."""
    parameters = kind.fit(labels.astype(np.float32))
    raw = kind.thresholds(parameters, labels)
    return {**parameters, **({"thresholds": rising(raw)} if len(raw) else {})}, raw


def losses(kind: TaskKind, scores: np.ndarray, labels: np.ndarray, known: tuple[dict[str, Any], np.ndarray]) -> Any:
    parameters, raw = known
    return kind.values(tf.convert_to_tensor(scores), tf.constant(labels, tf.float32), tf.constant(raw), parameters)


@registered
def test_losses_are_finite_not_negative_and_have_the_gradient_of_finite_differences(name: str) -> None:
    kind, labels = TASKS[name], LABELS[name].astype(np.float32)
    known = fitted(kind, labels)
    for scale in (0.0, 1.0, 10.0, -10.0):
        found = losses(kind, SCORES * scale, labels, known).numpy()
        assert np.isfinite(found).all()
        assert found.min() >= -1e-5
    scores = tf.Variable(SCORES[:50])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(losses(kind, scores, labels[:50], known))
    slopes, step = tape.gradient(total, scores).numpy(), 1e-2
    above, below = (losses(kind, SCORES[:50] + d, labels[:50], known).numpy() for d in (step, -step))
    np.testing.assert_allclose(slopes, (above - below) / (2 * step), rtol=2e-2, atol=2e-3)


@registered
def test_a_calibrated_constant_expects_the_mean_and_higher_scores_expect_more(name: str) -> None:
    kind, labels = TASKS[name], LABELS[name].astype(np.float32)
    parameters, _ = fitted(kind, labels)
    grid = np.linspace(-3, 3, 50).astype(np.float32)
    expected = np.exp(kind.log_expected(grid, parameters))
    assert expected.dtype == np.float32
    assert (np.diff(expected) > 0).all()
    noise = 1e-3 * SCORES  # says nothing of the labels
    calibrated = {**parameters, **kind.calibrate(noise, labels, np.ones(400), parameters, "sigmoid")}
    found = np.exp(kind.log_expected(noise.astype(np.float32), calibrated))
    tolerance = 0.35 if name == "duration" else 0.05  # a log-normal mean is not the mean of a sample
    assert found.mean() == pytest.approx(labels.mean(), rel=tolerance)


@registered
def test_an_entry_names_known_metrics_and_its_label_can_be_read(name: str) -> None:
    kind = TASKS[name]
    assert set(kind.metrics) <= set(TASK_METRICS)
    for label in (kind.label, *kind.tasks("all", ["view", "add to cart"]).values()):
        if label is not None:
            parse_label(label)
    assert kind.values.__doc__


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("intensity", [0.5, 1.5], "1 of 2 labels of train are not within 0 to 1.*such as 1.5"),
        ("binary", [0, 1, 4], "neither 0 nor 1, such as 4; write a condition"),
        ("rating", [3, 3], "1 levels"),
        ("rating", np.arange(21), "21 levels, but a rating has 2 to 20"),
        ("count", [-1, 2], "not 0 or more, such as -1"),
        ("count", [0, 0], "all labels of train are 0"),
        ("duration", [0, 3], "not above 0; add a condition, such as where value > 0, such as 0"),
        ("duration", [3, 3], "all labels of train are equal"),
    ],
)
def test_labels_that_a_kind_does_not_take(name: str, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TASKS[name].fit(np.asarray(labels, np.float32))


def test_a_rating_by_hand() -> None:
    # Three levels with thresholds -1 and 1: P(1) = σ(-1 - s), P(4) = 1 - σ(1 - s).
    kind, parameters = TASKS["rating"], {"levels": [1.0, 2.0, 4.0], "thresholds": [-1.0, 1.0]}
    raw = np.array([-1.0, np.log(np.expm1(2.0))], np.float32)
    np.testing.assert_allclose(rising_thresholds(tf.constant(raw)), [-1, 1], rtol=1e-6)
    np.testing.assert_allclose(rising(raw), [-1, 1], rtol=1e-6)
    s = 0.3
    sigma = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    shares = np.array([sigma(-1 - s), sigma(1 - s) - sigma(-1 - s), 1 - sigma(1 - s)])
    found = kind.values(tf.fill([3], s), tf.constant([1.0, 2.0, 4.0]), tf.constant(raw), parameters)
    np.testing.assert_allclose(found, -np.log(shares), rtol=1e-5)
    expected = np.exp(kind.log_expected(np.array([s], np.float32), parameters))
    assert expected[0] == pytest.approx(float(shares @ [1, 2, 4]), rel=1e-5)


def test_thresholds_start_at_the_shares_of_the_levels() -> None:
    labels = np.repeat([1.0, 2, 3, 5], [10, 50, 30, 10])
    parameters, _ = fitted(TASKS["rating"], labels)
    expected = np.exp(TASKS["rating"].log_expected(np.zeros(1, np.float32), parameters))
    assert expected[0] == pytest.approx(labels.mean(), rel=1e-4)


def test_a_count_by_hand() -> None:
    # In units of the mean 4: y = 2, rate e^0.5: e^0.5 - 2 - 2 (0.5 - log 2).
    found = TASKS["count"].values(tf.constant([0.5]), tf.constant([8.0]), tf.zeros([0]), {"mean": 4.0})
    assert float(found[0]) == pytest.approx(np.exp(0.5) - 2 - 2 * (0.5 - np.log(2)), rel=1e-5)
    assert np.exp(TASKS["count"].log_expected(np.array([0.5], np.float32), {"mean": 4.0}))[0] == pytest.approx(
        4 * np.exp(0.5), rel=1e-5
    )


def test_the_mean_of_a_log_normal_is_above_its_median() -> None:
    parameters = {"centre": 2.0, "spread": 1.5, "scale": 1.0, "shift": 0.0, "residual": 0.8}
    found = np.exp(TASKS["duration"].log_expected(np.array([0.4], np.float32), parameters))
    assert found[0] == pytest.approx(np.exp(2 + 1.5 * 0.4 + 0.5 * (1.5 * 0.8) ** 2), rel=1e-5)


def test_sampled_negatives_weigh_in_the_calibration() -> None:
    """A row of weight 9 counts as nine rows."""
    kind, scores, labels = TASKS["binary"], np.repeat(SCORES[:60], 2), np.tile([1.0, 0.0], 60)
    weight = np.where(labels > 0, 1.0, 9.0)
    repeated = np.repeat(np.arange(120), weight.astype(int))
    one = kind.calibrate(scores, labels, weight, {}, "sigmoid")
    other = kind.calibrate(scores[repeated], labels[repeated], np.ones(len(repeated)), {}, "sigmoid")
    assert one["shift"] == pytest.approx(other["shift"], abs=1e-3)
    assert one["shift"] < -1


def test_a_task_for_each_type_of_event() -> None:
    assert event_tasks("shop", ["view", "buy"]) == {"view": "event == 'view'", "buy": "event == 'buy'"}
