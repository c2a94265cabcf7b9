"""A small two-tower model as `finetune` writes it."""

import json
from pathlib import Path

import numpy as np

from interestrec.io import files
from interestrec.model.two_tower import TwoTower, TwoTowerConfig, save_two_tower


def write_model(path: Path, vectors: np.ndarray, category: np.ndarray) -> None:
    """Random weights over the given text vectors, float32 [items, width], and category codes, int32 [items, 2]."""
    path.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    tower = TwoTower(TwoTowerConfig(vectors.shape[1], (5,), 2, 4, 0.0, ()), name="two_tower")
    for weight in tower.trainable_variables:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    save_two_tower(tower, path, {})
    items = tower.item_vectors(vectors, np.zeros((len(vectors), 0), np.int32))
    arrays = {"frozen": vectors, "item": items, "category": category}
    files.write_safetensors(path / "item_vectors.safetensors", arrays)
    (path / "calibration.json").write_text(json.dumps({"scale": 0.5, "shift": -1.0}))
