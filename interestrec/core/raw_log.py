"""What a reader leaves in the database, whatever the format of the files was.

A reader fills these tables and counts what it leaves out; the corpus is built from them alone.

`items`        item_id, title, text, category VARCHAR; price DOUBLE; published TIMESTAMP; ord BIGINT;
               and `event_ord` BIGINT, the row of `events` that a description came with, null in a table of items
`events`       user_id, item_id VARCHAR; time TIMESTAMP; event VARCHAR; value DOUBLE; split VARCHAR; ord BIGINT;
               source VARCHAR; row BIGINT
`impressions`  impression_id, user_id VARCHAR; time TIMESTAMP; split VARCHAR; history, shown VARCHAR[]; labels DOUBLE[];
               ord BIGINT; source VARCHAR; row BIGINT. Only logs that record what was shown have it.
`bad_rows`     source VARCHAR, row BIGINT, reason VARCHAR
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from interestrec.core.errors import DataError

# Times are read and kept in UTC whatever zone the machine is in.
_SETTINGS = "SET TimeZone = 'UTC'; SET preserve_insertion_order = true; SET enable_progress_bar = false;"
EXAMPLES = 3  # shown of the rows that a rule leaves out

TABLES = """
CREATE TABLE items (item_id VARCHAR, title VARCHAR, text VARCHAR, category VARCHAR, price DOUBLE,
    published TIMESTAMP, ord BIGINT, event_ord BIGINT);
CREATE TABLE events (user_id VARCHAR, item_id VARCHAR, time TIMESTAMP, event VARCHAR, value DOUBLE,
    split VARCHAR, ord BIGINT, source VARCHAR, row BIGINT);
CREATE TABLE impressions (impression_id VARCHAR, user_id VARCHAR, time TIMESTAMP, split VARCHAR, history VARCHAR[],
    shown VARCHAR[], labels DOUBLE[], ord BIGINT, source VARCHAR, row BIGINT);
CREATE TABLE bad_rows (source VARCHAR, row BIGINT, reason VARCHAR);
"""


@dataclass
class Quality:
    """Every cleaning rule with its counts: the content of `quality.json`."""

    root: Path = Path()  # left out of the examples: where the data is says nothing about what it is
    rules: list[dict[str, Any]] = field(default_factory=list)

    def count(self, rule: str, rows_in: int, rows_out: int, reason: str, examples: list[str]) -> None:
        """Record a rule; rules that changed nothing are recorded too."""
        shown = [example.removeprefix(f"{self.root}/") for example in examples]
        entry = {"rule": rule, "rows_in": rows_in, "rows_out": rows_out, "reason": reason, "examples": shown}
        self.rules.append(entry)


class Log:
    """The database that a reader fills, and the counts of what was left out.

    Args:
        root: the directory that the raw files are under.
    """

    def __init__(self, root: Path = Path()) -> None:
        self.db = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
        self.db.execute(_SETTINGS + TABLES)
        self.quality = Quality(root)
        self.rows_read = 0  # records met in the raw files, malformed ones included

    def sql(self, query: str, parameters: list[Any] | None = None) -> list[tuple]:
        """Run statements; the rows of the last."""
        return self.db.execute(query, parameters).fetchall()

    def number(self, query: str, parameters: list[Any] | None = None) -> int:
        """The single integer that a query gives."""
        return int(self.sql(query, parameters)[0][0])

    def table(self, query: str) -> pa.Table:
        """The result of a query as an Arrow table."""
        return self.db.sql(query).to_arrow_table()

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        return self.number(f"SELECT count(*) FROM {table}")

    def drop(self, rule: str, table: str, condition: str, reason: str, example: str) -> int:
        """Delete the rows of a table that meet a condition, counted under a rule; how many there were.

        Args:
            condition: SQL over the table's columns; null counts as not met.
            example: SQL expression that shows a row to a person.
        """
        before = self.rows(table)
        shown = self.sql(f"SELECT {example} FROM {table} WHERE {condition} ORDER BY ord LIMIT {EXAMPLES}")
        self.db.execute(f"DELETE FROM {table} WHERE {condition}")
        after = self.rows(table)
        self.quality.count(rule, before, after, reason, [str(row[0]) for row in shown])
        return before - after

    def settle_bad_rows(self, tolerated: int) -> None:
        """Count the rows found malformed so far.

        Raises:
            DataError: there are more than are tolerated; the message names the first.
        """
        bad = self.sql("SELECT source, row, reason FROM bad_rows ORDER BY source, row, reason")
        if len(bad) > tolerated:
            source, row, reason = bad[0]
            raise DataError(
                f"{source}:{row}: {reason}; {len(bad)} such row(s), data.max_bad_rows allows {tolerated}: "
                "correct the file or raise the limit"
            )
        examples = [f"{source}:{row}: {reason}" for source, row, reason in bad[:EXAMPLES]]
        self.quality.count("bad rows", self.rows_read, self.rows_read - len(bad), "malformed rows", examples)
