"""Logs made of Python rows, as a reader would leave them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from interestrec.core.raw_log import Log
from interestrec.corpus.build import Plan, Tables


def moment(seconds: float | None) -> datetime | None:
    """A time of the log from seconds since 1970."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def event_log(events: Sequence[tuple], items: str | None = None) -> Log:
    """Events (user, item, seconds or None[, type[, value]]); items are the letters given, else all that occur."""
    log = Log()
    for row, (user, item, seconds, *more) in enumerate(events, 1):
        kind, value = [*more, "view", None][:2] if len(more) != 1 else [more[0], None]
        values = [user, item, moment(seconds), kind, value, None, row, "e.csv", row]
        log.db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    add_items(log, items if items is not None else sorted({event[1] for event in events}))
    return log


def impression_log(impressions: Sequence[tuple], items: str) -> Log:
    """Impressions (id, user, seconds or None, split, history, shown), the last two like "a b" and "a-1 b-0"."""
    log = Log()
    for row, (name, user, seconds, split, history, shown) in enumerate(impressions, 1):
        pairs = [candidate.split("-") for candidate in shown.split()]
        ids, labels = [item for item, _ in pairs], [float(label) for _, label in pairs]
        values = [name, user, moment(seconds), split, history.split(), ids, labels, row, "b.tsv", row]
        log.db.execute("INSERT INTO impressions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        for item in [item for item, label in zip(ids, labels, strict=True) if label]:
            number = log.rows("events") + 1
            event = [user, item, moment(seconds), "click", None, split, number, "b.tsv", row]
            log.db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", event)
    add_items(log, items)
    return log


def add_items(log: Log, items: Sequence[str]) -> None:
    for number, item in enumerate(items, 1):
        values = [item, f"title of {item}", "", None, None, None, number, None]
        log.db.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def plan(**changes: Any) -> Plan:
    usual: dict[str, Any] = {
        "relevant_at": None,
        "max_bad_rows": 0,
        "drop_duplicates": True,
        "weights": {},
        "limits": None,
        "method": "global_time",
        "valid": 0.2,
        "test": 0.2,
        "valid_from": None,
        "seed": 1,
    }
    return Plan(**{**usual, **changes})


def rule(log: Log, name: str) -> dict[str, Any]:
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
