"""Columns of the portable tables as text files hold them, and the copy of a table to such a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from interestrec.conversion.target_layout import Destination
from interestrec.corpus.user_attributes import attribute_type
from interestrec.io.schemas import SPLITS
from interestrec.rawfiles.column_names import identifier
from interestrec.rawfiles.raw_log import RawLog, sql_string


@dataclass(frozen=True)
class TextColumn:
    """A column of a text file."""

    name: str
    expression: str  # SQL over the columns of a portable table
    kind: str  # token: an id or a word; token_seq: a text; float: a number


def event_columns(log: RawLog) -> list[TextColumn]:
    """Return the columns of events that have values: `rating` is the measured value; `event` only if types differ."""
    columns = [TextColumn("user_id", "user_id", "token"), TextColumn("item_id", "item_id", "token")]
    optional = [
        TextColumn("rating", "value", "float"),
        TextColumn("timestamp", _seconds("time"), "float"),
        TextColumn("intensity", "intensity", "float"),
    ]
    columns += [column for column in optional if _is_filled(log, "portable_events", column)]
    if log.number("SELECT count(DISTINCT event) FROM portable_events") > 1:
        columns.append(TextColumn("event", "event", "token"))
    return columns


def item_columns(log: RawLog) -> list[TextColumn]:
    """Return the columns of items that have values; `published` counts seconds since 1970."""
    optional = [
        TextColumn("title", "title", "token_seq"),
        TextColumn("text", "text", "token_seq"),
        TextColumn("category", "category", "token"),
        TextColumn("price", "price", "float"),
        TextColumn("published", _seconds("published"), "float"),
    ]
    filled = [column for column in optional if _is_filled(log, "portable_items", column)]
    return [TextColumn("item_id", "item_id", "token"), *filled]


def user_columns(log: RawLog) -> list[TextColumn]:
    """Return the columns of users: the id and the attributes."""
    kinds = {"DOUBLE": "float", "VARCHAR": "token"}
    attributes = [
        TextColumn(name, f"attributes[{position}]", kinds[attribute_type(log, position)])
        for position, name in enumerate(log.user_attributes, 1)
    ]
    return [TextColumn("user_id", "user_id", "token"), *attributes]


def _seconds(column: str) -> str:
    """Return the SQL of a time as seconds since 1970, with a fraction only where there is one."""
    whole = f"CAST(epoch_us({column}) // 1000000 AS VARCHAR)"
    parted = f"rtrim(format('{{:.6f}}', epoch_us({column}) / 1e6), '0')"
    return f"CASE WHEN epoch_us({column}) % 1000000 = 0 THEN {whole} ELSE {parted} END"


def _is_filled(log: RawLog, table: str, column: TextColumn) -> bool:
    return bool(log.sql(f"SELECT 1 FROM {table} WHERE CAST({column.expression} AS VARCHAR) <> '' LIMIT 1"))


def event_files(destination: Destination) -> Iterator[tuple[str, str]]:
    """Yield the part of a file's name that tells its split, and the SQL condition of its events."""
    if not destination.by_split:
        yield "", "true"
        return
    for split in SPLITS:
        yield f".{split}", f"split = {sql_string(split)}"


def copy_rows(log: RawLog, path: Path, columns: Sequence[TextColumn], relation: str, order: str, options: str) -> None:
    """Write the rows of a relation to a text file with a header, in order.

    Args:
        options: options of COPY: delimiter and quoting.
    """
    selected = ", ".join(f"{column.expression} AS {identifier(column.name)}" for column in columns)
    log.db.execute(
        f"COPY (SELECT {selected} FROM {relation} ORDER BY {order}) TO {sql_string(str(path))} "
        f"(FORMAT csv, HEADER, {options})"
    )
