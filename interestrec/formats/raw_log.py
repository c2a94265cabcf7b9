"""What a reader leaves in the database, whatever the format of the files was.

A reader fills these tables and counts what it leaves out; the corpus is built from them alone.

`items`        item_id, title, text, category VARCHAR; price DOUBLE; published TIMESTAMP; ord BIGINT;
               and `event_ord` BIGINT, the row of `events` that a description came with, null in a table of items
`events`       user_id, item_id VARCHAR; time TIMESTAMP; event VARCHAR; value DOUBLE; ord BIGINT
`users`        user_id VARCHAR; attributes VARCHAR[] in the order of `Log.user_attributes`, null where unknown;
               ord BIGINT
`segments`     segment BIGINT; user_id VARCHAR; items INTEGER[]; times TIMESTAMP[]; amounts DOUBLE[]: histories that a
               log states, oldest entry first; the last two are null where the log does not tell them
`impressions`  impression_id, user_id VARCHAR; time TIMESTAMP; split; shown INTEGER[];
               labels UTINYINT[]; ord BIGINT. Only logs that record what was shown have it.
`stated`       ord BIGINT of an impression, segment BIGINT: the history that it states, where it states one
`clicks`       ord BIGINT of the impression; item INTEGER; place INTEGER among the shown; amount DOUBLE
`bad_rows`     source VARCHAR, row BIGINT, reason VARCHAR

`ord` numbers the rows of all files in their order: `place` turns it into file and row. Items in lists are codes of
`item_codes`, so that a list of a hundred ids takes four hundred bytes and resolving it is one hash look-up each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from interestrec.core.errors import DataError
from interestrec.io.pseudonyms import redact_quotations

EXAMPLES = 3  # shown of the rows that a rule leaves out
_LONGEST = 300  # characters of a reason that are shown
# Times are read and kept in UTC whatever zone the machine is in.
_SETTINGS = (
    "SET TimeZone = 'UTC'; SET preserve_insertion_order = true; SET enable_progress_bar = false; "
    "SET allocator_background_threads = false;"
)

TABLES = """
CREATE TYPE split_name AS ENUM ('train', 'valid', 'test');
CREATE TABLE items (item_id VARCHAR, title VARCHAR, text VARCHAR, category VARCHAR, price DOUBLE,
    published TIMESTAMP, ord BIGINT, event_ord BIGINT);
CREATE TABLE events (user_id VARCHAR, item_id VARCHAR, time TIMESTAMP, event VARCHAR, value DOUBLE, ord BIGINT);
CREATE TABLE users (user_id VARCHAR, attributes VARCHAR[], ord BIGINT);
CREATE TABLE segments (segment BIGINT, user_id VARCHAR, items INTEGER[], times TIMESTAMP[], amounts DOUBLE[]);
CREATE TABLE impressions (impression_id VARCHAR, user_id VARCHAR, time TIMESTAMP, split split_name,
    shown INTEGER[], labels UTINYINT[], ord BIGINT);
CREATE TABLE stated (ord BIGINT, segment BIGINT);
CREATE TABLE clicks (ord BIGINT, item INTEGER, place INTEGER, amount DOUBLE);
CREATE TABLE bad_rows (source VARCHAR, row BIGINT, reason VARCHAR);
CREATE TABLE sources (source VARCHAR, base BIGINT);
"""


def _one_line(reason: str) -> str:
    """A reason as part of a message: what it quotes of a file may be long and have ends of line."""
    text = " ".join(reason.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"


def quoted(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


@dataclass
class QualityLog:
    """Every cleaning rule with its counts: the content of `quality.json`."""

    root: Path = Path()  # left out of the examples: where the data is says nothing about what it is
    quotes: bool = True  # whether examples may show what stands in the files, and not only where
    rules: list[dict[str, Any]] = field(default_factory=list)

    def count(
        self,
        rule: str,
        rows_in: int,
        rows_out: int,
        reason: str,
        examples: Sequence[str] = (),
        places: Sequence[str] = (),
    ) -> None:
        """Record a rule; rules that changed nothing are recorded too.

        Counts of one rule and reason add up, as when a file is read in blocks.

        Args:
            examples: what was left out.
            places: `file:row` of what was left out, instead.
        """
        shown = [place.removeprefix(f"{self.root}/") for place in [*(examples if self.quotes else ()), *places]]
        entry = next((e for e in self.rules if (e["rule"], e["reason"]) == (rule, reason)), None)
        if entry is None:
            entry = {"rule": rule, "rows_in": 0, "rows_out": 0, "reason": reason, "examples": []}
            self.rules.append(entry)
        entry["rows_in"] += rows_in
        entry["rows_out"] += rows_out
        entry["examples"] = [*entry["examples"], *shown][:EXAMPLES]


class RawLog:
    """The database that a reader fills, and the counts of what was left out.

    Args:
        root: the directory that the raw files are under.
        directory: where what does not fit into memory is kept; None = all must fit into memory.
        memory: most GiB that the database takes.
        threads: None = all cores.
        sample: rows taken of each file; None = all.
        quotes: whether messages and examples may quote what stands in the files.
    """

    def __init__(
        self,
        root: Path = Path(),
        directory: Path | None = None,
        memory: float | None = None,
        threads: int | None = None,
        sample: int | None = None,
        quotes: bool = True,
    ) -> None:
        config: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
        if memory is not None:
            config["memory_limit"] = f"{memory:g}GiB"
        if threads is not None:
            config["threads"] = threads
        config["temp_directory"] = "" if directory is None else str(directory / "spill")
        self.db = duckdb.connect(config=config)
        self.db.execute(_SETTINGS + TABLES)
        self.quality = QualityLog(root, quotes)
        self.sample = sample
        self.user_attributes: list[str] = []  # names of the attributes in `users`
        self.rows_read = 0  # records met in the raw files, malformed ones included
        self._end = 0  # the greatest `ord` given out

    def close(self) -> None:
        """Let go of the database."""
        self.db.close()

    def sql(self, query: str, parameters: list[Any] | None = None) -> list[tuple]:
        """Run statements; the rows of the last."""
        return self.db.execute(query, parameters).fetchall()

    def number(self, query: str, parameters: list[Any] | None = None) -> int:
        """The single integer that a query gives; 0 for null."""
        return int(self.sql(query, parameters)[0][0] or 0)

    def table(self, query: str) -> pa.Table:
        """The result of a query as an Arrow table."""
        return self.db.sql(query).to_arrow_table()

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        return self.number(f"SELECT count(*) FROM {table}")

    def insert(self, table: str, rows: pa.Table, columns: str = "*") -> None:
        """Append an Arrow table; `columns` is SQL over its columns in the order of the target's."""
        self.db.register("arrived", rows)
        self.db.execute(f"INSERT INTO {table} SELECT {columns} FROM arrived")
        self.db.unregister("arrived")

    def load(self, table: str, rows: pa.Table) -> None:
        """Make a temporary table of an Arrow table, in place of one of the same name."""
        self.db.register("arrived", rows)
        self.db.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS FROM arrived")
        self.db.unregister("arrived")

    def remake(self, table: str, query: str, parameters: list[Any] | None = None) -> None:
        """Replace a table by what a query over it gives: for great tables far cheaper than an update in place."""
        self.db.execute(f"CREATE TABLE remade AS {query}", parameters)
        self.db.execute(f"DROP TABLE {table}; ALTER TABLE remade RENAME TO {table}")

    def begin(self, path: Path) -> int:
        """Start a file: its row r has the `ord` base + r; returns the base."""
        self.db.execute("INSERT INTO sources VALUES (?, ?)", [str(path), self._end])
        return self._end

    def reached(self, order: int) -> None:
        """Tell the greatest `ord` used, so that the next file's begin after it."""
        self._end = max(self._end, order)

    def latest(self) -> str:
        """The file begun last."""
        found = self.sql("SELECT source FROM sources ORDER BY rowid DESC LIMIT 1")
        return str(found[0][0] if found else self.quality.root)

    def place(self, order: int) -> str:
        """`file:row` of an `ord`."""
        source, base = self.sql(
            "SELECT source, base FROM sources WHERE base < ? ORDER BY base DESC, rowid DESC LIMIT 1", [order]
        )[0]
        return f"{source}:{order - base}"

    def places(self, orders: Sequence[int]) -> list[str]:
        """`file:row` of each."""
        return [self.place(order) for order in orders]

    def drop(self, rule: str, table: str, condition: str, reason: str, example: str | None = None) -> int:
        """Delete the rows of a table that meet a condition, counted under a rule; how many there were.

        Args:
            condition: SQL over the table's columns; null counts as not met.
            example: SQL expression that shows a row to a person; file and row when None.
        """
        before = self.rows(table)
        shown = self.sql(f"SELECT {example or 'ord'} FROM {table} WHERE {condition} ORDER BY ord LIMIT {EXAMPLES}")
        if shown:
            self.db.execute(f"DELETE FROM {table} WHERE {condition}")
        after = self.rows(table) if shown else before
        if example:
            self.quality.count(rule, before, after, reason, [str(row[0]) for row in shown])
        else:
            self.quality.count(rule, before, after, reason, places=self.places([row[0] for row in shown]))
        return before - after

    def count_without_id(self, kind: str, path: Path, table: str, missing: str) -> None:
        """Count the rows of a table (with `_row`) for which the SQL `missing` holds: they describe no item or user."""
        rows = self.rows(table)
        lacking = self.sql(f"SELECT count(*), min(_row, {EXAMPLES}) FROM {table} WHERE {missing}")[0]
        places = [f"{path}:{row}" for row in lacking[1] or []]
        reason = f"the {kind}'s id is empty"
        self.quality.count(f"{kind}s without an id", rows, rows - lacking[0], reason, places=places)

    def _told(self, reason: str) -> str:
        """Why a row is malformed, as part of a message."""
        return _one_line(reason if self.quality.quotes else redact_quotations(reason))

    def settle_bad_rows(self, tolerated: int) -> None:
        """Count the rows found malformed so far.

        Raises:
            DataError: there are more than are tolerated; the message names the first.
        """
        count = self.rows("bad_rows")
        bad = self.sql(f"SELECT source, row, reason FROM bad_rows ORDER BY source, row, reason LIMIT {EXAMPLES}")
        if count > tolerated:
            source, row, reason = bad[0]
            raise DataError(
                f"{source}:{row}: {self._told(reason)}; {count} such row(s), data.max_bad_rows allows {tolerated}: "
                "correct the file or raise the limit"
            )
        places = [f"{source}:{row}: {self._told(reason)}" for source, row, reason in bad]
        self.quality.count("bad rows", self.rows_read, self.rows_read - count, "malformed rows", places=places)
