"""Scores of a whole catalogue beside the model's own."""

import numpy as np
import pytest

from interestrec.model import catalogue_logits as module
from interestrec.model.catalogue_logits import CatalogueLogits
from interestrec.model.two_tower import TowerSide, TwoTower, TwoTowerConfig

USERS, ITEMS, WIDTH, LENGTH, LEVELS = 5, 40, 6, 4, 2


@pytest.mark.parametrize("hidden", [(7,), (7, 3)])
@pytest.mark.parametrize("similarity", ["history", "user"])
def test_parts_add_up_to_the_models_scores(
    hidden: tuple[int, ...], similarity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    config = TwoTowerConfig(WIDTH, hidden, LEVELS, LENGTH, 0.0, (), similarity)  # type: ignore[arg-type]
    model = TwoTower(config, name="two_tower")
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0, 0.7, weight.shape))
    vectors = model.item_vectors(rng.normal(size=(ITEMS, WIDTH)).astype(np.float32), np.zeros((ITEMS, 0), np.int32))
    categories = rng.integers(-1, 4, (ITEMS, LEVELS)).astype(np.int32)
    categories[0] = 9  # a code that no item of the histories has
    rows = rng.integers(1, ITEMS, (USERS, LENGTH))
    history = TowerSide(vectors[rows], categories[rows])
    intensity = rng.uniform(0.1, 1, (USERS, LENGTH)).astype(np.float32)
    intensity[2, 1:] = 0.0
    intensity[4] = 0.0  # nothing is known of this one
    wanted = model.score(history, intensity, TowerSide(vectors[None], categories[None])).numpy()
    assert np.ptp(wanted, axis=0).min() > 0  # every item tells users apart

    np.testing.assert_allclose(
        CatalogueLogits(model, vectors, categories)(history, intensity), wanted, rtol=0, atol=2e-5
    )
    monkeypatch.setattr(module, "_CELLS", 1)  # one item at a time
    monkeypatch.setattr(module, "_TILE_USERS", 2)
    monkeypatch.setattr(module, "_TILE_ITEMS", 7)
    np.testing.assert_allclose(
        CatalogueLogits(model, vectors, categories)(history, intensity), wanted, rtol=0, atol=2e-5
    )
