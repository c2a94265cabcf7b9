"""Codes of the users, items and types of all events, assigned before events are cleaned or counted."""

from interestrec.formats.item_codes import code_items
from interestrec.rawfiles.raw_log import RawLog, sql_string

CLICK = "click"  # type of the events that impressions record


def code_events(log: RawLog) -> None:
    """Replace `events` by a coded table that includes the clicks of impressions; create `user_codes` and `item_codes`.

    Columns: user, item INTEGER; time TIMESTAMP; event, an enumeration; value DOUBLE; ord BIGINT; place INTEGER, the
    position of a click among its candidates, else 0; split, set for clicks only. Events of items without a row are
    left out.
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


def _count_unresolved(log: RawLog) -> None:
    rows, known = log.rows("events"), log.rows("coded")
    left_out = "SELECT user_id || ' ' || item_id FROM events ANTI JOIN item_codes USING (item_id) ORDER BY ord LIMIT 3"
    examples = [row[0] for row in log.sql(left_out)] if known < rows else []
    log.quality.count("unresolved events", rows, known, "the item has no row in the table of items", examples)
