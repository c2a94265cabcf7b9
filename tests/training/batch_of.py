"""Batches made by hand, and what a model says of them."""

from typing import Any

import numpy as np

from interestrec.corpus.moments import ITEM_FEATURES, USER_FEATURES
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_config import ItemCodes
from interestrec.training.batches import Batch
from interestrec.training.objective import tower_arrays

NO_FEATURES = np.zeros((1, 0), np.int32)  # of the only user


def batch_of(items: int, history: Any, candidates: Any, labels: Any, shared: Any = (), **changes: Any) -> Batch:
    """Return a batch over the items 0 … items - 1 of one user, who has read everything with intensity 1.

    Args:
        history: int [examples, length].
        candidates: int [examples, candidates].
        labels: float [examples, candidates + shared].
    """
    history, shared = np.asarray(history, np.int32), np.asarray(shared, np.int32)
    labels = np.asarray(labels, np.float32)
    fields: dict[str, Any] = {
        "distinct": np.arange(items, dtype=np.int32),
        "history": history,
        "intensity": np.ones(history.shape, np.float32),
        "days": np.zeros(history.shape, np.float32),
        "user": np.zeros(len(history), np.int32),
        "candidates": np.asarray(candidates, np.int32),
        "shared": shared,
        "position": np.zeros(np.shape(candidates), np.int32),
        "labels": labels,
        "present": np.ones(labels.shape, bool),
        "known": np.arange(labels.shape[1]) < np.tile(np.shape(candidates)[1], (len(history), 1)),
        "log_rate": np.zeros(labels.shape, np.float32),
        "moments": np.zeros((*labels.shape, ITEM_FEATURES), np.float32),
        "user_moments": np.zeros((len(history), USER_FEATURES), np.float32),
        "row": np.arange(len(history)),
    }
    return Batch(**{**fields, **changes})


def no_codes(items: int) -> ItemCodes:
    """Return the codes of items of which nothing but the text is known."""
    return ItemCodes(
        np.zeros((items, 0), np.int32), np.full((items, 2), -1, np.int32), np.full(items, np.nan, np.float32)
    )


def logits(model: TwoTower, vectors: np.ndarray, codes: ItemCodes, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Return the logits of order and of strength without noise."""
    order, strength = model(vectors[batch.distinct], *tower_arrays(batch, codes, NO_FEATURES))
    return order.numpy(), strength.numpy()
