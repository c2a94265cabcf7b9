"""Numbers for items and users, timelines, impressions and candidates, from a cleaned, split and graded log.

Tables are streamed: SQL orders the rows, arrays of whole users are worked on, and what is written is let go.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.corpus.timelines import event_positions, group_requests, user_order
from interestrec.formats.raw_log import RawLog
from interestrec.io import schemas

_ATTRIBUTES = ("title", "text", "category", "price", "published")
_ROWS = 1 << 18  # of a streamed table


def number(log: RawLog) -> None:
    """Tables `item_numbers` and `user_numbers`: those known before the test split first, then by id.

    So deleting or adding test events changes no number of an item or user seen in train or valid. Of an item
    that is described by event rows, each attribute is the most frequent value of the earliest split
    that has one, ties to the smallest; rows of test describe only items that are in no other split.
    """
    known_impressions = "(SELECT * FROM impressions WHERE split <> 'test')"
    for table, splits in {"train_items": "split = 'train'", "known_items": "split <> 'test'"}.items():
        requests = f"(SELECT * FROM impressions WHERE {splits})"
        log.db.execute(
            f"CREATE TEMP TABLE {table} AS SELECT DISTINCT item FROM (SELECT item FROM events WHERE {splits} UNION ALL "
            f"SELECT unnest(items) FROM segments SEMI JOIN (SELECT * FROM stated SEMI JOIN {requests} USING (ord)) "
            "USING (segment) UNION ALL "
            f"SELECT unnest(shown) FROM {requests})"
        )
    log.db.execute(
        'CREATE TEMP TABLE known_users AS SELECT DISTINCT "user" FROM ('
        "SELECT \"user\" FROM events WHERE split <> 'test' UNION ALL "
        f'SELECT "user" FROM {known_impressions} JOIN user_codes USING (user_id))'
    )
    _one_description_each(log)
    log.db.execute(
        "CREATE TEMP TABLE item_numbers AS SELECT code, item_id, CAST(row_number() OVER (ORDER BY "
        "code NOT IN (FROM known_items), item_id) - 1 AS INTEGER) AS item FROM described;"
        "CREATE TEMP TABLE user_numbers AS SELECT code, user_id, CAST(row_number() OVER (ORDER BY "
        'code NOT IN (FROM known_users), user_id) - 1 AS INTEGER) AS "user" FROM ('
        'SELECT "user" AS code, user_id FROM user_codes WHERE "user" IN (SELECT "user" FROM events) '
        "OR user_id IN (SELECT user_id FROM impressions))"
    )


def _one_description_each(log: RawLog) -> None:
    """Table `described`: one row an item code."""
    rows = (
        "SELECT c.item AS code, i.*, 0 AS rank FROM items i JOIN item_codes c USING (item_id) "
        "WHERE i.event_ord IS NULL UNION ALL "
        "SELECT c.item, i.*, enum_code(e.split) FROM items i JOIN item_codes c USING (item_id) "
        "JOIN events e ON i.event_ord = e.ord"
    )
    log.db.execute(
        f"CREATE TEMP TABLE sourced AS SELECT *, min(rank) OVER (PARTITION BY code) AS earliest FROM ({rows})"
    )
    columns = []
    for name in _ATTRIBUTES:
        empty = f"{name} IS NULL" + (f" OR {name} = ''" if name in ("title", "text") else "")
        log.db.execute(
            f"CREATE TEMP TABLE best_{name} AS SELECT DISTINCT ON (code) code, {name} FROM ("
            f"SELECT code, {name}, rank, count(*) AS n, min(ord) AS ord FROM sourced WHERE NOT ({empty}) "
            "AND (rank < 2 OR earliest = 2) GROUP BY ALL) "
            f"ORDER BY code, rank, n DESC, {name}"
        )
        columns.append(f"best_{name}.{name}")
    joins = " ".join(f"LEFT JOIN best_{name} USING (code)" for name in _ATTRIBUTES)
    log.db.execute(
        f"CREATE TEMP TABLE described AS SELECT code, item_id, {', '.join(columns)} FROM "
        f"(SELECT code, arg_min(item_id, ord) AS item_id FROM sourced GROUP BY code) {joins}"
    )


def item_table(log: RawLog) -> pa.Table:
    """Items in the order of their numbers with raw texts: item, item_id, title, text, category, price, published,
    and `in_train`, whether train has an event with it, states it or shows it."""
    return log.table(
        "SELECT item, n.item_id, title, text, category, price, timezone('UTC', published) AS published, "
        "code IN (FROM train_items) AS in_train "
        "FROM item_numbers n JOIN described USING (code) ORDER BY item"
    )


def user_table(log: RawLog) -> pa.Table:
    """Table of schemas.USERS; the half of valid is decided by a hash of the id alone."""
    select, blend = schemas.VALID_PARTS
    return log.table(
        f"SELECT \"user\", user_id, CASE WHEN md5(user_id) < '8' THEN '{select}' ELSE '{blend}' END AS valid_part "
        'FROM user_numbers ORDER BY "user"'
    )


def event_requests(timelines: Callable[[], Iterator[pa.Table]], by_time: bool) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Pairs of tables of schemas.IMPRESSIONS and schemas.CANDIDATES: one impression an event, ordered by split.

    Args:
        timelines: starts a pass over the timelines; there is one a split.
        by_time: no event of a later split is earlier in time; not so where the split is drawn at random.
    """
    first = 0
    for split in range(len(schemas.SPLITS)):
        for table in user_order(timelines()):
            pair = group_requests(table, split, first, by_time)
            first += pair[0].num_rows
            if pair[0].num_rows:
                yield pair


def timelines(log: RawLog, click_weight: float) -> Iterator[pa.Table]:
    """Tables of schemas.TIMELINES, whole users each; on the way `segment_rows` is laid for `impressions`.

    A stated history is a segment at the start of its user's rows, once for each distinct list, in the split of the
    earliest impression that states it. Events follow by split, time and row; without times by split and row.
    """
    source = _ordered_segments_and_events(log, click_weight) if log.rows("segments") else _ordered_events(log)
    item_of = _item_of_code(log)
    for table in user_order(_stream(log, source)):
        columns = {
            "item": item_of[table["code"].to_numpy()],
            "position": event_positions(table["user"].to_numpy()),
            **{name: table[name] for name in ("user", "time", "event", "value", "intensity", "split")},
        }
        yield pa.table(columns).select(schemas.TIMELINES.names).cast(schemas.TIMELINES)


def _ordered_events(log: RawLog) -> str:
    return (
        "SELECT n.\"user\", item AS code, timezone('UTC', time) AS time, event, value, intensity, split "
        'FROM events e JOIN user_numbers n ON e."user" = n.code ORDER BY n."user", split, time, ord, place'
    )


def _ordered_segments_and_events(log: RawLog, click_weight: float) -> str:
    """Lists are ordered whole and unrolled afterwards: far fewer rows to sort than there are entries.

    Nothing but projections may follow the ordering: a join would be free to lose it.
    """
    log.db.execute(
        "CREATE TEMP TABLE first_stated AS SELECT segment, min(i.split) AS split, min(ord) AS first "
        "FROM impressions i JOIN stated USING (ord) GROUP BY segment;"
        'CREATE TEMP TABLE segment_rows AS SELECT n."user", segment, split, first, items, times, amounts, grades, '
        'CAST(sum(len(items)) OVER (PARTITION BY n."user" ORDER BY split, first) - len(items) AS INTEGER) AS start '
        "FROM segments JOIN first_stated USING (segment) JOIN user_numbers n USING (user_id) "
        "LEFT JOIN history_grades USING (segment)"
    )
    lists = (
        'SELECT "user", 0 AS kind, split, first AS nth, 0 AS place, items, times, amounts, grades, '
        f"CAST('{schemas.HISTORY_EVENT}' AS VARCHAR) AS event FROM segment_rows UNION ALL "
        'SELECT n."user", 1, split, row_number() OVER (ORDER BY time, ord, place), place, [item], [time], [value], '
        '[intensity], CAST(event AS VARCHAR) FROM events e JOIN user_numbers n ON e."user" = n.code'
    )
    entries = ", ".join(
        f"unnest(coalesce({column}, [NULL])) AS {name}"
        for column, name in {"times": "time", "amounts": "value", "grades": "grade"}.items()
    )
    return (
        "SELECT \"user\", code, timezone('UTC', time) AS time, event, value, split, "
        f"CAST(coalesce(grade, {click_weight!r}) AS FLOAT) AS intensity "
        f'FROM (SELECT "user", split, event, unnest(items) AS code, {entries} '
        f'FROM (FROM ({lists}) ORDER BY "user", kind, split, nth, place))'
    )


def impressions(log: RawLog, click_weight: float) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Pairs of tables of schemas.IMPRESSIONS and schemas.CANDIDATES of a log that records what was shown.

    Ordered by split, user and source row. The history of each is its segment of the user's timeline, as stated. A
    label is the intensity of the click. Ids that files of one split share are told apart by a suffix.
    """
    if not log.rows("segments"):
        log.db.execute("CREATE TEMP TABLE segment_rows (segment BIGINT, start INTEGER, items INTEGER[])")
    log.db.execute(
        "CREATE TEMP TABLE graded_clicks AS SELECT ord, list(place ORDER BY place) AS places, "
        "list(intensity ORDER BY place) AS grades FROM events GROUP BY ord"
    )
    same = (
        "SELECT ord, impression_id || '#' || n AS again FROM (SELECT ord, impression_id, row_number() OVER ("
        "PARTITION BY split, impression_id ORDER BY ord) AS n FROM impressions) WHERE n > 1"
    )
    query = (
        "SELECT coalesce(again, impression_id) AS impression_id, n.\"user\", timezone('UTC', time) AS time, i.split, "
        "coalesce(start, 0) AS history_start, coalesce(start + len(items), 0) AS history_end, shown, labels, "
        "places, c.grades FROM impressions i JOIN user_numbers n USING (user_id) "
        "LEFT JOIN stated USING (ord) LEFT JOIN segment_rows s USING (segment) LEFT JOIN graded_clicks c USING (ord) "
        f'LEFT JOIN ({same}) a USING (ord) ORDER BY i.split, n."user", i.ord'
    )
    item_of = _item_of_code(log)
    first = 0
    for table in _stream(log, query, _ROWS // 16):
        numbers = np.arange(first, first + table.num_rows)
        first += table.num_rows
        yield (
            table.append_column("impression", pa.array(numbers))
            .select(schemas.IMPRESSIONS.names)
            .cast(schemas.IMPRESSIONS),
            _candidates(table, numbers, item_of, click_weight),
        )


def _candidates(table: pa.Table, numbers: np.ndarray, item_of: np.ndarray, click_weight: float) -> pa.Table:
    shown, labels = table["shown"].combine_chunks(), table["labels"].combine_chunks()
    counts = pc.list_value_length(shown).to_numpy()
    start = ragged.from_lengths(counts)[:-1]
    label = labels.flatten().to_numpy().astype(np.float32) * np.float32(click_weight)
    places, grades = table["places"].combine_chunks(), table["grades"].combine_chunks()
    clicks = pc.fill_null(pc.list_value_length(places), 0).to_numpy()
    label[np.repeat(start, clicks) + places.flatten().to_numpy()] = grades.flatten().to_numpy()
    columns = {
        "impression": np.repeat(numbers, counts),
        "item": item_of[shown.flatten().to_numpy()],
        "label": label,
    }
    return pa.table(columns).cast(schemas.CANDIDATES)


def _item_of_code(log: RawLog) -> np.ndarray:
    """int32 [codes]: the number of each item code."""
    table = log.table("SELECT code, item FROM item_numbers")
    found = np.zeros(log.number("SELECT max(item) + 1 FROM item_codes"), np.int32)
    found[table["code"].to_numpy()] = table["item"].to_numpy()
    return found


def _stream(log: RawLog, query: str, rows: int = _ROWS) -> Iterator[pa.Table]:
    for batch in log.db.sql(query).to_arrow_reader(rows):
        yield pa.Table.from_batches([batch])
