"""Logs made of Python rows, as a reader would leave them, and what is built of them, by string ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.corpus.build import build
from interestrec.corpus.event_codes import code_events
from interestrec.corpus.preprocess_settings import (
    IntensitySettings,
    PreprocessSettings,
    SplitSettings,
    ValueMapSettings,
)
from interestrec.formats.data_settings import DataSettings
from interestrec.formats.impression_lists import (
    ItemCoder,
    add_impressions,
    count_one_class,
    settle_histories,
    stage_histories,
)
from interestrec.formats.item_codes import code_items
from interestrec.io import artifact_files, files, schemas
from interestrec.rawfiles.raw_log import RawLog

_EVENTS = pa.schema(
    {
        "user_id": pa.string(),
        "item_id": pa.string(),
        "time": pa.timestamp("us"),
        "event": pa.string(),
        "value": pa.float64(),
        "ord": pa.int64(),
    }
)
_SPLIT = {"T": "train", "V": "valid", "E": "test"}


@dataclass(frozen=True)
class Tables:
    """All that `build` made, as tables."""

    items: pa.Table
    users: pa.Table
    timelines: pa.Table
    impressions: pa.Table
    candidates: pa.Table
    counts: dict[str, Any]
    value_maps: dict[str, Any]


def moment(seconds: float | None) -> datetime | None:
    """A time of the log from seconds since 1970."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def event_log(events: Sequence[tuple], items: Sequence[str] | Mapping[str, str] | None = None) -> RawLog:
    """Events (user, item, seconds or None[, type[, value]]); items as of `add_items`, else all that occur."""
    log = RawLog()
    base = log.start_file(Path("e.csv"))
    rows = []
    for row, (user, item, seconds, *more) in enumerate(events, 1):
        kind, value = [*more, "view", None][:2] if len(more) != 1 else [more[0], None]
        values = user, item, moment(seconds), kind, value, base + row
        rows.append(dict(zip(_EVENTS.names, values, strict=True)))
    log.insert("events", pa.Table.from_pylist(rows, _EVENTS))
    log.advance_to(base + len(events))
    add_items(log, items if items is not None else sorted({event[1] for event in events}))
    return log


def impression_log(impressions: Sequence[tuple], items: str) -> RawLog:
    """Impressions (id, user, seconds or None, split, history, shown), the last two like "a b" and "a-1 b-0"."""
    log = RawLog()
    add_items(log, items)
    code_items(log)
    coder = ItemCoder(log)
    stage_histories(log)
    base = log.start_file(Path("b.tsv"))
    words = pa.list_(pa.string())
    for row, (name, user, seconds, split, history, shown) in enumerate(impressions, 1):
        pairs = [candidate.split("-") for candidate in shown.split()]
        about = {
            "impression_id": [name],
            "user_id": [user],
            "time": pa.array([moment(seconds)], pa.timestamp("us")),
            "ord": pa.array([base + row], pa.int64()),
        }
        clicked = np.array([int(label) for _, label in pairs], np.uint8)
        ids, read = (coder.look_up(pa.array([each], words)) for each in ([i for i, _ in pairs], history.split()))
        add_impressions(coder, pa.table(about), ids, clicked, None, read, split)
    log.advance_to(base + len(impressions))
    coder.report()
    settle_histories(log)
    count_one_class(log)
    return log


def add_items(log: RawLog, items: Sequence[str] | Mapping[str, str]) -> None:
    """Items by id, with a title and no text; a mapping tells the texts of items without a title."""
    base = log.start_file(Path("i.csv"))
    for row, item in enumerate(items, 1):
        words = ["", items[item]] if isinstance(items, Mapping) else [f"title of {item}", ""]
        values = [item, *words, None, None, None, base + row, None]
        log.db.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", values)
    log.advance_to(base + len(items))


def coded(log: RawLog, splits: str | None = None, merge: bool = False) -> RawLog:
    """The log with codes for ids; `splits` gives the events theirs by letters such as "TTVE", in the order of rows."""
    log.merge_items = merge
    code_events(log)
    for order, letter in zip(log.sql("SELECT ord FROM events ORDER BY ord"), splits or "", strict=splits is not None):
        log.db.execute("UPDATE events SET split = ? WHERE ord = ?", [_SPLIT[letter], order[0]])
    return log


def rows_of(log: RawLog, columns: str) -> list[tuple]:
    """Coded events with the columns user_id, item_id (the first of merged ones) and row, in the order of rows."""
    return log.sql(
        f"SELECT {columns} FROM (SELECT e.*, user_id, item_id, ord - base AS row FROM events e "
        'JOIN user_codes USING ("user") JOIN (SELECT item, min(item_id) AS item_id FROM item_codes GROUP BY item) '
        "USING (item) ASOF JOIN sources ON e.ord > base) ORDER BY ord, place"
    )


def listed(log: RawLog, codes: Sequence[int]) -> str:
    """A list of item codes as the ids, joined."""
    names = {item: name for name, item in log.sql("SELECT item_id, item FROM item_codes ORDER BY item_id DESC")}
    return "".join(names[code] for code in codes)


def grading(**changes: Any) -> IntensitySettings:
    return IntensitySettings(**changes)


def value_map(name: str, **parameters: Any) -> ValueMapSettings:
    return ValueMapSettings(map=name, **parameters)


def stars(missing: float | None = None) -> ValueMapSettings:
    """One to five become 0 to 1."""
    return value_map("linear", low=1.0, high=5.0, missing=missing)


class NoFilesSettings(DataSettings):
    """The keys of `data` that all formats share, for logs that no file holds."""

    @property
    def names(self) -> list[str]:
        return []


@dataclass(frozen=True)
class Plan:
    """The settings that `build` takes."""

    data: DataSettings
    preprocess: PreprocessSettings


def plan(**changes: Any) -> Plan:
    """Settings with short names for those of the split, of `data` and of sections."""
    usual: dict[str, Any] = {"method": "global_time", "valid": 0.2, "test": 0.2, "window": 1}
    split = {key: changes.pop(key, usual.get(key)) for key in ("method", "valid", "test", "window", "valid_from")}
    if split["method"] == "none":
        split["verified"] = "elsewhere"
    data = NoFilesSettings(relevant_at=changes.pop("relevant_at", None))
    if "grading" in changes:
        changes["intensity"] = changes.pop("grading")
    return Plan(data, PreprocessSettings(split=SplitSettings(**split), **changes))


def built(log: RawLog, chosen: Plan) -> Tables:
    """What `build` writes."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        log.merge_items = chosen.preprocess.near_duplicate_items == "merge"
        made = build(log, chosen.data, chosen.preprocess, 1, directory)
        tables = {
            "users": files.read_parquet(directory / artifact_files.USERS, schemas.USERS),
            "timelines": files.read_parquet(directory / artifact_files.TIMELINES, schemas.TIMELINES),
            "impressions": files.read_parquet(directory / artifact_files.IMPRESSIONS, schemas.IMPRESSIONS),
            "candidates": files.read_parquet(directory / artifact_files.CANDIDATES, schemas.CANDIDATES),
        }
        tables = {key: pa.table(table.to_pydict(), table.schema) for key, table in tables.items()}
    return Tables(items=made.items, **tables, counts=made.counts, value_maps=made.value_maps)


def rule(log: RawLog, name: str) -> dict[str, Any]:
    return next(entry for entry in log.quality.rules if entry["rule"] == name)


def column(table: pa.Table, name: str) -> list:
    return table[name].to_pylist()


def by_name(tables: Tables) -> dict[str, list[tuple]]:
    """Timelines and impressions by the ids of users and items; each impression with the items of its history."""
    user, item = column(tables.users, "user_id"), column(tables.items, "item_id")
    timeline = [
        (user[r["user"]], item[r["item"]], r["time"], r["event"], round(r["intensity"], 6), r["split"])
        for r in tables.timelines.to_pylist()
    ]
    first: dict[int, int] = {}
    for position, number in enumerate(column(tables.timelines, "user")):
        first.setdefault(number, position)
    shown: dict[int, list[tuple]] = {}
    for r in tables.candidates.to_pylist():
        shown.setdefault(r["impression"], []).append((item[r["item"]], r["label"]))
    impressions = []
    for r in tables.impressions.to_pylist():
        start = first.get(r["user"], 0)
        history = timeline[start + r["history_start"] : start + r["history_end"]]
        read = "".join(entry[1] for entry in history)
        impressions.append((user[r["user"]], r["split"], read, tuple(shown.get(r["impression"], []))))
    return {"timeline": timeline, "impressions": impressions}
