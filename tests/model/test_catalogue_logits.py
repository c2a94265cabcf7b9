"""Logits of a whole catalogue beside the model's own."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from interestrec.model import catalogue_logits as module
from interestrec.model.catalogue_logits import CatalogueLogits
from interestrec.model.two_tower import History, ItemArrays, TwoTower, candidate_side
from tests.model.towers import catalogue_moments, codes, history_of, randomised, texts, tower, users

ITEMS = 40
MOMENTS = catalogue_moments(items=ITEMS)


def made(**changes: Any) -> tuple[TwoTower, ItemArrays, History]:
    model = randomised(tower(**changes))
    own = codes(items=ITEMS)
    own.categories[0] = 9  # a code that no item of the histories has
    items = model.item_arrays(texts(items=ITEMS), own)
    return model, items, history_of(items, users())


@pytest.mark.parametrize("hidden", [(7,), (7, 3)])
@pytest.mark.parametrize("similarity", ["history", "user"])
def test_parts_add_up_to_the_models_logits(
    hidden: tuple[int, ...], similarity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, items, history = made(hidden=hidden, similarity=similarity)
    everything = candidate_side(items, np.arange(ITEMS)[None])
    order = model.order(history, everything, MOMENTS[None]).numpy()
    strength = model.strength(history, everything).numpy()
    assert np.ptp(order, axis=0).min() > 0  # every item tells users apart
    assert np.ptp(strength, axis=0).min() > 0
    for _ in range(2):
        catalogue = CatalogueLogits(model, items)
        np.testing.assert_allclose(catalogue.order(history, MOMENTS), order, rtol=0, atol=2e-5)
        np.testing.assert_allclose(catalogue.strength(history), strength, rtol=0, atol=2e-5)
        monkeypatch.setattr(module, "_CELLS", 1)  # one item at a time
        monkeypatch.setattr(module, "_TILE_USERS", 2)
        monkeypatch.setattr(module, "_TILE_ITEMS", 7)


@pytest.mark.parametrize("missing", ["categories", "prices"])
def test_a_catalogue_without_categories_or_prices(missing: str) -> None:
    model, items, _ = made()
    none = np.full_like(getattr(items, missing), -1 if missing == "categories" else np.nan)
    items = items._replace(**{missing: none})
    history = history_of(items, users())
    everything = candidate_side(items, np.arange(ITEMS)[None])
    wanted = model.order(history, everything, MOMENTS[None]).numpy()
    assert np.isfinite(wanted).all()
    np.testing.assert_allclose(CatalogueLogits(model, items).order(history, MOMENTS), wanted, rtol=0, atol=2e-5)


def test_nearness_is_what_needs_one_product_per_pair() -> None:
    model, items, history = made(similarity="user")
    user = model.user(History(*(tf.constant(part) for part in history)))
    expected = float(model.head.gain) * user.vector.numpy() @ items.candidates.T
    expected += float(model.head.scale) * user.text.numpy() @ items.texts.T
    np.testing.assert_allclose(CatalogueLogits(model, items).nearness(history), expected, rtol=1e-4, atol=1e-5)
