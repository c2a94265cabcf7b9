"""Graphs in every runtime against the NumPy model that the product scores by, for every kind of model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interestrec.corpus.feature_codes import FeatureShape
from interestrec.corpus.moments import ITEM_FEATURES, USER_FEATURES
from interestrec.exporting.exported_graph import EXCLUDED, Catalogue, ExportedGraph
from interestrec.exporting.runtime_formats import RUNTIME_FORMATS
from interestrec.model.catalogue_logits import CatalogueLogits
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_arrays import TwoTowerArrays
from interestrec.model.two_tower_config import ItemCodes, TwoTowerConfig
from interestrec.model.user_arrays import UserHistories

pytestmark = pytest.mark.slow

ITEMS, LENGTHS = 40, (5, 0, 1, 7)
PLAIN: dict[str, Any] = {
    "text_width": 12,
    "width": 8,
    "hidden": (6,),
    "levels": 2,
    "max_history": 7,
    "dropout": 0.1,
    "attributes": (FeatureShape("id", (30,), 1, 0),),
}
MODELS: dict[str, list[dict[str, Any]]] = {
    "items": [PLAIN],
    "two seeds": [PLAIN, PLAIN],
    "sequence": [{**PLAIN, "blocks": 2, "hidden": (6, 5), "user_features": (FeatureShape("tags", (9,), 3, 0),)}],
    "user similarity": [{**PLAIN, "similarity": "user", "attributes": ()}],
    "numbers": [{**PLAIN, "user_features": (FeatureShape("age", (9,), 1, 2),)}],
}


def random_model(values: dict[str, Any], seed: int) -> tuple[TwoTower, TwoTowerArrays]:
    """A model with random weights, and the same over arrays with random items."""
    rng = np.random.default_rng(seed)
    model = TwoTower(TwoTowerConfig(**values), name="two_tower")
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.3, weight.shape).astype(np.float32))
    columns = sum(shape.columns + shape.dense for shape in model.config.attributes)
    shared = np.random.default_rng(99)  # categories and prices are those of all seeds
    prices = np.where(shared.random(ITEMS) < 0.3, np.nan, shared.normal(size=ITEMS)).astype(np.float32)
    codes = ItemCodes(
        rng.integers(0, 9, (ITEMS, columns)).astype(np.int32),
        shared.integers(-1, 4, (ITEMS, values["levels"])).astype(np.int32),
        prices,
    )
    items = model.item_arrays(rng.normal(size=(ITEMS, values["text_width"])).astype(np.float32), codes)
    return model, TwoTowerArrays(model.config, model.export_weights(), items)


def features(shapes: tuple[FeatureShape, ...], rng: np.random.Generator) -> np.ndarray:
    """Random packed features; the bits of numbers follow the codes."""
    codes = rng.integers(0, 9, (len(LENGTHS), sum(shape.columns for shape in shapes))).astype(np.int32)
    numbers = rng.normal(size=(len(LENGTHS), sum(shape.dense for shape in shapes))).astype(np.float32)
    return np.concatenate([codes, numbers.view(np.int32)], axis=1)


@pytest.mark.parametrize("runtime", RUNTIME_FORMATS)
@pytest.mark.parametrize("kind", MODELS)
def test_all_scores_and_lists_are_those_of_the_product(tmp_path: Path, kind: str, runtime: str) -> None:
    rng = np.random.default_rng(3)
    built = [random_model(values, seed) for seed, values in enumerate(MODELS[kind])]
    arrays = [of_arrays for _, of_arrays in built]
    item_moments = rng.normal(size=(ITEMS, ITEM_FEATURES)).astype(np.float32)
    catalogue = Catalogue.of([one.items for one in arrays], item_moments, np.arange(ITEMS))
    form = RUNTIME_FORMATS[runtime]
    form.require_packages(runtime)
    form.write(ExportedGraph([model for model, _ in built], (), catalogue), tmp_path)
    graphs = form.open(tmp_path)
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    histories = UserHistories(
        items=arrays[0].items,
        offsets=offsets,
        row=rng.integers(0, ITEMS, offsets[-1]),
        intensity=rng.choice([0.0, 0.25, 1.0], offsets[-1]).astype(np.float32),
        days=rng.random(offsets[-1]).astype(np.float32),
        features=features(arrays[0].config.user_features, rng),
        moments=rng.normal(size=(len(LENGTHS), USER_FEATURES)).astype(np.float32),
    )
    inputs = {name: np.zeros((len(LENGTHS), max(LENGTHS)), np.float32) for name in ("history", "intensity", "days")}
    for n, length in enumerate(LENGTHS):
        own = slice(offsets[n], offsets[n + 1])
        for name, values in (("history", histories.row), ("intensity", histories.intensity), ("days", histories.days)):
            inputs[name][n, :length] = values[own]
    inputs["history"] = inputs["history"].astype(np.int32)
    inputs |= {"features": histories.features, "moments": histories.moments}
    order, strength = [], []
    for one in arrays:
        own = UserHistories(**{**vars(histories), "items": one.items})
        order.append(CatalogueLogits(one).order(own, item_moments))
        strength.append(CatalogueLogits(one).strength(own))
    expected = np.mean(order, axis=0)
    found = graphs.run("score", {**inputs, **catalogue._asdict()})
    np.testing.assert_allclose(found["scores"], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["strength"], np.stack(strength), rtol=1e-5, atol=1e-5)
    for k, excluded in ((3, [[-1]] * len(LENGTHS)), (ITEMS, [[n, n + 1, -1, n] for n in range(len(LENGTHS))])):
        lists = graphs.run(
            "recommend", {**inputs, "excluded": np.array(excluded, np.int32), "k": np.array(k, np.int32)}
        )
        permitted = expected.copy()
        for n, rows in enumerate(excluded):
            permitted[n, [row for row in rows if row >= 0]] = EXCLUDED
        best = -np.sort(-permitted, axis=1)[:, :k]
        np.testing.assert_allclose(lists["scores"], best, rtol=1e-5, atol=1e-5)
        shown = np.take_along_axis(permitted, lists["items"].astype(np.int64), axis=1)
        np.testing.assert_allclose(shown, best, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIME_FORMATS)
def test_equal_scores_are_in_the_order_of_rows(tmp_path: Path, runtime: str) -> None:
    model = TwoTower(TwoTowerConfig(**{**PLAIN, "attributes": ()}), name="two_tower")
    codes = ItemCodes(
        np.zeros((ITEMS, 0), np.int32), np.zeros((ITEMS, 2), np.int32), np.full(ITEMS, np.nan, np.float32)
    )
    items = model.item_arrays(np.ones((ITEMS, 12), np.float32), codes)
    catalogue = Catalogue.of([items], np.zeros((ITEMS, ITEM_FEATURES), np.float32), np.arange(ITEMS))
    form = RUNTIME_FORMATS[runtime]
    form.write(ExportedGraph([model], (), catalogue), tmp_path)
    inputs = {name: np.ones((1, 1), np.float32) for name in ("intensity", "days")}
    inputs |= {"history": np.zeros((1, 1), np.int32), "features": np.zeros((1, 0), np.int32)}
    inputs |= {"moments": np.zeros((1, USER_FEATURES), np.float32), "excluded": np.array([[3]], np.int32)}
    lists = form.open(tmp_path).run("recommend", {**inputs, "k": np.array(6, np.int32)})
    assert lists["items"].tolist() == [[0, 1, 2, 4, 5, 6]]
