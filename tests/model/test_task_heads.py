"""Scores of tasks: by hand, in TensorFlow and without it, alone and in batches, and what their losses sum up."""

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from interestrec.model.catalogue_logits import CatalogueLogits
from interestrec.model.pair_logits import PairLogits
from interestrec.model.rank_formula import parse_formula
from interestrec.model.read_weights import read_shapes
from interestrec.model.task_heads import TaskHeads
from interestrec.model.task_logits import ranking_scores
from interestrec.model.task_totals import task_counts, task_totals
from interestrec.model.two_tower_arrays import TwoTowerArrays
from interestrec.model.two_tower_config import ModelTask, TwoTowerConfig
from tests.model.towers import (
    ITEMS,
    catalogue_moments,
    codes,
    config,
    logits,
    ragged_history,
    randomised,
    texts,
    tower,
    users,
)

TASKS = (
    ModelTask("click", "binary", "event == click", True),
    ModelTask("stars", "rating", "value", False, {"levels": [1.0, 2.0, 5.0]}),
    ModelTask("dwell", "duration", "value", False, {"centre": 1.0, "spread": 0.5}),
)
EVERYTHING = np.tile(np.arange(ITEMS, dtype=np.int32), (4, 1))
VARIANTS: dict[str, dict[str, Any]] = {
    "history": {},
    "user": {"similarity": "user"},
    "experts": {"experts": 3, "similarity": "user"},
}


def softmax(x: np.ndarray) -> np.ndarray:
    shares = np.exp(x - x.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("experts", [0, 2])
def test_the_formula(experts: int) -> None:
    heads = TaskHeads(5, TASKS, experts, name="task_heads")
    heads.build()
    randomised(heads)
    rng = np.random.default_rng(1)
    user, items, similarity = rng.normal(size=(3, 5)), rng.normal(size=(3, 7, 5)), rng.normal(size=(3, 7))
    w = {weight.name: np.asarray(weight.numpy(), float) for weight in heads.weights}
    for t in range(3):
        own = user
        if experts:
            hidden = np.maximum(user @ w["expert_first"] + w["expert_bias"], 0).reshape(3, 2, 5)
            found = user[:, None] + np.stack([hidden[:, e] @ w["expert_second"][e] for e in range(2)], axis=1)
            own = (softmax(user @ w["gate"][:, 2 * t : 2 * t + 2])[:, :, None] * found).sum(axis=1)
        expected = np.einsum("uw,ucw->uc", own * w["pair"][t] + w["item"][t], items)
        expected += (own @ w["user"][t])[:, None] + w["scale"][t] * similarity + w["bias"][t]
        sides = [tf.constant(part, tf.float32) for part in (user, items, similarity)]
        np.testing.assert_allclose(heads(*sides)[:, t], expected, rtol=1e-4, atol=1e-5)
        shared = heads(sides[0], sides[1][:1], sides[2])
        alike = heads(sides[0], tf.repeat(sides[1][:1], 3, axis=0), sides[2])
        np.testing.assert_allclose(shared, alike, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_scores_without_tensorflow_are_those_of_the_model(variant: str) -> None:
    model = randomised(tower(tasks=TASKS, **VARIANTS[variant]))
    items, asked = model.item_arrays(texts(), codes()), users()
    arrays, histories = TwoTowerArrays(model.config, model.export_weights(), items), ragged_history(items, asked)
    outputs = run(model, EVERYTHING, [])
    own, beside = run(model, EVERYTHING[:, :3], np.arange(3, ITEMS)), outputs
    np.testing.assert_allclose(own[2], beside[2], rtol=1e-4, atol=1e-5)
    offsets, item = np.array([0, 2, 2, 5, 9]), np.array([3, 3, 8, 0, 1, 7, 2, 7, 4])
    owner = np.repeat(np.arange(4), np.diff(offsets))
    for number in range(len(TASKS)):
        scores = outputs[2][:, number]
        assert np.ptp(scores, axis=0).min() > 0
        found = CatalogueLogits(arrays).task(histories, number)
        np.testing.assert_allclose(found, scores, rtol=1e-4, atol=2e-5)
        pairs = PairLogits(arrays).task(histories, offsets, item, number)
        np.testing.assert_allclose(pairs, scores[owner, item], rtol=1e-4, atol=2e-5)
        assert pairs[0] == pairs[1]
    np.testing.assert_allclose(arrays.tasks.thresholds(1), tf_thresholds(model), rtol=1e-5)


def test_the_weights_that_are_read_have_the_shapes_of_the_model() -> None:
    model = tower(tasks=TASKS, experts=3)
    written = {name: value.shape for name, value in model.export_weights().items() if name.startswith("task_heads/")}
    assert written == {n: shape for n, shape in read_shapes(model.config).items() if n.startswith("task_heads/")}
    assert len(written) == 11


def run(model: Any, own: np.ndarray, shared: Any) -> list[np.ndarray]:
    """All outputs of a model for the four users."""
    from interestrec.corpus.moments import ITEM_FEATURES

    asked, all_moments = users(), catalogue_moments()
    shared = np.asarray(shared, np.int32)
    others = np.broadcast_to(all_moments[shared], (4, len(shared), ITEM_FEATURES))
    asked_parts = (asked[name] for name in ("history", "intensity", "days", "features"))
    moments = np.concatenate([all_moments[own], others], axis=1)
    outputs = model(texts(), *codes(), *asked_parts, own, shared, moments, asked["user_moments"])
    return [output.numpy() for output in outputs]


def tf_thresholds(model: Any) -> np.ndarray:
    from interestrec.model.rating_task import rising_thresholds

    return rising_thresholds(model.task_heads.thresholds_of(1)).numpy()


def test_tasks_leave_the_other_logits_and_weights_alone() -> None:
    plain, model = tower(), tower(tasks=TASKS, experts=2)
    randomised(plain)
    for weight in model.weights:
        if not weight.path.startswith("task_heads"):
            weight.assign(next(w for w in plain.weights if w.path == weight.path))
    expected = logits(plain, users(), EVERYTHING, np.zeros(0, np.int32))
    for one, other in zip(run(model, EVERYTHING, []), expected, strict=False):
        np.testing.assert_array_equal(one, other)


def test_a_new_model_predicts_its_biases() -> None:
    model = tower(tasks=TASKS, experts=2)
    model.task_heads.bias.assign([1.0, -2.0, 0.5])
    outputs = run(model, EVERYTHING, [])
    np.testing.assert_allclose(outputs[2], np.broadcast_to([[[1.0], [-2.0], [0.5]]], outputs[2].shape), atol=1e-6)


def test_the_configuration_is_read_as_it_was_written_and_has_no_keys_of_tasks_without_any() -> None:
    powers = parse_formula("click * dwell^0.5 * order", ["click", "dwell", "stars"])
    made = config(tasks=TASKS, experts=2, rank_by=powers)
    assert TwoTowerConfig.from_json(json.loads(json.dumps(made.values()))) == made
    assert not {"tasks", "experts", "rank_by"} & set(config().values())
    assert TwoTowerConfig.from_json(json.loads(json.dumps(config().values()))) == config()


def test_the_ranking_by_hand() -> None:
    powers = parse_formula("order * click^2 * dwell^0.5", ["click", "dwell", "stars"])
    made = config(tasks=TASKS, rank_by=powers)
    order, click, dwell = (np.array(x, np.float32) for x in ([1.0, -1], [0.2, 2], [1.0, 0]))
    parameters = {
        "click": {"scale": 2.0, "shift": 0.5},
        "dwell": {"centre": 1.0, "spread": 0.5, "scale": 1.0, "shift": 0.0, "residual": 1.0},
    }
    found = ranking_scores(made, order, {"click": click, "dwell": dwell}, parameters)
    expected = order + 2 * -np.log1p(np.exp(-(2 * click + 0.5))) + 0.5 * (1 + 0.5 * dwell + 0.5 * 0.25)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_totals_and_counts_by_hand() -> None:
    heads = TaskHeads(2, (TASKS[0], ModelTask("amount", "count", "value", False, {"mean": 2.0})), 0)
    heads.build()
    heads.uncertainty.assign([0.0, 0.7])
    nan = np.nan
    targets = tf.constant([[[1.0, nan], [nan, 4.0]], [[0.0, 2.0], [nan, nan]]])  # [examples, candidates, tasks]
    scores = tf.constant(np.arange(12).reshape(2, 2, 3) / 10, tf.float32)  # the last column is shared
    drawn = tf.constant([[False, False, True], [False, False, False]])
    log_rate = tf.math.log(tf.constant([[1.0, 1, 0.25]] * 2))
    found = task_totals(heads, scores, targets, drawn, log_rate, [False, True])
    counts = task_counts(heads.tasks, targets)
    assert {name: float(n) for name, n in counts.items()} == {"task_click": 2, "task_amount": 2}
    plus = lambda x: np.log1p(np.exp(x))  # noqa: E731
    assert float(found["task_click"]) == pytest.approx(plus(-0.0) + plus(0.6) + 4 * plus(0.2), rel=1e-5)
    deviance = (np.exp(0.4) - 2 - 2 * (0.4 - np.log(2))) + (np.exp(0.9) - 1 - (0.9 - 0))
    assert float(found["task_amount"]) == pytest.approx(np.exp(-0.7) * deviance + 0.5 * 0.7 * 2, rel=1e-5)
    nothing = task_totals(heads, scores, tf.fill([2, 2, 2], nan), drawn & False, log_rate, [False, True])
    assert [float(value) for value in nothing.values()] == [0.0, 0.0]


def test_no_gradient_comes_from_unknown_labels() -> None:
    heads = TaskHeads(2, TASKS, 0)
    heads.build()
    scores = tf.Variable(np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32))
    targets = np.full((2, 3, 3), np.nan, np.float32)
    targets[0, 1] = [1.0, 2.0, 3.0]
    with tf.GradientTape() as tape:
        drawn, rate = tf.zeros([2, 4], tf.bool), tf.zeros([2, 4])
        found = task_totals(heads, tf.convert_to_tensor(scores), tf.constant(targets), drawn, rate, [False] * 3)
        total = tf.add_n(list(found.values()))
    slopes = tf.convert_to_tensor(tape.gradient(total, scores)).numpy()
    assert np.isfinite(slopes).all()
    assert (slopes[0, :, 1] != 0).all()
    assert np.count_nonzero(slopes) == 3
