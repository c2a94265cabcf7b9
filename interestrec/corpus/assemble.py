"""Timelines, impressions and candidates, from a cleaned, split and graded log with numbers of items and users.

Tables are streamed: SQL orders the rows, arrays of complete users are processed, and written rows are released.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.corpus.timeline_files import user_groups
from interestrec.corpus.timelines import event_positions, group_requests, user_order
from interestrec.io import schemas
from interestrec.rawfiles.raw_log import RawLog

_BATCH_ROWS = 1 << 18  # rows of a streamed table


def event_requests(timelines: Callable[[], Iterator[pa.Table]], by_time: bool) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield pairs of tables of schemas.IMPRESSIONS and schemas.CANDIDATES: one impression per event, ordered by split.

    Args:
        timelines: starts a pass over the timelines; the function makes one pass per split.
        by_time: whether no event of a later split is earlier in time; false where the split is drawn at random.
    """
    first = 0
    for split in range(len(schemas.SPLITS)):
        for table in user_order(timelines()):
            pair = group_requests(table, split, first, by_time)
            first += pair[0].num_rows
            if pair[0].num_rows:
                yield pair


def timelines(log: RawLog, click_weight: float) -> Iterator[pa.Table]:
    """Yield row groups of schemas.TIMELINES with complete users; creates the table `segment_rows` for `impressions`.

    Every distinct logged history is a segment at the start of its user's rows, in the split of the earliest impression
    that has it. Events follow by split, time and row; without times by split and row. One user with two logged
    histories and two clicks:

        kind   split   entries        positions
        list   train   a b            0 a, 1 b
        list   valid   a              2 a
        click  valid   c at 10:00     4 c
        click  train   d at 11:00     3 d
    """
    if log.rows("segments"):
        rows = _stream(log, _ordered_segments_and_events(log, click_weight))
    else:
        rows = _stream(log, _ordered_events())
    item_numbers = _numbers_by_code(log)
    for table in user_groups(rows):
        columns = {
            "item": item_numbers[table["code"].to_numpy()],
            "position": event_positions(table["user"].to_numpy()),
            **{name: table[name] for name in ("user", "time", "event", "value", "intensity", "split")},
        }
        yield pa.table(columns).select(schemas.TIMELINES.names).cast(schemas.TIMELINES)


def _ordered_events() -> str:
    return """
        SELECT n."user", item AS code, timezone('UTC', time) AS time, event, value, intensity, split
        FROM events e JOIN user_numbers n ON e."user" = n.code
        ORDER BY n."user", split, time, ord, place
        """


def _ordered_segments_and_events(log: RawLog, click_weight: float) -> str:
    log.db.execute(
        """
        CREATE TEMP TABLE segment_rows AS
        WITH first_requests AS (
            SELECT segment, min(i.split) AS split, min(ord) AS first
            FROM impressions i JOIN impression_segments USING (ord)
            GROUP BY segment
        )
        SELECT
            n."user", segment, split, first, items, times, amounts, grades,
            CAST(
                sum(len(items)) OVER (PARTITION BY n."user" ORDER BY split, first) - len(items) AS INTEGER
            ) AS start
        FROM segments
        JOIN first_requests USING (segment)
        JOIN user_numbers n USING (user_id)
        LEFT JOIN history_grades USING (segment)
        """
    )
    return f"""
        WITH
            entries AS (
                SELECT
                    "user", 0 AS kind, split, first AS nth, generate_subscripts(items, 1) AS place,
                    unnest(items) AS code,
                    unnest(coalesce(times, [NULL])) AS time,
                    '{schemas.HISTORY_EVENT}' AS event,
                    unnest(coalesce(amounts, [NULL])) AS value,
                    unnest(coalesce(grades, [NULL])) AS intensity
                FROM segment_rows
            ),
            weighted AS (SELECT * REPLACE (coalesce(intensity, {click_weight!r}) AS intensity) FROM entries),
            single_events AS (
                SELECT
                    n."user", 1 AS kind, split, row_number() OVER (ORDER BY time, ord, place) AS nth, place,
                    item AS code, time, CAST(event AS VARCHAR) AS event, value, intensity
                FROM events e JOIN user_numbers n ON e."user" = n.code
            ),
            lines AS (FROM weighted UNION ALL FROM single_events)
        SELECT
            "user", code, timezone('UTC', time) AS time, event, value, split, CAST(intensity AS FLOAT) AS intensity
        FROM lines
        ORDER BY "user", kind, split, nth, place
        """


def impressions(log: RawLog, click_weight: float) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield pairs of tables of schemas.IMPRESSIONS and schemas.CANDIDATES of a log of impressions.

    Impressions are ordered by split, user and source row. The history of an impression is its logged segment of the
    user's timeline. The label of a candidate is the intensity of its click. A suffix makes repeated ids of one split
    unique: of rows 1 to 4 with the ids x, y, x, x in train the third becomes `x#2`, the fourth `x#3`.
    """
    if not log.rows("segments"):
        log.db.execute("CREATE TEMP TABLE segment_rows (segment BIGINT, start INTEGER, items INTEGER[])")
    query = """
        WITH
            clicks AS (
                SELECT ord, list(place ORDER BY place) AS places, list(intensity ORDER BY place) AS grades
                FROM events GROUP BY ord
            ),
            counted AS (
                SELECT *, row_number() OVER (PARTITION BY split, impression_id ORDER BY ord) AS n FROM impressions
            ),
            named AS (
                SELECT
                    * EXCLUDE (impression_id, n),
                    CASE WHEN n > 1 THEN impression_id || '#' || n ELSE impression_id END AS impression_id
                FROM counted
            )
        SELECT
            impression_id, n."user", timezone('UTC', time) AS time, i.split,
            coalesce(start, 0) AS history_start, coalesce(start + len(items), 0) AS history_end,
            shown, labels, places, c.grades
        FROM named i
        JOIN user_numbers n USING (user_id)
        LEFT JOIN impression_segments USING (ord)
        LEFT JOIN segment_rows s USING (segment)
        LEFT JOIN clicks c USING (ord)
        ORDER BY i.split, n."user", i.ord
        """
    item_numbers = _numbers_by_code(log)
    first = 0
    for table in _stream(log, query, _BATCH_ROWS // 16):
        numbers = np.arange(first, first + table.num_rows)
        first += table.num_rows
        requests = table.append_column("impression", pa.array(numbers)).select(schemas.IMPRESSIONS.names)
        yield requests.cast(schemas.IMPRESSIONS), _candidates(table, numbers, item_numbers, click_weight)


def _candidates(table: pa.Table, numbers: np.ndarray, item_numbers: np.ndarray, click_weight: float) -> pa.Table:
    shown, labels = table["shown"].combine_chunks(), table["labels"].combine_chunks()
    counts = pc.list_value_length(shown).to_numpy()
    start = ragged.from_lengths(counts)[:-1]
    label = labels.flatten().to_numpy().astype(np.float32) * np.float32(click_weight)
    places, grades = table["places"].combine_chunks(), table["grades"].combine_chunks()
    clicks = pc.fill_null(pc.list_value_length(places), 0).to_numpy()
    label[np.repeat(start, clicks) + places.flatten().to_numpy()] = grades.flatten().to_numpy()
    columns = {
        "impression": np.repeat(numbers, counts),
        "item": item_numbers[shown.flatten().to_numpy()],
        "label": label,
    }
    return pa.table(columns).cast(schemas.CANDIDATES)


def _numbers_by_code(log: RawLog) -> np.ndarray:
    """Return int32 [codes], the number of each item code."""
    table = log.table("SELECT code, item FROM item_numbers")
    numbers = np.zeros(log.number("SELECT max(item) + 1 FROM item_codes"), np.int32)
    numbers[table["code"].to_numpy()] = table["item"].to_numpy()
    return numbers


def _stream(log: RawLog, query: str, rows: int = _BATCH_ROWS) -> Iterator[pa.Table]:
    for batch in log.db.sql(query).to_arrow_reader(rows):
        yield pa.Table.from_batches([batch])
