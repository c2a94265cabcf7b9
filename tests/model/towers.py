"""Small two-tower models, items and histories for tests."""

from typing import Any

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.feature_codes import FeatureShape
from interestrec.corpus.moments import ITEM_FEATURES, USER_FEATURES
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_config import ItemArrays, ItemCodes, TwoTowerConfig
from interestrec.model.user_arrays import UserHistories

TEXT_WIDTH, WIDTH, LEVELS, LENGTH, ITEMS = 6, 4, 2, 5, 9
ATTRIBUTES = (FeatureShape("id", (5,)), FeatureShape("category", (4, 3)), FeatureShape("picture", (), dense=2))
LENGTHS = np.array([LENGTH, 1, 0, 2])  # of the histories of `users`
USER_FEATURES_SHAPES = (FeatureShape("id", (3,)),)


def config(**changes: Any) -> TwoTowerConfig:
    """Every part is there but transformer blocks."""
    sizes: dict[str, Any] = {
        "text_width": TEXT_WIDTH,
        "width": WIDTH,
        "hidden": (7,),
        "levels": LEVELS,
        "max_history": LENGTH,
        "dropout": 0.0,
        "attributes": ATTRIBUTES,
        "user_features": USER_FEATURES_SHAPES,
    }
    return TwoTowerConfig(**{**sizes, **changes})


def tower(**changes: Any) -> TwoTower:
    """A new model."""
    return TwoTower(config(**changes), name="two_tower")


def randomised(layer: Any, seed: int = 3) -> Any:
    """Give all weights of a layer random values, so that every term is seen."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(rng.normal(0, 0.6, weight.shape))
    return layer


def texts(seed: int = 5, items: int = ITEMS) -> np.ndarray:
    """float32 [items, TEXT_WIDTH]: vectors of texts."""
    return np.random.default_rng(seed).normal(size=(items, TEXT_WIDTH)).astype(np.float32)


def codes(seed: int = 6, items: int = ITEMS) -> ItemCodes:
    """Codes of ATTRIBUTES; some categories and prices are unknown."""
    rng = np.random.default_rng(seed)
    columns = [rng.integers(0, size, items) for shape in ATTRIBUTES for size in shape.sizes]
    dense = rng.normal(size=(items, 2)).astype(np.float32)
    packed = np.concatenate([np.stack(columns, axis=1).astype(np.int32), dense.view(np.int32)], axis=1)
    categories = rng.integers(-1, 4, (items, LEVELS)).astype(np.int32)
    prices = np.where(rng.random(items) < 0.3, np.nan, rng.normal(size=items)).astype(np.float32)
    return ItemCodes(packed, categories, prices)


def users(seed: int = 7) -> dict[str, np.ndarray]:
    """Four users: a full history, one event, none, and two events of little interest; the arguments of TwoTower."""
    rng = np.random.default_rng(seed)
    inside = np.arange(LENGTH) < LENGTHS[:, None]
    return {
        "history": np.where(inside, rng.integers(0, ITEMS, inside.shape), 0).astype(np.int32),
        "intensity": np.where(inside, rng.uniform(0.1, 1, inside.shape), 0).astype(np.float32),
        "days": np.where(inside, rng.uniform(0, 3, inside.shape), 0).astype(np.float32),
        "features": np.array([[1], [2], [0], [1]], np.int32),
        "user_moments": rng.normal(size=(4, USER_FEATURES)).astype(np.float32),
    }


def ragged_history(items: ItemArrays, asked: dict[str, np.ndarray]) -> UserHistories:
    """Return what TwoTowerArrays reads of `users`."""
    inside = np.arange(LENGTH) < LENGTHS[:, None]
    return UserHistories(
        items=items,
        offsets=ragged.from_lengths(LENGTHS),
        row=asked["history"][inside],
        intensity=asked["intensity"][inside],
        days=asked["days"][inside],
        features=asked["features"],
        moments=asked["user_moments"],
    )


def catalogue_moments(seed: int = 8, items: int = ITEMS) -> np.ndarray:
    """float32 [items, ITEM_FEATURES], at the one time of all requests."""
    return np.random.default_rng(seed).normal(size=(items, ITEM_FEATURES)).astype(np.float32)


def logits(
    model: TwoTower, asked: dict[str, np.ndarray], candidates: np.ndarray, shared: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the logits of order and of strength of a batch over all items, with `catalogue_moments` for everybody."""
    own, all_moments = np.asarray(candidates, np.int32), catalogue_moments()
    others = np.broadcast_to(all_moments[shared], (len(own), len(shared), ITEM_FEATURES))
    order, strength = model(
        texts(),
        *codes(),
        asked["history"],
        asked["intensity"],
        asked["days"],
        asked["features"],
        own,
        np.asarray(shared, np.int32),
        np.concatenate([all_moments[own], others], axis=1),
        asked["user_moments"],
    )
    return order.numpy(), strength.numpy()
