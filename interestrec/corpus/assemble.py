"""Numbers for items and users, timelines, impressions and candidates, from a cleaned and split log."""

import pyarrow as pa

from interestrec.core import schemas
from interestrec.core.raw_log import Log

_RANK = "CASE split WHEN 'train' THEN 0 WHEN 'valid' THEN 1 ELSE 2 END"
_ATTRIBUTES = ("title", "text", "category", "price", "published")


def number(log: Log) -> None:
    """Tables `item_numbers` and `user_numbers`: those known before the test split first, then by id.

    So deleting or adding test events changes no number of an item or user seen in train or valid. Of an item
    that is described by event rows, each attribute is the most frequent value of the earliest split
    that has one, ties to the smallest; rows of test describe only items that are in no other split.
    """
    log.db.execute(
        "CREATE OR REPLACE TEMP TABLE known_items AS SELECT DISTINCT item_id FROM ("
        "SELECT item_id FROM events WHERE split <> 'test' UNION ALL "
        "SELECT unnest(history) FROM impressions WHERE split <> 'test' UNION ALL "
        "SELECT unnest(shown) FROM impressions WHERE split <> 'test');"
        "CREATE OR REPLACE TEMP TABLE known_users AS SELECT DISTINCT user_id FROM ("
        "SELECT user_id FROM events WHERE split <> 'test' UNION ALL "
        "SELECT user_id FROM impressions WHERE split <> 'test')"
    )
    _one_description_each(log)
    log.db.execute(
        "CREATE OR REPLACE TEMP TABLE item_numbers AS SELECT item_id, CAST(row_number() OVER (ORDER BY "
        "item_id NOT IN (FROM known_items), item_id) - 1 AS INTEGER) AS item FROM described;"
        "CREATE OR REPLACE TEMP TABLE user_numbers AS SELECT user_id, CAST(row_number() OVER (ORDER BY "
        'user_id NOT IN (FROM known_users), user_id) - 1 AS INTEGER) AS "user" FROM ('
        "SELECT DISTINCT user_id FROM (SELECT user_id FROM events UNION ALL SELECT user_id FROM impressions))"
    )


def _one_description_each(log: Log) -> None:
    """Table `described`: one row an item."""
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE sourced AS SELECT *, min(rank) OVER (PARTITION BY item_id) AS earliest FROM ("
        f"SELECT i.*, CASE WHEN i.event_ord IS NULL THEN 0 ELSE {_RANK} END AS rank FROM items i "
        "LEFT JOIN events e ON i.event_ord = e.ord WHERE i.event_ord IS NULL OR e.ord IS NOT NULL)"
    )
    columns = []
    for name in _ATTRIBUTES:
        empty = f"{name} IS NULL" + (f" OR {name} = ''" if name in ("title", "text") else "")
        log.db.execute(
            f"CREATE OR REPLACE TEMP TABLE best_{name} AS SELECT DISTINCT ON (item_id) item_id, {name} FROM ("
            f"SELECT item_id, {name}, rank, count(*) AS n FROM sourced WHERE NOT ({empty}) "
            "AND (rank < 2 OR earliest = 2) GROUP BY ALL) "
            f"ORDER BY item_id, rank, n DESC, {name}"
        )
        columns.append(f"best_{name}.{name}")
    joins = " ".join(f"LEFT JOIN best_{name} USING (item_id)" for name in _ATTRIBUTES)
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE described AS SELECT item_id, {', '.join(columns)} FROM "
        f"(SELECT DISTINCT item_id FROM sourced) {joins}"
    )


def item_table(log: Log) -> pa.Table:
    """Items in the order of their numbers with raw texts: item, item_id, title, text, category, price, published."""
    return log.table(
        "SELECT item, item_id, title, text, category, price, timezone('UTC', published) AS published "
        "FROM item_numbers JOIN described USING (item_id) ORDER BY item"
    )


def user_table(log: Log) -> pa.Table:
    """Table of schemas.USERS; the half of valid is decided by a hash of the id alone."""
    select, blend = schemas.VALID_PARTS
    return log.table(
        f"SELECT \"user\", user_id, CASE WHEN md5(user_id) < '8' THEN '{select}' ELSE '{blend}' END AS valid_part "
        'FROM user_numbers ORDER BY "user"'
    )


def timelines(log: Log, history_intensity: float) -> pa.Table:
    """Table of schemas.TIMELINES, also kept as `timeline` for `impressions`.

    A stated history is a segment at the start of its user's rows, once for each distinct list, in the split of the
    earliest impression that states it. Events follow by split, time and row; without times by split and row.
    """
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE segments AS SELECT user_id, history, min({_RANK}) AS rank, min(ord) AS first "
        "FROM impressions WHERE len(history) > 0 GROUP BY user_id, history"
    )
    log.db.execute(
        'CREATE OR REPLACE TEMP TABLE timeline AS SELECT *, CAST(row_number() OVER (PARTITION BY "user" ORDER BY '
        "stated DESC, rank, segment, place, time, ord) - 1 AS INTEGER) AS position FROM ("
        f"SELECT user_id, item_id, CAST(NULL AS TIMESTAMP) AS time, '{schemas.HISTORY_EVENT}' AS event, "
        f"CAST(NULL AS DOUBLE) AS value, CAST({history_intensity!r} AS FLOAT) AS intensity, rank, true AS stated, "
        "first AS segment, place, 0 AS ord FROM (SELECT *, unnest(history) AS item_id, "
        "generate_subscripts(history, 1) AS place FROM segments) UNION ALL "
        f"SELECT user_id, item_id, time, event, value, intensity, {_RANK}, false, 0, 0, ord FROM events) "
        "JOIN user_numbers USING (user_id) JOIN item_numbers USING (item_id)"
    )
    return log.table(
        "SELECT \"user\", item, timezone('UTC', time) AS time, event, value, intensity, "
        "['train', 'valid', 'test'][rank + 1] AS split, position FROM timeline ORDER BY \"user\", position"
    )


def impressions(log: Log, click_intensity: float, by_time: bool) -> tuple[pa.Table, pa.Table]:
    """Tables of schemas.IMPRESSIONS and schemas.CANDIDATES, both ordered by split, user and source row.

    A log without impressions has one an event, with the event's item as only candidate.

    Args:
        by_time: no event of a later split is earlier in time; not so where the split is drawn at random.
    """
    if log.rows("impressions"):
        _stated_requests(log, click_intensity)
    else:
        _event_requests(log, by_time)
    log.db.execute(
        'CREATE OR REPLACE TEMP TABLE numbered AS SELECT *, row_number() OVER (ORDER BY rank, "user", ord) - 1 '
        "AS impression FROM requests"
    )
    table = log.table(
        "SELECT impression, impression_id, \"user\", timezone('UTC', time) AS time, "
        "['train', 'valid', 'test'][rank + 1] AS split, history_start, history_end FROM numbered ORDER BY impression"
    )
    candidates = log.table(
        "SELECT impression, item, label FROM (SELECT impression, unnest(shown) AS item_id, unnest(labels) AS label, "
        "generate_subscripts(shown, 1) AS place FROM numbered) JOIN item_numbers USING (item_id) "
        "ORDER BY impression, place"
    )
    return table, candidates


def _stated_requests(log: Log, click_intensity: float) -> None:
    """Impressions of the log; the history of each is its segment of the user's timeline, as stated.

    A label is the intensity of the click. Ids that files of one split share are told apart by a suffix.
    """
    log.db.execute(
        'CREATE OR REPLACE TEMP TABLE bounds AS SELECT "user", segment, min(position) AS history_start, '
        "max(position) + 1 AS history_end FROM timeline WHERE stated GROUP BY ALL"
    )
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE requests AS SELECT i.ord, impression_id || CASE WHEN same > 1 THEN '#' || same "
        f"ELSE '' END AS impression_id, u.\"user\", i.time, {_RANK} AS rank, "
        "CAST(coalesce(history_start, 0) AS INTEGER) AS history_start, "
        "CAST(coalesce(history_end, 0) AS INTEGER) AS history_end, shown, "
        f"list_transform(labels, lambda x: CAST(x * {click_intensity!r} AS FLOAT)) AS labels "
        "FROM (SELECT *, row_number() OVER (PARTITION BY split, impression_id ORDER BY ord) AS same "
        "FROM impressions) i "
        "JOIN user_numbers u ON i.user_id = u.user_id "
        "LEFT JOIN segments s ON i.user_id = s.user_id AND i.history = s.history "
        'LEFT JOIN bounds b ON b."user" = u."user" AND b.segment = s.first'
    )


def _event_requests(log: Log, by_time: bool) -> None:
    """One impression an event; its history is what the user did strictly before.

    Of a random split that is: what was before within train for train, all of train for valid, all of train and valid
    for test; so no history of train or valid holds an event of a later split.
    """
    user = 'PARTITION BY "user"'
    before = f"rank() OVER ({user} ORDER BY time) - 1"
    if not by_time:
        before = (
            f"CASE rank WHEN 0 THEN CASE WHEN time IS NULL THEN position "
            f"ELSE rank() OVER ({user}, rank ORDER BY time) - 1 END "
            f"ELSE count(*) FILTER (rank = 0) OVER ({user}) "
            f"+ CASE rank WHEN 1 THEN 0 ELSE count(*) FILTER (rank = 1) OVER ({user}) END END"
        )
    log.db.execute(
        'CREATE OR REPLACE TEMP TABLE requests AS SELECT ord, CAST(row_number() OVER (ORDER BY rank, "user", ord) AS '
        'VARCHAR) AS impression_id, "user", time, rank, 0 AS history_start, '
        f"CAST({before} AS INTEGER) AS history_end, [item_id] AS shown, [intensity] AS labels FROM timeline"
    )
