"""A small two-tower model as `finetune` writes it."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.corpus.feature_codes import FeatureShape
from interestrec.io import files
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_config import ItemCodes, TwoTowerConfig
from interestrec.model.two_tower_files import save_two_tower

ITEM_FEATURES = (FeatureShape("category", (4,)),)
USER_FEATURES = (FeatureShape("country", (3,)),)


def write_model(path: Path, vectors: np.ndarray, category: np.ndarray, users: int, **changes: Any) -> None:
    """Random weights over the given text vectors, float32 [items, width], and category codes, int32 [items, 2].

    `changes` are of the configuration.

    Item i has a code of its own and a price, but for each third item; user u has the code u modulo 3.
    """
    path.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    sizes: dict[str, Any] = {
        "text_width": vectors.shape[1],
        "width": 4,
        "hidden": (5,),
        "levels": 2,
        "max_history": 4,
        "dropout": 0.0,
        "attributes": ITEM_FEATURES,
        "user_features": USER_FEATURES,
    }
    tower = TwoTower(TwoTowerConfig(**{**sizes, **changes}), name="two_tower")
    for weight in tower.trainable_variables:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    save_two_tower(tower, path, {})
    number = np.arange(len(vectors))
    price = np.where(number % 3 == 0, np.nan, np.sin(number)).astype(np.float32)
    items = tower.item_arrays(vectors, ItemCodes((number % 4).astype(np.int32)[:, None], category, price))
    arrays = {
        "frozen": vectors,
        "item": items.texts,
        "entry": items.entries,
        "candidate": items.candidates,
        "category": items.categories,
        "price": items.prices,
        "user": (np.arange(users) % 3).astype(np.int32)[:, None],
    }
    files.write_safetensors(path / "item_vectors.safetensors", arrays)
    (path / "calibration.json").write_text(json.dumps({"scale": 0.5, "shift": -1.0}))
