"""A stream of events whose tastes drift and change at once, for `interestrec replay`."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from generated_texts import FILLER, TOPICS, texts

START = datetime(2026, 3, 1, tzinfo=UTC)
WEEK = 7  # days
ON_TASTE = 0.7  # share of the events of a user that follow the taste of the week
GROUPS = len(TOPICS)  # into which items fall; a user's taste is one of them


def write_stream(
    to: Path, events: int, users: int, items: int, days: int, drift: int, change: int, shuffle: int, seed: int
) -> None:
    """Write `events.parquet` and `items.parquet`; `drift` and `change` are percent, 0 = none.

    Every week `drift` percent of the users get another taste, and all of them before `change` percent of the time like
    groups of items by topic, which texts reveal. From then on, other items go together, one of each topic, and those
    that nobody wanted are the popular ones: what was learned before is wrong. `shuffle` 1 permutes the times, after
    which nothing changes over time.
    """
    if items % GROUPS**2:
        raise SystemExit(f"--items must be a multiple of {GROUPS**2}")
    rng = np.random.default_rng(seed)
    share = np.sort(rng.random(events))
    user = rng.integers(0, users, events)
    taste = _tastes(rng, users, 1 + days // WEEK, drift / 100)[(share * days).astype(np.int64) // WEEK, user]
    group = np.where(rng.random(events) < ON_TASTE, taste, rng.integers(0, GROUPS, events))
    size = items // GROUPS
    place = (size * rng.random(events) ** 2.5).astype(np.int64)  # within the group, popular ones first
    changed = share >= change / 100 if change else np.zeros(events, dtype=bool)
    item = np.where(changed, _mixed(size - 1 - place, group), place * GROUPS + group)
    if shuffle:
        share = share[rng.permutation(events)]
        order = np.argsort(share, kind="stable")
        share, user, item = share[order], user[order], item[order]
    time = int(START.timestamp()) + (share * days * 86_400).astype(np.int64)
    columns = {
        "user": _numbered("u", user),
        "item": _numbered("i", item),
        "time": pa.array(time).cast(pa.timestamp("s")),
    }
    pq.write_table(pa.table(columns), to / "events.parquet")
    topic = np.arange(items) % GROUPS
    described = {
        "item": _numbered("i", np.arange(items)),
        "title": texts(rng, topic, 8, TOPICS, FILLER),
        "category": pa.array(list(TOPICS)).take(pa.array(topic)),
    }
    pq.write_table(pa.table(described), to / "items.parquet")


def _tastes(rng: np.random.Generator, users: int, weeks: int, drift: float) -> np.ndarray:
    """Return the group that each user likes, int64 [weeks, users]."""
    tastes = [rng.integers(0, GROUPS, users)]
    for _ in range(weeks - 1):
        moves = rng.random(users) < drift
        tastes.append(np.where(moves, rng.integers(0, GROUPS, users), tastes[-1]))
    return np.stack(tastes)


def _mixed(place: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the items of groups that hold items of every topic: of each run of GROUPS² items, a run of GROUPS."""
    return place // GROUPS * GROUPS**2 + group * GROUPS + place % GROUPS


def _numbered(prefix: str, numbers: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "")
