"""The two-tower model as a whole: what a new one does, what its parts share, and saving."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.model import two_tower as two_tower_module
from interestrec.model.item_tower import ItemTower
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_files import load_two_tower, read_learned, save_two_tower, start_from
from interestrec.model.user_tower import TextMean
from tests.model.towers import (
    ITEMS,
    TEXT_WIDTH,
    catalogue_moments,
    codes,
    logits,
    randomised,
    texts,
    tower,
    users,
)

UNIT = texts() / np.linalg.norm(texts(), axis=1, keepdims=True)
ASKED = users()
OWN, SHARED = np.array([[3, 4], [7, 8], [0, 1], [2, 2]], np.int32), np.array([1, 5, 6], np.int32)
ALL = np.concatenate([OWN, np.tile(SHARED, (4, 1))], axis=1)
NOISE = tf.constant([7, 8])
KINDS: list[dict[str, Any]] = [{}, {"similarity": "user"}, {"hidden": (7, 3), "blocks": 2}]


def found(model: TwoTower) -> tuple[np.ndarray, np.ndarray]:
    return logits(model, ASKED, OWN, SHARED)


@pytest.mark.parametrize("changes", KINDS)
def test_a_new_model_ranks_by_the_similarity_of_texts_alone(changes: dict[str, Any]) -> None:
    model = tower(**changes)
    model.head.sharpness.assign(0.0)  # each event of the history counts by its intensity
    share = ASKED["intensity"] / np.maximum(ASKED["intensity"].sum(axis=1, keepdims=True), 1e-9)
    mean = np.einsum("ul,ulw->uw", share, UNIT[ASKED["history"]])
    order, strength = found(model)
    np.testing.assert_allclose(order, 10 * np.einsum("uw,uiw->ui", mean, UNIT[ALL]), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(order[2], np.zeros(5))  # nothing was read: everything ties
    np.testing.assert_array_equal(strength, np.zeros((4, 5)))


@pytest.mark.parametrize("changes", KINDS)
def test_own_candidates_are_scored_like_shared_ones(changes: dict[str, Any]) -> None:
    model = randomised(tower(**changes))
    alone = logits(model, ASKED, ALL, np.zeros(0, np.int32))
    for ours, theirs in zip(found(model), alone, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("block", [1, 4])
def test_items_in_blocks_are_those_at_once(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = randomised(tower())
    at_once = model.item_arrays(texts(), codes())
    monkeypatch.setattr(two_tower_module, "_ITEMS_PER_BLOCK", block)
    for ours, theirs in zip(model.item_arrays(texts(), codes()), at_once, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("changes", KINDS)
def test_padding_changes_nothing(changes: dict[str, Any]) -> None:
    model = randomised(tower(**changes))
    longer = {n: np.pad(ASKED[n], ((0, 0), (0, 3))) for n in ("history", "intensity", "days")}
    for ours, theirs in zip(logits(model, {**ASKED, **longer}, OWN, SHARED), found(model), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("changes", KINDS)
def test_every_weight_that_a_logit_reads_learns(changes: dict[str, Any]) -> None:
    model = randomised(tower(**changes))
    with tf.GradientTape() as tape:
        order, strength = model(
            *(texts(), *codes(), ASKED["history"], ASKED["intensity"], ASKED["days"], ASKED["features"], OWN, SHARED),
            *(catalogue_moments()[ALL], ASKED["user_moments"]),
        )
        loss = tf.reduce_sum(tf.square(order)) + tf.reduce_sum(tf.square(strength))
    unread = {"head/sharpness"} if changes.get("similarity") == "user" else set()
    unread.add("position_bias/bias")  # the objective adds it to the logits, see tests/training/test_position_bias.py
    for weight, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True):
        if weight.path.removeprefix("two_tower/") in unread:
            continue
        assert isinstance(gradient, tf.Tensor), weight.path  # dense, also those of tables
        assert np.isfinite(gradient.numpy()).all(), weight.path
        assert np.abs(gradient.numpy()).sum() > 0, weight.path


def test_noise_is_for_training_alone() -> None:
    model = randomised(tower(dropout=0.4))
    arguments = (
        *(texts(), *codes(), ASKED["history"], ASKED["intensity"], ASKED["days"], ASKED["features"], OWN, SHARED),
        *(catalogue_moments()[ALL], ASKED["user_moments"]),
    )
    quiet, noisy, again = model(*arguments), model(*arguments, noise=NOISE), model(*arguments, noise=NOISE)
    for part in range(2):
        np.testing.assert_array_equal(noisy[part], again[part])
        assert not np.allclose(noisy[part], quiet[part])


def test_the_item_tower_starts_as_the_encoder_and_adapts_where_the_history_is_compared() -> None:
    for adapts in (True, False):
        made = ItemTower(TEXT_WIDTH, 0.0, adapts, name="item_tower")
        made.build()
        np.testing.assert_allclose(made(texts()), UNIT, rtol=1e-5, atol=1e-6)
        assert len(made.weights) == adapts
    matrix = np.random.default_rng(1).normal(size=(TEXT_WIDTH, TEXT_WIDTH))
    made = ItemTower(TEXT_WIDTH, 0.0, True, name="item_tower")
    made.build()
    made.map.kernel.assign(matrix)
    moved = UNIT + UNIT @ matrix
    np.testing.assert_allclose(made(texts()), moved / np.linalg.norm(moved, axis=1, keepdims=True), rtol=1e-4)


def test_recent_events_weigh_more_with_forgetting() -> None:
    mean = TextMean(TEXT_WIDTH)
    mean.forgetting.assign(2.0)
    weights = mean.attention_logits(tf.zeros((1, 3, TEXT_WIDTH)), tf.constant([[1.0, 1.0, 0.0]])).numpy()[0]
    assert weights[1] == 0.0
    assert weights[0] == pytest.approx(-2 * np.log(2), rel=1e-6)
    assert weights[2] < -1e8


@pytest.mark.parametrize("changes", [*KINDS, {"attributes": (), "user_features": ()}])
def test_saving_and_loading_is_exact(changes: dict[str, Any], tmp_path: Path) -> None:
    model = randomised(tower(dropout=0.3, **changes))
    save_two_tower(model, tmp_path, {"encoder.layer.1.x": np.ones(2, np.float32)})
    paths = [weight.path for weight in model.weights]  # the names in the file
    assert len(set(paths)) == len(paths)
    layers = {"item_tower", "fused_items", "text_mean", "user_tower", "head", "moment_terms", "position_bias"}
    assert {path.split("/")[0] for path in paths} <= layers
    again = load_two_tower(tmp_path)
    assert again.config == model.config
    assert list(read_learned(tmp_path)) == ["encoder.layer.1.x"]
    if "attributes" not in changes:
        for ours, theirs in zip(found(again), found(model), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_model_starts_from_the_weights_of_another(tmp_path: Path) -> None:
    model, other = randomised(tower()), tower()
    save_two_tower(model, tmp_path, {})
    start_from(other, tmp_path)
    np.testing.assert_array_equal(found(other)[0], found(model)[0])
    with pytest.raises(ConfigError, match="similarity is user here and history there; train without --from"):
        start_from(tower(similarity="user"), tmp_path)


@pytest.mark.parametrize(
    ("written", "instead", "fault"),
    [
        ('"width": 4', '"width": 5', "misshapen"),
        ('"max_history": 5', '"max_history": 0', "describes a model other than the one"),
        ('"width": 4', '"width": 40000', "describes a model other than the one"),
        ('"hidden": [7]', '"hidden": 7', "is not the configuration of a model"),
        ('"levels"', '"leves"', "is not the configuration of a model"),
    ],
)
def test_weights_that_do_not_fit(written: str, instead: str, fault: str, tmp_path: Path) -> None:
    save_two_tower(tower(), tmp_path, {})
    text = " ".join((tmp_path / "config.json").read_text().split()).replace("[ ", "[").replace(" ]", "]")
    assert written in text
    (tmp_path / "config.json").write_text(text.replace(written, instead))
    with pytest.raises(ArtifactError, match=fault):
        load_two_tower(tmp_path)


@pytest.mark.parametrize("similarity", ["history", "user"])
def test_an_item_among_own_candidates_ties_with_itself_among_the_shared_ones(similarity: str) -> None:
    """Bit by bit, at widths that are used: otherwise a model that knows nothing would be told apart from chance."""
    model = randomised(tower(similarity=similarity, text_width=64, width=32))
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(ITEMS, 64)).astype(np.float32)
    shared = np.arange(ITEMS, dtype=np.int32)
    own = rng.integers(0, ITEMS, (4, 3)).astype(np.int32)
    moments = np.concatenate([catalogue_moments()[own], np.tile(catalogue_moments(), (4, 1, 1))], axis=1)
    asked = [ASKED[name] for name in ("history", "intensity", "days", "features")]
    for of_all in model(vectors, *codes(), *asked, own, shared, moments, ASKED["user_moments"]):
        beside = np.take_along_axis(of_all.numpy()[:, 3:], own, axis=1)
        np.testing.assert_array_equal(of_all.numpy()[:, :3], beside)
