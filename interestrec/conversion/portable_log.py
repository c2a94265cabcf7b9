"""The portable tables: events, items and users of a log or a corpus in one shape, which every target layout writes.

`portable_events`  user_id, item_id VARCHAR; time TIMESTAMP; event VARCHAR; value DOUBLE; intensity FLOAT, null in a raw
                   log; split VARCHAR; ord BIGINT, place INTEGER: their order
`portable_items`   item_id, title, text, category VARCHAR; price DOUBLE; published TIMESTAMP; ord BIGINT

Users are in the table `users` of the log, one row each. Clicks of impressions become events of type `click`. What was
shown and not clicked, and logged histories, have no place in these tables.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from interestrec.corpus.event_codes import CLICK
from interestrec.corpus.store import Corpus
from interestrec.corpus.user_attributes import drop_repeated_users
from interestrec.formats.item_codes import code_items
from interestrec.io import artifact_files, files, schemas
from interestrec.rawfiles.column_names import identifier
from interestrec.rawfiles.quality_log import EXAMPLES
from interestrec.rawfiles.raw_log import RawLog

_TEXTS, _OTHERS = ("title", "text"), ("category", "price", "published")
_TIMELINE_COLUMNS = ["user", "item", "time", "event", "value", "intensity", "split"]


def settle_log(log: RawLog) -> None:
    """Create the portable tables of a log that a reader has filled, without cleaning: all events that were read.

    Where rows of events describe an item, the most frequent value of each attribute counts, ties go to the smallest. A
    second row of an item or a user in their own tables is left out and counted.
    """
    log.merge_items = False  # near duplicates are merged by `preprocess`, not by a conversion
    code_items(log)
    log.db.execute(
        f"""
        CREATE VIEW portable_events AS
        SELECT user_id, item_id, time, event, value, NULL::FLOAT AS intensity, NULL::VARCHAR AS split, ord, 0 AS place
        FROM events
        UNION ALL
        SELECT i.user_id, c.item_id, i.time, '{CLICK}', k.amount, NULL, CAST(i.split AS VARCHAR), k.ord, k.place
        FROM clicks k JOIN impressions i USING (ord) JOIN item_codes c USING (item)
        """
    )
    names = (*_TEXTS, *_OTHERS)
    steps = ", ".join(_most_frequent(name) for name in names)
    joins = " ".join(f"LEFT JOIN frequent_{name} USING (item_id)" for name in names)
    columns = ", ".join([*(f"coalesce({name}, '') AS {name}" for name in _TEXTS), *_OTHERS])
    log.db.execute(
        f"CREATE TABLE portable_items AS WITH ids AS (SELECT item_id, min(ord) AS ord FROM items GROUP BY item_id), "
        f"{steps} SELECT item_id, {columns}, ord FROM ids {joins}"
    )
    drop_repeated_users(log)


def _most_frequent(name: str) -> str:
    filled = f"{name} <> ''" if name in _TEXTS else f"{name} IS NOT NULL"
    return (
        f"counted_{name} AS (SELECT item_id, {name}, count(*) AS n FROM items WHERE {filled} GROUP BY ALL), "
        f"frequent_{name} AS (SELECT DISTINCT ON (item_id) item_id, {name} FROM counted_{name} "
        f"ORDER BY item_id, n DESC, {name})"
    )


def settle_corpus(log: RawLog, corpus: Corpus) -> None:
    """Create the portable tables of a corpus in an empty log: its cleaned events with intensity and split.

    Entries of logged histories, which have neither time nor split of their own, are left out and counted.
    """
    items = corpus.items.append_column("ord", corpus.items["item"])
    log.load("portable_items", items.select(["item_id", *_TEXTS, *_OTHERS, "ord"]))
    _in_utc(log, "portable_items", "published")
    log.item_attributes, log.user_attributes = corpus.item_attributes, corpus.user_attributes
    attributes = ", ".join(f"CAST({identifier(name)} AS VARCHAR)" for name in log.user_attributes)
    log.load("corpus_users", corpus.users)
    log.db.execute(f'INSERT INTO users SELECT user_id, CAST([{attributes}] AS VARCHAR[]), "user" FROM corpus_users')
    log.db.execute(
        "CREATE TABLE portable_events (user_id VARCHAR, item_id VARCHAR, time TIMESTAMP, event VARCHAR, value DOUBLE, "
        "intensity FLOAT, split VARCHAR, ord BIGINT, place INTEGER)"
    )
    rows = kept = 0
    for table in files.stream_parquet(corpus.path / artifact_files.TIMELINES, _TIMELINE_COLUMNS):
        order = pa.array(range(rows, rows + table.num_rows), pa.int64())
        rows += table.num_rows
        table = table.append_column("ord", order)
        table = table.filter(pc.not_equal(table["event"].cast(pa.string()), schemas.HISTORY_EVENT))
        kept += table.num_rows
        user_id, item_id = corpus.users["user_id"].take(table["user"]), corpus.items["item_id"].take(table["item"])
        table = table.set_column(0, "user_id", user_id).set_column(1, "item_id", item_id)
        log.insert(
            "portable_events",
            table,
            "user_id, item_id, CAST(time AS TIMESTAMP), event, value, intensity, split, ord, 0",
        )
    log.quality.count("history entries", rows, kept, "entries of logged histories, which are no events of the log")


def _in_utc(log: RawLog, table: str, column: str) -> None:
    """Convert a column of times with a zone to the plain times in UTC that a raw log has."""
    log.replace_table(table, f"SELECT * REPLACE (CAST({column} AS TIMESTAMP) AS {column}) FROM {table}")


def count_unknown_items(log: RawLog) -> int:
    """Return the number of events whose item has no row among the items, and record it with examples."""
    rows = log.rows("portable_events")
    unknown = "FROM portable_events ANTI JOIN portable_items USING (item_id)"
    count = log.number(f"SELECT count(*) {unknown}")
    examples = log.sql(
        f"SELECT item_id, count(*) AS n {unknown} GROUP BY item_id ORDER BY n DESC, item_id LIMIT ?", [EXAMPLES]
    )
    reason = f"{count} events of items without a row of their own: kept here, left out by preprocess"
    log.quality.count("events of unknown items", rows, rows, reason, [f"{item} ({n})" for item, n in examples])
    return count
