"""OTTO's sessions."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.formats.events import read_preset
from interestrec.formats.otto import OttoData
from interestrec.rawfiles.raw_log import RawLog
from tests.formats.inputs import rows_of


def write(path: Path, sessions: dict[int, list[tuple[int, int, str]]]) -> None:
    lines = [
        {"session": session, "events": [dict(zip(("aid", "ts", "type"), event, strict=True)) for event in events]}
        for session, events in sessions.items()
    ]
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def write_sample(raw: Path, rng: np.random.Generator) -> dict[str, Any]:
    sessions: dict[int, list[tuple[int, int, str]]] = {}
    for user, item, time, _, kind in rows_of(rng):
        event = (int(item[1:]), time * 1_000 + 278, "clicks" if kind == "view" else "orders")
        sessions.setdefault(int(user[1:]), []).append(event)
    write(raw / "otto-recsys-train.jsonl", sessions)
    return {"format": "otto"}


def test_entries_of_sessions_are_events(tmp_path: Path) -> None:
    first = [(1517085, 1659304800025, "clicks"), (1563459, 1659304904511, "carts")]
    write(tmp_path / "otto-recsys-train.jsonl", {0: first, 1: [(1517085, 1659367719997, "orders")], 2: []})
    log = RawLog(tmp_path)
    read_preset(log, OttoData(format="otto", root=tmp_path))
    assert log.sql("SELECT user_id, item_id, time, event FROM events ORDER BY ord") == [
        ("session:0", "1517085", datetime(2022, 7, 31, 22, 0, 0, 25000), "click"),
        ("session:0", "1563459", datetime(2022, 7, 31, 22, 1, 44, 511000), "cart"),
        ("session:1", "1517085", datetime(2022, 8, 1, 15, 28, 39, 997000), "order"),
    ]
    assert log.sql("SELECT DISTINCT item_id, title FROM items ORDER BY item_id") == [
        ("1517085", "1517085"),
        ("1563459", "1563459"),
    ]
    assert log.rows_read == log.rows_kept + log.rows_left_out + log.rows("bad_rows")
