"""Requests and events in few words."""

from collections.abc import Sequence

import numpy as np

from interestrec.corpus.store import NO_TIME
from interestrec.scorers.requests import Events, Labels, Requests


def requests(
    *histories: list[int],
    users: list[int] | None = None,
    intensity: list[float] | None = None,
    days: Sequence[float | None] | None = None,
    at: Sequence[float | None] | None = None,
) -> Requests:
    """Histories one after another; `intensity` and `days` are of all their entries, `at` are the requests' days."""
    items = np.array([item for history in histories for item in history], dtype=np.int32)
    return Requests(
        user=np.array(users if users is not None else range(len(histories)), dtype=np.int32),
        offsets=np.concatenate([[0], np.cumsum([len(history) for history in histories])]).astype(np.int64),
        item=items,
        intensity=np.ones(len(items), np.float32) if intensity is None else np.array(intensity, np.float32),
        time=_times([0.0] * len(items) if days is None else days),
        at=_times([None] * len(histories) if at is None else at),
    )


def events(
    pairs: list[tuple[int, int]], n_users: int, n_items: int, days: Sequence[float | None] | None = None
) -> Events:
    user, item = (np.array(column, dtype=np.int32) for column in zip(*pairs, strict=True))
    time = _times([0.0] * len(pairs) if days is None else days)
    return Events(user, item, np.ones(len(pairs), np.float32), time, n_users, n_items)


def split_candidates(lists: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in lists])]).astype(np.int64)
    return offsets, np.array([item for row in lists for item in row], dtype=np.int32)


def _times(days: Sequence[float | None]) -> np.ndarray:
    return np.array([NO_TIME if day is None else round(day * 86_400_000_000) for day in days], dtype=np.int64)


def labels(triples: list[tuple[int, int, float]], n_users: int, n_items: int) -> Labels:
    user, item, label = ([row[column] for row in triples] for column in range(3))
    return Labels(np.array(user, np.int32), np.array(item, np.int32), np.array(label, np.float32), n_users, n_items)
