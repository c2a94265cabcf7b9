"""The raw log: what every reader fills, whatever the format of its files.

A reader fills the tables of `log_tables.py` and counts the rows that it leaves out; the corpus is built from the tables
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from interestrec.core.deferred_import import pa, pc
from interestrec.core.errors import DataError
from interestrec.rawfiles.file_ranges import FileRange, ParsedRange
from interestrec.rawfiles.log_tables import open_database
from interestrec.rawfiles.quality_log import EXAMPLES, QualityLog, one_line
from interestrec.rawfiles.text_layout import TextLayout

COUNT = "{count}"  # placeholder for a number in the reason of a malformed row

# Takes files, the columns to read, and their layout.
DivideFiles = Callable[[Sequence[Path], Sequence[str], TextLayout], Mapping[str, Sequence[ParsedRange]]]


def sql_string(text: str) -> str:
    """Return a text as a string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


class RawLog:
    """The database that a reader fills, and the counts of the rows that it leaves out.

    Args:
        root: directory of the raw files.
        directory: directory of the database's files; None = all data must fit into memory.
        memory: maximum memory of the database in GiB; None = the default of DuckDB.
        threads: number of threads; None = one per core.
        sample: number of rows read per file; None = all.
        quotes: whether messages and examples may quote raw values.
        merge_items: whether `code_items` merges items that have the same words.
    """

    def __init__(
        self,
        root: Path = Path(),
        directory: Path | None = None,
        memory: float | None = None,
        threads: int | None = None,
        sample: int | None = None,
        quotes: bool = True,
        merge_items: bool = False,
    ) -> None:
        self.db = open_database(directory, memory, threads)
        self.quality = QualityLog(root, quotes)
        self.sample = sample
        self.is_cut = False  # whether a file has, or may have, more rows than the sample
        self.merge_items = merge_items
        self.user_attributes: list[str] = []  # names of the attributes in `users`, in order
        self.item_attributes: list[str] = []  # names of the attributes in `items`, in order
        self.rows_read = 0  # records in the raw files, malformed ones included
        self.rows_kept = 0  # records handed over, or joined to records handed over
        self.rows_left_out = 0  # records counted under a rule, without malformed ones
        self.source = str(root)  # the current file
        self.current_relation = ""  # SQL that the view `raw` selects
        self.base = 0  # `ord` of a row of the current file minus its row number
        self.part: FileRange | None = None  # range of the file to read; None = the whole
        self.lines = 0  # lines of the range, empty ones included
        self.divide: DivideFiles | None = None  # lets other processes parse ranges of files; None = there are none
        self.ranges: dict[str, Sequence[ParsedRange]] = {}  # what they have parsed, by `range_key`
        self.unit = 1  # row numbers of the current file from one record to the next
        self._end = 0  # the greatest `ord` in use

    def close(self) -> None:
        """Close the database and free its memory."""
        self.db.close()

    def sql(self, query: str, parameters: list[Any] | None = None) -> list[tuple]:
        """Run statements and return the rows of the last one."""
        return self.db.execute(query, parameters).fetchall()

    def number(self, query: str, parameters: list[Any] | None = None) -> int:
        """Return the single integer that a query selects; 0 for null."""
        return int(self.sql(query, parameters)[0][0] or 0)

    def table(self, query: str) -> pa.Table:
        """Return the result of a query as an Arrow table."""
        return self.db.sql(query).to_arrow_table()

    def rows(self, table: str) -> int:
        """Return the number of rows of a table."""
        return self.number(f"SELECT count(*) FROM {table}")

    def insert(self, table: str, rows: pa.Table, columns: str = "*") -> None:
        """Append an Arrow table; `columns` is SQL over its columns, in the order of the target's columns."""
        self.db.register("incoming", rows)
        self.db.execute(f"INSERT INTO {table} SELECT {columns} FROM incoming")
        self.db.unregister("incoming")

    def load(self, table: str, rows: pa.Table) -> None:
        """Create or replace a temporary table with the rows of an Arrow table."""
        self.db.register("incoming", rows)
        self.db.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS FROM incoming")
        self.db.unregister("incoming")

    def replace_table(self, table: str, query: str, parameters: list[Any] | None = None) -> None:
        """Replace a table by the result of a query; for large tables that is far cheaper than an update in place."""
        self.db.execute(f"CREATE TABLE replacement AS {query}", parameters)
        self.db.execute(f"DROP TABLE {table}; ALTER TABLE replacement RENAME TO {table}")

    def start_file(self, path: Path, unit: int = 1) -> int:
        """Start a file and return its base: row r of the file has the `ord` base + r.

        Args:
            unit: row numbers from one record of the file to the next.
        """
        self.source, self.base, self.unit = str(path), self._end, unit
        self.db.execute("INSERT INTO sources VALUES (?, ?, ?)", [self.source, self.base, unit])
        return self.base

    def return_to(self, path: Path, base: int) -> None:
        """Make a file that was started before the current one again."""
        self.source, self.base = str(path), base
        self.unit = self.number("SELECT unit FROM sources WHERE source = ? AND base = ?", [self.source, base])

    def advance_to(self, row: int) -> None:
        """Record that the current file has a row of this number; `ord` of the next file begins after its last one."""
        self._end = max(self._end, self.base + row)

    def orders(self, rows: pa.Array) -> pa.Array:
        """Return the `ord` of rows of the current file, int64, for their numbers in the file."""
        return pc.add(rows, self.base)

    def add_items(
        self,
        relation: str,
        *,
        item_id: str,
        title: str = "''",
        text: str = "''",
        category: str = "NULL",
        price: str = "NULL",
        published: str = "NULL",
        attributes: Mapping[str, str] | None = None,
        from_events: bool = False,
    ) -> None:
        """Append items, one per row of a relation with `_row`; the text arguments are SQL over its columns.

        Args:
            item_id: VARCHAR, neither null nor empty.
            title, text: VARCHAR, empty where there is none.
            category: VARCHAR, levels separated by `/`; price: DOUBLE; published: TIMESTAMP; null where unknown.
            attributes: name to SQL of each attribute as text, a list as JSON; null where unknown. All tables of a log
                that have attributes have the same.
            from_events: whether the rows are also handed over as events, by `add_events`.
        """
        order = f"_row + {self.base}"
        columns = {"item_id": item_id, "title": title, "text": text, "category": category, "price": price}
        columns |= {"published": published, "ord": order, "event_ord": order if from_events else "NULL"}
        if attributes:
            self.item_attributes = list(attributes)
            columns["attributes"] = f"CAST([{', '.join(attributes.values())}] AS VARCHAR[])"
        rows = self._append("items", relation, columns)
        self.rows_kept += 0 if from_events else rows

    def add_events(self, relation: str, *, user: str, item: str, time: str, event: str, value: str = "NULL") -> None:
        """Append events, one per row of a relation with `_row`; the arguments are SQL over its columns.

        Args:
            user, item: VARCHAR, neither null nor empty.
            time: TIMESTAMP in UTC, null where unknown.
            event: VARCHAR, the type; value: DOUBLE, finite, null where the event has none.
        """
        columns = {"user_id": user, "item_id": item, "time": time, "event": event, "value": value}
        self.rows_kept += self._append("events", relation, {**columns, "ord": f"_row + {self.base}"})

    def add_users(self, relation: str, *, user: str, attributes: Mapping[str, str]) -> None:
        """Append users, one per row of a relation with `_row`; rows without an id are left out and counted.

        Args:
            user: SQL of the id, null where it is empty.
            attributes: name to SQL of each attribute as text, null where it is unknown.
        """
        self.user_attributes = list(attributes)
        self.count_without_id("user", relation, f"{user} IS NULL")
        values = f"CAST([{', '.join(attributes.values())}] AS VARCHAR[])"
        columns = {"user_id": user, "attributes": values, "ord": f"_row + {self.base}"}
        self.rows_kept += self._append("users", f"{relation} WHERE {user} IS NOT NULL", columns)

    def _append(self, table: str, relation: str, columns: Mapping[str, str]) -> int:
        names, values = ", ".join(columns), ", ".join(columns.values())
        return self.number(f"INSERT INTO {table} ({names}) SELECT {values} FROM {relation}")

    def refuse(self, relation: str, reason: str, value: str = "NULL", counts: Sequence[str] = ()) -> None:
        """Record the rows of a relation with `_row` as malformed.

        Args:
            reason: a plain sentence without raw values.
            value: SQL of the raw value that `{value}` in the reason stands for.
            counts: SQL of integers, one per `{count}` in the reason.
        """
        first, *rest = (sql_string(part) for part in reason.split(COUNT))
        sentence = first + "".join(
            f" || CAST(CAST({count} AS BIGINT) AS VARCHAR) || {part}" for count, part in zip(counts, rest, strict=True)
        )
        columns = {"source": sql_string(self.source), "row": f"_row // {self.unit}", "reason": sentence, "value": value}
        self._append("bad_rows", relation, columns)

    def place(self, order: int) -> str:
        """`file:row` of an `ord`."""
        source, base, unit = self.sql(
            "SELECT source, base, unit FROM sources WHERE base < ? ORDER BY base DESC, rowid DESC LIMIT 1", [order]
        )[0]
        return f"{source}:{(order - base) // unit}"

    def row_place(self, row: int) -> str:
        """`file:row` of a `_row` of the current file."""
        return f"{self.source}:{row // self.unit}"

    def places(self, orders: Sequence[int]) -> list[str]:
        """Return `file:row` of each `ord`."""
        return [self.place(order) for order in orders]

    def drop(self, rule: str, table: str, condition: str, reason: str, example: str | None = None) -> int:
        """Delete the rows of a table that meet a condition, count them under a rule, and return their number.

        Args:
            condition: SQL over the table's columns; null counts as not met.
            example: SQL of the text that shows a row in `quality.json`; None = file and row.
        """
        before = self.rows(table)
        evidence = self.sql(f"SELECT {example or 'ord'} FROM {table} WHERE {condition} ORDER BY ord LIMIT {EXAMPLES}")
        if evidence:
            self.db.execute(f"DELETE FROM {table} WHERE {condition}")
        after = self.rows(table) if evidence else before
        if example:
            self.quality.count(rule, before, after, reason, [str(row[0]) for row in evidence])
        else:
            self.quality.count(rule, before, after, reason, places=self.places([row[0] for row in evidence]))
        return before - after

    def leave_out(
        self,
        rule: str,
        rows_in: int,
        rows_out: int,
        reason: str,
        examples: Sequence[str] = (),
        places: Sequence[str] = (),
    ) -> None:
        """Count rows of a raw file that are not handed over, with the arguments of `QualityLog.count`."""
        self.rows_left_out += rows_in - rows_out
        self.quality.count(rule, rows_in, rows_out, reason, examples, places)

    def count_without_id(self, kind: str, relation: str, missing: str) -> None:
        """Count the rows of a relation with `_row` that have no id; the SQL `missing` is true for them."""
        rows, lacking, first = self.sql(
            f"SELECT count(*), count(*) FILTER (WHERE {missing}), min(_row, {EXAMPLES}) FILTER (WHERE {missing}) "
            f"FROM {relation}"
        )[0]
        places = [self.row_place(row) for row in first or []]
        reason = f"the {kind}'s id is empty"
        self.leave_out(f"{kind}s without an id", rows, rows - lacking, reason, places=places)

    def settle_bad_rows(self, tolerated: int) -> None:
        """Record the count of malformed rows.

        Raises:
            DataError: there are more malformed rows than `tolerated`; the message names the first.
        """
        count = self.rows("bad_rows")
        bad = self.sql(f"SELECT * FROM bad_rows ORDER BY source, row, reason, value LIMIT {EXAMPLES}")
        if count > tolerated:
            source, row, reason, value = bad[0]
            limit = f"{count} such row(s), data.max_bad_rows allows {tolerated}: correct the file or raise the limit"
            raise DataError(f"{source}:{row}: {reason}; {limit}", value and one_line(value))
        places = [f"{source}:{row}: {self.quality.sentence(reason, value)}" for source, row, reason, value in bad]
        self.quality.count("bad rows", self.rows_read, self.rows_read - count, "malformed rows", places=places)
