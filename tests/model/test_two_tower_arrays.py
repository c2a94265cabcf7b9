"""The model without TensorFlow beside TwoTower itself: every part of it, of random weights."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from interestrec.corpus.feature_codes import FeatureShape
from interestrec.model import catalogue_logits as module
from interestrec.model.catalogue_logits import CatalogueLogits
from interestrec.model.pair_logits import PairLogits
from interestrec.model.read_weights import read_shapes
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_arrays import TwoTowerArrays
from interestrec.model.user_arrays import UserHistories
from tests.model.towers import (
    ITEMS,
    LENGTHS,
    catalogue_moments,
    codes,
    logits,
    ragged_history,
    randomised,
    texts,
    tower,
    users,
)

MOMENTS = catalogue_moments()
EVERYTHING = np.tile(np.arange(ITEMS, dtype=np.int32), (4, 1))
TAGS = (FeatureShape("id", (20_000,)), FeatureShape("tags", (4,), shared=3), FeatureShape("age", (2, 3), dense=2))
VARIANTS: dict[str, dict[str, Any]] = {
    "history": {},
    "user": {"similarity": "user"},
    "deep": {"hidden": (7, 3, 5)},
    "blocks": {"blocks": 2},
    "deep by the mean with blocks": {"similarity": "user", "blocks": 1, "hidden": (7, 3)},
    "tags, dense values and a narrow table": {"user_features": TAGS, "width": 66},
    "no features": {"user_features": ()},
}


def asked_of(shapes: tuple[FeatureShape, ...]) -> dict[str, np.ndarray]:
    """The users of the towers, with an entry of no intensity within a history, and features of these shapes."""
    asked = users()
    asked["intensity"][0, 2] = 0.0
    if shapes == TAGS:
        values = np.array([[0.5, -1], [0, 2], [0, 0], [1, 1]], np.float32).view(np.int32)
        known = np.array(
            [[7, 1, 0, 3, 1, 2], [19_999, 0, 0, 0, 0, 0], [0, 2, 2, 1, 0, 1], [3, 0, 3, 0, 1, 0]], np.int32
        )
        asked["features"] = np.concatenate([known, values], axis=1)
    if not shapes:
        asked["features"] = np.zeros((4, 0), np.int32)
    return asked


def made(**changes: Any) -> tuple[TwoTower, TwoTowerArrays, dict[str, np.ndarray], UserHistories]:
    model = randomised(tower(**changes))
    own = codes()
    own.categories[0] = 9  # a code that no item of the histories has
    items = model.item_arrays(texts(), codes())
    asked = asked_of(model.config.user_features)
    return (
        model,
        TwoTowerArrays(model.config, model.export_weights(), items),
        asked,
        ragged_history(items, asked),
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_catalogue_and_pairs_get_the_logits_of_the_model(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, arrays, asked, histories = made(**VARIANTS[variant])
    order, strength = logits(model, asked, EVERYTHING, np.zeros(0, np.int32))
    assert np.ptp(order, axis=0).min() > 0  # every item tells users apart
    assert np.ptp(strength, axis=0).min() > 0
    # A logit is a sum of terms as large as the largest logit, so that is what its rounding is relative to.
    near = {"rtol": 1e-5, "atol": 2e-5 + 1e-6 * float(np.abs(order).max())}
    catalogue = CatalogueLogits(arrays)
    for _ in range(2):
        np.testing.assert_allclose(catalogue.order(histories, MOMENTS), order, **near)
        np.testing.assert_allclose(catalogue.strength(histories), strength, **near)
        monkeypatch.setattr(module, "_TILE_USERS", 2)
        monkeypatch.setattr(module, "_TILE_ITEMS", 7)
    offsets, item = np.array([0, 2, 2, 5, 9]), np.array([3, 3, 8, 0, 1, 7, 2, 7, 4])
    owner = np.repeat(np.arange(4), np.diff(offsets))
    pairs = PairLogits(arrays)
    found = pairs.order(histories, offsets, item, MOMENTS[item])
    np.testing.assert_allclose(found, order[owner, item], **near)
    assert found[0] == found[1]
    assert found[5] == found[7]
    np.testing.assert_allclose(pairs.strength(histories, offsets, item), strength[owner, item], **near)


@pytest.mark.parametrize("missing", ["categories", "prices"])
def test_a_catalogue_without_categories_or_prices(missing: str) -> None:
    model = randomised(tower())
    none = np.full_like(getattr(codes(), missing), -1 if missing == "categories" else np.nan)
    items = model.item_arrays(texts(), codes()._replace(**{missing: none}))
    arrays = TwoTowerArrays(model.config, model.export_weights(), items)
    found = CatalogueLogits(arrays).order(ragged_history(items, users()), MOMENTS)
    assert np.isfinite(found).all()
    weights = model.export_weights() | {
        name: np.zeros_like(value)
        for name, value in model.export_weights().items()
        if name.startswith({"categories": "head/match", "prices": "head/price"}[missing])
    }
    without = TwoTowerArrays(model.config, weights, model.item_arrays(texts(), codes()))
    expected = CatalogueLogits(without).order(ragged_history(without.items, users()), MOMENTS)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_nearness_is_what_needs_one_product_per_pair() -> None:
    _, arrays, _, histories = made(similarity="user")
    user = arrays.user(histories)
    expected = arrays.head("gain") * user.vector @ arrays.items.candidates.T
    expected += arrays.head("scale") * user.text @ arrays.items.texts.T
    np.testing.assert_allclose(CatalogueLogits(arrays).nearness(histories), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_weights_that_are_read_have_the_shapes_of_the_model(variant: str) -> None:
    model = tower(**VARIANTS[variant])
    shapes = {name: value.shape for name, value in model.export_weights().items()}
    of_items = ("item_tower/", "fused_items/", "position_bias/")
    assert read_shapes(model.config) == {n: shape for n, shape in shapes.items() if not n.startswith(of_items)}


def test_one_model_reads_histories_of_several_catalogues() -> None:
    model, arrays, asked, histories = made()
    first = arrays.user(histories)
    other = replace(histories, items=model.item_arrays(2 * texts(seed=1), codes()))
    second = arrays.user(other)
    assert np.abs(first.vector[0] - second.vector[0]).max() > 0.01
    np.testing.assert_array_equal(arrays.user(histories).vector, first.vector)
    assert len(first) == len(LENGTHS)
    assert len(histories) == len(asked["history"])
