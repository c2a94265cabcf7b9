"""The towers and the head: what a new model does, and saving."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from interestrec.core.errors import ArtifactError
from interestrec.model.two_tower import TowerSide, TwoTower, TwoTowerConfig, load_two_tower, save_two_tower

WIDTH = 8
RNG = np.random.default_rng(5)
VECTORS = RNG.normal(size=(9, WIDTH)).astype(np.float32)
CATEGORIES = np.array([[0, 0], [0, 1], [1, 2], [1, 2], [-1, -1], [0, 0], [1, 3], [-1, -1], [0, 1]], np.int32)
ATTRIBUTES = (("category", (4, 3)), ("price", (5,)))
CODES = np.stack([RNG.integers(0, size, 9) for size in (4, 3, 5)], axis=1).astype(np.int32)
HISTORY = np.array([[0, 1, 2], [3, 0, 0]], np.int32)
INTENSITY = np.array([[1, 0.5, 1], [1, 0, 0]], np.float32)
NOISE = tf.constant([7, 8])
CANDIDATES = np.array([[3, 4, 5, 6], [7, 8, 4, 5]], np.int32)


def model(dropout: float = 0.0) -> TwoTower:
    return TwoTower(TwoTowerConfig(WIDTH, (6, 4), 2, 10, dropout, ATTRIBUTES), name="two_tower")


def logits(tower: TwoTower, history: np.ndarray = HISTORY, intensity: np.ndarray = INTENSITY) -> np.ndarray:
    return tower(VECTORS, CODES, CATEGORIES, history, intensity, CANDIDATES[: len(history)]).numpy()


def set_weights(tower: TwoTower, **values: float | list[float]) -> None:
    for name, value in values.items():
        getattr(tower.head, name).assign(value)


def test_a_new_model_ranks_by_the_encoders_similarity() -> None:
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    tower = model()
    set_weights(tower, sharpness=0.0)
    share = INTENSITY[0] / INTENSITY[0].sum()
    expected = 10 * unit[CANDIDATES[0]] @ (share @ unit[HISTORY[0]])
    np.testing.assert_allclose(logits(tower)[0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits(tower)[1], 10 * unit[CANDIDATES[1]] @ unit[3], rtol=1e-4, atol=1e-5)


def test_new_tables_change_no_vector_and_learned_ones_do() -> None:
    tower = model()
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    np.testing.assert_allclose(tower.item_vectors(VECTORS, CODES), unit, rtol=1e-5, atol=1e-6)
    tables = [RNG.normal(size=table.shape).astype(np.float32) for table in tower.item_tower.features.tables]
    for table, values in zip(tower.item_tower.features.tables, tables, strict=True):
        table.assign(values)
    moved = unit + sum(values[CODES[:, column]] for column, values in enumerate(tables))
    expected = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    np.testing.assert_allclose(tower.item_vectors(VECTORS, CODES), expected, rtol=1e-5, atol=1e-6)


def test_without_attributes_there_are_no_weights_for_them() -> None:
    tower = TwoTower(TwoTowerConfig(WIDTH, (6, 4), 2, 10, 0.1, ()), name="two_tower")
    assert [w.path for w in tower.item_tower.trainable_variables] == ["item_tower/map/kernel"]
    tower(VECTORS, CODES[:, :0], CATEGORIES, HISTORY, INTENSITY, CANDIDATES, noise=NOISE)
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    np.testing.assert_allclose(tower.item_vectors(VECTORS, CODES[:, :0]), unit, rtol=1e-5, atol=1e-6)


def test_attributes_are_left_out_whole_and_at_random_in_training() -> None:
    tower = model(dropout=0.4).item_tower.features
    codes = np.tile(np.array([[3, 2, 4]], np.int32), (5000, 1))
    found = tower._drop_features(tf.constant(codes), NOISE).numpy()
    dropped = found == 0
    np.testing.assert_array_equal(dropped[:, 0], dropped[:, 1])  # both columns of the category
    assert dropped[:, 0].mean() == pytest.approx(0.4, abs=0.03)
    assert dropped[:, 2].mean() == pytest.approx(0.4, abs=0.03)
    assert (dropped[:, 0] & dropped[:, 2]).mean() == pytest.approx(0.16, abs=0.03)
    np.testing.assert_array_equal(found[~dropped], codes[~dropped])


def test_attributes_are_left_out_in_training_only() -> None:
    tower = model(dropout=0.4).item_tower
    tower.features.tables[2].assign(RNG.normal(size=(5, WIDTH)))
    # No table but price's is learned, and a text vector of zeros has nothing to drop: only the attributes' is seen.
    vectors, codes = tf.zeros((400, WIDTH)), tf.constant([[0, 0, 3]] * 400)
    quiet = tower(vectors, codes).numpy()
    np.testing.assert_array_equal(quiet, np.tile(quiet[:1], (400, 1)))
    assert len(np.unique(tower(vectors, codes, noise=NOISE).numpy().round(4), axis=0)) == 2


def test_gradients_of_tables_are_dense() -> None:
    tower = model().item_tower
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tower(VECTORS, CODES)[:, 0])
    gradients = tape.gradient(loss, tower.trainable_variables)
    assert all(isinstance(gradient, tf.Tensor) for gradient in gradients)


def test_sharp_attention_looks_at_the_nearest_of_the_history() -> None:
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    tower = model()
    set_weights(tower, sharpness=200.0)
    nearest = (unit[CANDIDATES[0]] @ unit[HISTORY[0]].T).max(axis=1)
    np.testing.assert_allclose(logits(tower)[0], 10 * nearest, atol=0.2)


def test_category_match_by_hand() -> None:
    tower = model()
    set_weights(tower, scale=0.0, match=[1.0, 10.0])
    found = logits(tower)
    # History of items 0, 1, 2 with categories 0/0, 0/1, 1/2; candidates 3 (1/2), 4 (none), 5 (0/0), 6 (1/3).
    expected = [
        np.sqrt(1 / 6) + 10 * np.sqrt(1 / 6),
        0.0,
        np.sqrt(2 / 6) + 10 * np.sqrt(1 / 6),
        np.sqrt(1 / 6),
    ]
    np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-6)


def test_recent_events_weigh_more_with_forgetting() -> None:
    tower = model()
    tower.user_tower.forgetting.assign(2.0)
    weights = tower.user_tower.attention_logits(tf.zeros((1, 3, WIDTH)), tf.constant([[1.0, 1.0, 0.0]])).numpy()[0]
    assert weights[1] == 0.0
    assert weights[0] == pytest.approx(-2 * np.log(2), rel=1e-6)
    assert weights[2] < -1e8


def test_an_empty_history_is_defined_and_ties() -> None:
    found = logits(model(), np.zeros((1, 3), np.int32), np.zeros((1, 3), np.float32))
    np.testing.assert_array_equal(found, np.zeros((1, 4), np.float32))


def test_padding_changes_nothing() -> None:
    longer = np.pad(HISTORY, ((0, 0), (0, 4)))
    found = logits(model(), longer, np.pad(INTENSITY, ((0, 0), (0, 4))))
    np.testing.assert_allclose(found, logits(model()), rtol=1e-5, atol=1e-6)


def test_shared_candidates_are_scored_like_repeated_ones() -> None:
    tower = model()
    items = tower.item_vectors(VECTORS, CODES)
    history = TowerSide(tf.constant(items[HISTORY]), tf.constant(CATEGORIES[HISTORY]))
    shared = tower.score(history, INTENSITY, TowerSide(tf.constant(items[None]), tf.constant(CATEGORIES[None]))).numpy()
    rows = np.tile(np.arange(9), (2, 1))
    repeated = tower.score(
        history, INTENSITY, TowerSide(tf.constant(items[rows]), tf.constant(CATEGORIES[rows]))
    ).numpy()
    np.testing.assert_allclose(shared, repeated, rtol=1e-5, atol=1e-6)


def test_every_weight_learns() -> None:
    tower = model()
    tower.head.last.kernel.assign(RNG.normal(size=(4, 1)))
    tower.item_tower.map.kernel.assign(RNG.normal(size=(WIDTH, WIDTH)))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(tower(VECTORS, CODES, CATEGORIES, HISTORY, INTENSITY, CANDIDATES)))
    for weight, gradient in zip(tower.trainable_variables, tape.gradient(loss, tower.trainable_variables), strict=True):
        assert gradient is not None, weight.path
        assert np.abs(tf.convert_to_tensor(gradient).numpy()).sum() > 0, weight.path


def test_saving_and_loading_is_exact(tmp_path: Path) -> None:
    tower = model(dropout=0.3)
    for weight in tower.trainable_variables:
        weight.assign(RNG.normal(size=weight.shape))
    save_two_tower(tower, tmp_path, {"encoder.layer.1.x": np.ones(2, np.float32)})
    np.testing.assert_array_equal(logits(load_two_tower(tmp_path)), logits(tower))


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    save_two_tower(model(), tmp_path, {})
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"width": 8', '"width": 9'))
    with pytest.raises(ArtifactError, match="missing or misshapen"):
        load_two_tower(tmp_path)
