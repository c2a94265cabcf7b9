"""Small corpora written to disk by the schemas, with what a hand can check."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from interestrec.io import artifact_files, files, schemas

DAY = 86_400_000_000


class Event(NamedTuple):
    user: int
    item: int
    day: float | None
    split: str = "train"
    intensity: float = 1.0
    event: str = "event"


class Impression(NamedTuple):
    user: int
    split: str
    history: tuple[int, int]  # positions in the user's timeline
    candidates: Sequence[tuple[int, float | None]]
    day: float | None = None


def write_corpus(path: Path, n_users: int, n_items: int, events: list[Event], impressions: list[Impression]) -> Path:
    """A corpus; `events` must be sorted by user and position."""
    path.mkdir(parents=True, exist_ok=True)
    user_id = [f"u{n}" for n in range(n_users)]
    half = ["valid_select" if hashlib.md5(n.encode()).hexdigest()[0] < "8" else "valid_blend" for n in user_id]
    item_id = [f"i{n}" for n in range(n_items)]
    _write(path / artifact_files.USERS, schemas.USERS, user=range(n_users), user_id=user_id, valid_part=half)
    _write(
        path / artifact_files.ITEMS,
        schemas.ITEMS,
        item=range(n_items),
        item_id=item_id,
        title=item_id,
        text=[""] * n_items,
        category=[None] * n_items,
        price=[None] * n_items,
        published=[None] * n_items,
        has_text=[True] * n_items,
    )
    user = np.array([e.user for e in events], dtype=np.int32)
    _write(
        path / artifact_files.TIMELINES,
        schemas.TIMELINES,
        user=user,
        item=[e.item for e in events],
        time=[None if e.day is None else round(e.day * DAY) for e in events],
        event=[e.event for e in events],
        value=[None] * len(events),
        intensity=[e.intensity for e in events],
        split=[e.split for e in events],
        position=np.arange(len(events)) - np.searchsorted(user, user),
    )
    _write(
        path / artifact_files.IMPRESSIONS,
        schemas.IMPRESSIONS,
        impression=range(len(impressions)),
        impression_id=[f"m{n}" for n in range(len(impressions))],
        user=[m.user for m in impressions],
        time=[None if m.day is None else round(m.day * DAY) for m in impressions],
        split=[m.split for m in impressions],
        history_start=[m.history[0] for m in impressions],
        history_end=[m.history[1] for m in impressions],
    )
    shown = [(n, item, label) for n, m in enumerate(impressions) for item, label in m.candidates]
    columns = [list(column) for column in zip(*shown, strict=True)]
    names = ("impression", "item", "label")
    _write(path / artifact_files.CANDIDATES, schemas.CANDIDATES, **dict(zip(names, columns, strict=True)))
    files.write_json(path / artifact_files.QUALITY, {"rules": [{"rule": "duplicates", "rows_in": 9, "rows_out": 8}]})
    return path


def write_event_log(path: Path, n_users: int, n_items: int, events: list[Event]) -> Path:
    """A corpus whose every event is an impression of one candidate, known by what came strictly before."""
    events = sorted(events, key=lambda e: (e.user, e.day))
    impressions = []
    for user in range(n_users):
        mine = [e for e in events if e.user == user]
        for e in mine:
            before = sum(other.day < e.day for other in mine)
            impressions.append(Impression(user, e.split, (0, before), [(e.item, e.intensity)], e.day))
    return write_corpus(path, n_users, n_items, events, impressions)


def _write(path: Path, schema: pa.Schema, **columns: Sequence[object]) -> None:
    arrays = {}
    for name, values in columns.items():
        kind = schema.field(name).type
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        arrays[name] = pa.array(list(values), type=plain)
    files.write_parquet(path, pa.table(arrays), schema)
