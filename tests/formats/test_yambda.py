"""Yambda's flat Parquet files."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interestrec.formats.events import read_preset
from interestrec.formats.yambda import YambdaData
from interestrec.rawfiles.raw_log import RawLog
from tests.formats.inputs import ITEMS, START, rows_of

FEEDBACK = ["dislike", "unlike", "undislike", "like", "like"]  # by stars
Columns = dict[str, tuple[list[Any], pa.DataType]]


def write(path: Path, columns: Columns) -> None:
    pq.write_table(pa.table({name: pa.array(values, kind) for name, (values, kind) in columns.items()}), path)


def write_events(path: Path, rows: list[tuple[int, int, int, str, int | None]]) -> None:
    user, item, time, kind, played = (list(column) for column in zip(*rows, strict=True))
    columns: Columns = {
        "uid": (user, pa.uint32()),
        "timestamp": (time, pa.uint32()),
        "item_id": (item, pa.uint32()),
        "is_organic": ([1] * len(rows), pa.uint8()),
        "event_type": (kind, pa.dictionary(pa.int32(), pa.string())),
        "played_ratio_pct": (played, pa.uint16()),
        "track_length_seconds": ([None if share is None else 180 for share in played], pa.uint32()),
    }
    write(path, columns)


def write_sample(raw: Path, rng: np.random.Generator) -> dict[str, Any]:
    rows = [
        (100 * int(user[1:]), 5 * int(item[1:]), time - START, "listen", int(stars * 20))
        if kind == "view"
        else (100 * int(user[1:]), 5 * int(item[1:]), time - START, FEEDBACK[int(stars) - 1], None)
        for user, item, time, stars, kind in rows_of(rng)
    ]
    write_events(raw / "multi_event.parquet", rows)
    tracks: Columns = {
        "artist_id": ([7 * (n % 3) for n in range(ITEMS - 1)], pa.uint32()),
        "item_id": ([5 * n for n in range(ITEMS - 1)], pa.uint32()),  # not every track has an artist
    }
    write(raw / "artist_item_mapping.parquet", tracks)
    return {"format": "yambda"}


def test_listens_have_values_and_feedback_has_none(tmp_path: Path) -> None:
    write_events(tmp_path / "multi_event.parquet", [(1, 10, 0, "listen", 95), (1, 20, 5, "undislike", None)])
    write(tmp_path / "artist_item_mapping.parquet", {"artist_id": ([3], pa.uint32()), "item_id": ([10], pa.uint32())})
    log = RawLog(tmp_path)
    read_preset(log, YambdaData(format="yambda", root=tmp_path))
    assert log.sql("SELECT user_id, item_id, time, event, value FROM events ORDER BY ord") == [
        ("1", "10", datetime(1970, 1, 1), "listen", 95.0),
        ("1", "20", datetime(1970, 1, 1, 0, 0, 5), "undislike", None),
    ]
    assert log.sql("SELECT item_id, title, text, category FROM items ORDER BY ord") == [
        ("10", "", "10", None),
        ("20", "", "20", None),
        ("10", "3", "", "3"),
    ]


def test_a_file_of_one_type(tmp_path: Path) -> None:
    likes: Columns = {name: ([1, 2], pa.uint32()) for name in ("uid", "timestamp", "item_id")}
    write(tmp_path / "likes.parquet", likes)
    log = RawLog(tmp_path)
    settings = {"interactions": ["likes.parquet"], "event": "like", "artists": None}
    read_preset(log, YambdaData(format="yambda", root=tmp_path, **settings))
    assert log.sql("SELECT DISTINCT event, value FROM events") == [("like", None)]
