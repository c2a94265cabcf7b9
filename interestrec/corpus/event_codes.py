"""Codes of the users, items and types of all events, assigned before events are cleaned or counted."""

from interestrec.columns.id_repairs import RepairAdvice, repair_advice
from interestrec.core.errors import TooFewRowsError
from interestrec.formats.item_codes import code_items
from interestrec.rawfiles.quality_log import EXAMPLES
from interestrec.rawfiles.raw_log import RawLog, sql_string

CLICK = "click"  # type of the events that impressions record
_REPAIRABLE = 0.1  # share of unresolved events above which repairs of their ids are tried
_LARGE_SHARE = 0.05  # of the events: a user or item with more is implausible
_MANY_TIMES = 20  # if it has this many times the events of the second


def code_events(log: RawLog) -> None:
    """Replace `events` by a coded table that includes the clicks of impressions; create `user_codes` and `item_codes`.

    Columns: user, item INTEGER; time TIMESTAMP; event, an enumeration; value DOUBLE; ord BIGINT; place INTEGER, the
    position of a click among its candidates, else 0; split, set for clicks only. Events of items without a row are
    left out.

    Raises:
        TooFewRowsError: no event has an item with a row; the message says which spelling of ids would help.
    """
    code_items(log)
    log.db.execute(
        'CREATE TABLE user_codes AS SELECT user_id, CAST(row_number() OVER () - 1 AS INTEGER) AS "user" FROM ('
        "SELECT user_id FROM events UNION SELECT user_id FROM impressions)"
    )
    event_types = [row[0] for row in log.sql("SELECT DISTINCT event FROM events ORDER BY event")]
    event_types += [CLICK] if log.rows("clicks") and CLICK not in event_types else []
    names = ", ".join(sql_string(event_type) for event_type in event_types or [CLICK])
    log.db.execute(f"CREATE TYPE event_kind AS ENUM ({names})")
    log.db.execute(
        'CREATE TABLE coded AS SELECT u."user", i.item, time, CAST(event AS event_kind) AS event, value, ord, '
        "0 AS place, CAST(NULL AS split_name) AS split FROM events JOIN user_codes u USING (user_id) "
        "JOIN item_codes i USING (item_id)"
    )
    _count_unresolved(log)
    log.db.execute("DROP TABLE events; ALTER TABLE coded RENAME TO events")
    log.db.execute(
        f"INSERT INTO events SELECT u.\"user\", c.item, i.time, '{CLICK}', c.amount, c.ord, c.place, i.split "
        "FROM clicks c JOIN impressions i USING (ord) JOIN user_codes u USING (user_id); DROP TABLE clicks"
    )
    _warn_of_large_shares(log)


def _count_unresolved(log: RawLog) -> None:
    rows, known = log.rows("events"), log.rows("coded")
    left_out = "SELECT user_id || ' ' || item_id FROM events ANTI JOIN item_codes USING (item_id) ORDER BY ord LIMIT 3"
    examples = [row[0] for row in log.sql(left_out)] if known < rows else []
    log.quality.count("unresolved events", rows, known, "the item has no row in the table of items", examples)
    if rows - known <= _REPAIRABLE * rows:
        return
    advice = unresolved_ids(log)
    if not known:
        events, items = _examples(log, "events"), _examples(log, "item_codes")
        raise TooFewRowsError(
            f"none of {rows:,} events has an item of the table of items; {advice.sentence('data.ids')}",
            f"; the events have {events}, the table of items has {items or 'none'}",
        )
    if advice.explains:
        reason = f"{rows - known:,} of {rows:,} events are of no known item; {advice.sentence('data.ids')}"
        log.quality.warn(reason)
        log.quality.count("ids spelled differently", rows, rows, reason)


def unresolved_ids(log: RawLog) -> RepairAdvice:
    """Return what repairs would do for the items of `events` that have no row in `item_codes`."""
    missing = "SELECT DISTINCT item_id AS id FROM events ANTI JOIN item_codes USING (item_id)"
    return repair_advice(log, missing, "SELECT DISTINCT item_id AS id FROM item_codes")


def _examples(log: RawLog, table: str) -> str:
    ids = log.sql(f"SELECT DISTINCT item_id FROM {table} ORDER BY 1 LIMIT {EXAMPLES}")
    return ", ".join(f"'{row[0]}'" for row in ids)


def _warn_of_large_shares(log: RawLog) -> None:
    """Warn of a user or an item with implausibly many events, such as a text that stands for a missing id."""
    total = log.rows("events")
    for kind, key in (("user", '"user"'), ("item", "item")):
        counts = log.sql(f"SELECT {key}, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC, 1 LIMIT 2")
        if len(counts) < 2 or counts[0][1] <= _LARGE_SHARE * total or counts[0][1] < _MANY_TIMES * counts[1][1]:
            continue
        (code, first), (_, second) = counts
        name = log.sql(f"SELECT min({kind}_id) FROM {kind}_codes WHERE {key} = ?", [code])[0][0]
        reason = (
            f"one {kind} has {first:,} of {total:,} events, the next has {second:,}; if its id stands for a missing "
            "one, add it to `null_values` of the events"
        )
        log.quality.warn(reason, f": '{name}'")
        log.quality.count(f"implausible {kind}", total, total, reason, [str(name)])
