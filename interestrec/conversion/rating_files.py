"""Ratings as LensKit and MovieLens have them: `ratings.csv` (user, item, rating, timestamp), `items.csv`, `users.csv`.

With a split: `ratings.train.csv`, `ratings.valid.csv` and `ratings.test.csv`. Fields are quoted where they need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from interestrec.conversion.target_layout import Destination
from interestrec.conversion.text_tables import (
    TextColumn,
    copy_rows,
    event_columns,
    event_files,
    item_columns,
    user_columns,
)
from interestrec.rawfiles.raw_log import RawLog

_NAMES = {"user_id": "user", "item_id": "item"}  # LensKit's names


def write_lenskit(log: RawLog, destination: Destination) -> None:
    """Write the tables as CSV."""
    columns = event_columns(log)
    for infix, condition in event_files(destination):
        _copy(log, destination, f"ratings{infix}.csv", columns, f"portable_events WHERE {condition}", "ord, place")
    _copy(log, destination, "items.csv", item_columns(log), "portable_items", "ord")
    if log.rows("users"):
        _copy(log, destination, "users.csv", user_columns(log), "users", "ord")


def _copy(
    log: RawLog, destination: Destination, file: str, columns: Sequence[TextColumn], relation: str, order: str
) -> None:
    renamed = [replace(column, name=_NAMES.get(column.name, column.name)) for column in columns]
    copy_rows(log, destination.directory / file, renamed, relation, order, "DELIMITER ',', QUOTE '\"'")
