"""The tables of a raw log.

`items`        item_id, title, text, category VARCHAR; price DOUBLE; published TIMESTAMP; ord BIGINT;
               `event_ord` BIGINT, the row of `events` that described the item, null in a table of items;
               attributes VARCHAR[] in the order of `RawLog.item_attributes`, null where unknown; a list is JSON
`events`       user_id, item_id VARCHAR; time TIMESTAMP; event VARCHAR; value DOUBLE; ord BIGINT
`users`        user_id VARCHAR; attributes VARCHAR[] in the order of `RawLog.user_attributes`, null where unknown;
               ord BIGINT
`segments`     segment BIGINT; user_id VARCHAR; items INTEGER[]; times TIMESTAMP[]; amounts DOUBLE[]: logged
               histories, oldest entry first; the last two are null where the log does not have them
`impressions`  impression_id, user_id VARCHAR; time TIMESTAMP; split; shown INTEGER[];
               labels UTINYINT[]; ord BIGINT. Only logs of impressions fill it.
`impression_segments` ord BIGINT of an impression, segment BIGINT: its logged history, where it has one
`clicks`       ord BIGINT of the impression; item INTEGER; place INTEGER among the items shown; amount DOUBLE
`bad_rows`     source VARCHAR, row BIGINT; reason VARCHAR, in which `{value}` stands for value VARCHAR, the raw value
               at fault

`ord` numbers the rows of all files in their order; `RawLog.place` converts it to file and row. Where a record of a file
holds several rows, its number is multiplied by `unit`, which leaves room for them. Items in lists are codes of
`item_codes`, so that a list of a hundred ids takes four hundred bytes and one hash look-up per entry.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from interestrec.core.deferred_import import duckdb

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Times are read and stored in UTC, whatever the time zone of the machine.
_SETTINGS = (
    "SET TimeZone = 'UTC'; SET preserve_insertion_order = true; "
    "SET allocator_background_threads = false; SET wal_autocheckpoint = '512MB'; "
    "PRAGMA disable_checkpoint_on_shutdown;"
)

_TABLES = """
CREATE TYPE split_name AS ENUM ('train', 'valid', 'test');
CREATE TABLE items (item_id VARCHAR, title VARCHAR, text VARCHAR, category VARCHAR, price DOUBLE,
    published TIMESTAMP, ord BIGINT, event_ord BIGINT, attributes VARCHAR[]);
CREATE TABLE events (user_id VARCHAR, item_id VARCHAR, time TIMESTAMP, event VARCHAR, value DOUBLE, ord BIGINT);
CREATE TABLE users (user_id VARCHAR, attributes VARCHAR[], ord BIGINT);
CREATE TABLE segments (segment BIGINT, user_id VARCHAR, items INTEGER[], times TIMESTAMP[], amounts DOUBLE[]);
CREATE TABLE impressions (impression_id VARCHAR, user_id VARCHAR, time TIMESTAMP, split split_name,
    shown INTEGER[], labels UTINYINT[], ord BIGINT);
CREATE TABLE impression_segments (ord BIGINT, segment BIGINT);
CREATE TABLE clicks (ord BIGINT, item INTEGER, place INTEGER, amount DOUBLE);
CREATE TABLE bad_rows (source VARCHAR, row BIGINT, reason VARCHAR, value VARCHAR);
CREATE TABLE sources (source VARCHAR, base BIGINT, unit BIGINT);
"""


def open_database(directory: Path | None, memory: float | None, threads: int | None) -> DuckDBPyConnection:
    """Return a new database with empty tables; arguments are those of RawLog."""
    config: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    if memory is not None:
        config["memory_limit"] = f"{memory:g}GiB"
    if threads is not None:
        config["threads"] = threads
    config["temp_directory"] = "" if directory is None else str(directory / "spill")
    # A database in a file holds its tables compressed, and drops from memory what the file has. Without a file,
    # every pass over tables that exceed the memory writes and reads them as they are. Its name is new, because
    # within a process DuckDB hands out a database of the same name again until nothing refers to it.
    place = ":memory:" if directory is None else str(directory / f"{uuid4().hex}.duckdb")
    db = duckdb.connect(place, config=config)
    if db.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (True,):
        # In a notebook without ipywidgets it is off, and even to turn it off is refused.
        db.execute("SET enable_progress_bar = false")
    db.execute(_SETTINGS + _TABLES)
    return db
