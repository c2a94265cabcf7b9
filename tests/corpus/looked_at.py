"""A corpus small enough to count by hand: 3 users with attributes, 4 items, 8 events, 6 impressions."""

from pathlib import Path

import pyarrow as pa

from interestrec.io import artifact_files, files, schemas
from tests.scoring.corpora import Event, Impression, write_corpus

EVENTS = [
    Event(0, 0, 0, "train", 1.0, "click"),
    Event(0, 1, 1, "train", 0.5, "click"),
    Event(0, 0, 2, "train", 0.7, "view"),
    Event(0, 2, 5, "valid", 0.05, "view"),
    Event(0, 3, 8, "test", 1.0, "click"),
    Event(1, 1, 1, "train", 0.3, "click"),
    Event(1, 1, None, "test", 0.0, "read"),
    Event(2, 2, 6, "valid", 0.7, "read"),
]
IMPRESSIONS = [
    Impression(0, "train", (0, 2), [(1, 0.0), (0, 1.0)], 2),
    Impression(0, "train", (0, 0), [(0, 1.0), (1, 0.5)]),
    Impression(1, "train", (0, 0), [(0, 0.0)]),
    Impression(0, "valid", (0, 3), [(2, None), (0, None)]),
    Impression(1, "test", (0, 1), [(1, 0.4), (3, None)]),
    Impression(0, "test", (1, 4), [(3, None), (2, 0.1), (1, 0.9)], 8),
]
RULES = [
    {"rule": "bad rows", "rows_in": 30, "rows_out": 30, "reason": "malformed rows", "examples": []},
    {"rule": "bursts", "rows_in": 30, "rows_out": 29, "reason": "too soon", "examples": ["log.csv:7", "log.csv:9"]},
    {"rule": "robots", "rows_in": 29, "rows_out": 9, "reason": "too many", "examples": ["u9"]},
]


def write_looked_at(path: Path) -> Path:
    """The corpus, its last impression under the id of its first, one item with every attribute, one with none."""
    write_corpus(path, 3, 4, EVENTS, IMPRESSIONS)
    shown = files.read_parquet(path / artifact_files.IMPRESSIONS, schemas.IMPRESSIONS)
    ids = pa.array(["m0", "m1", "m2", "m3", "m4", "m0"])
    shown = shown.set_column(shown.column_names.index("impression_id"), "impression_id", ids)
    files.write_parquet(path / artifact_files.IMPRESSIONS, shown, schemas.IMPRESSIONS)
    users = files.read_parquet(path / artifact_files.USERS, schemas.USERS)
    users = users.append_column("gender", pa.array(["F", "M\x1b[31m", "F"])).append_column(
        "age", pa.array([31, None, 7.5])
    )
    kinds = {"gender": pa.string(), "age": pa.float64()}
    files.write_parquet(path / artifact_files.USERS, users, schemas.with_attributes(schemas.USERS, kinds))
    items = {
        "item": pa.array(range(4), pa.int32()),
        "item_id": ["i0", "i1", "i2", "i3"],
        "title": ["Steel bottle", "Rain jacket", "Tea\x1b[31m", ""],
        "text": ["Keeps tea warm", "", "", ""],
        "category": ["kitchen", "outdoor", None, None],
        "price": [12.5, None, None, None],
        "published": pa.array([86_400_000_000, None, None, None], pa.timestamp("us", tz="UTC")),
        "has_text": [True, True, True, False],
    }
    files.write_parquet(path / artifact_files.ITEMS, pa.table(items), schemas.ITEMS)
    tokens = {
        "item": pa.array(range(4), pa.int32()),
        "title_tokens": [[7, 8], [7, 8], [7], []],
        "text_tokens": [[7, 8, 9], [], [], []],
    }
    (path / artifact_files.FEATURES).mkdir()
    files.write_parquet(path / artifact_files.FEATURES / "text-0.parquet", pa.table(tokens), schemas.TEXT_FEATURES)
    maps = {"read": {"map": "quantile", "knots": [float(n) for n in range(9)], "shares": [0.5], "missing": None}}
    files.write_json(path / artifact_files.QUALITY, {"rules": RULES, "value_maps": maps})
    return path
