"""Leaves out what a log has outside of a period of time, before anything is coded, split or counted."""

from datetime import UTC, datetime, timedelta

from interestrec.core.errors import DataError
from interestrec.rawfiles.raw_log import RawLog

_SIDES = {"since": "before", "until": "at or after"}  # key -> what a row that is left out is


def keep_period(log: RawLog, since: datetime | None, until: datetime | None) -> None:
    """Leave out the rows before `since`, and what was first seen at or after `until`.

    Impressions and events are judged by their time. An item is left out if it was published at or after `until`, or, in
    a log without impressions, if it has events and the first one is. Items without events tell no time and stay.

    Raises:
        DataError: a row has no time.
    """
    if since is None and until is None:
        return
    table = "impressions" if log.rows("impressions") else "events"
    _require_times(log, table)
    if until is not None:
        _drop_later_items(log, until, has_impressions=table == "impressions")
    for name, moment, sign in (("since", since, "<"), ("until", until, ">=")):
        if moment is None:
            continue
        condition = f"epoch_us(time) {sign} {_microseconds(moment)}"
        for rows in dict.fromkeys((table, "events")):
            if rows == "events":
                log.db.execute(f"DELETE FROM items WHERE event_ord IN (SELECT ord FROM events WHERE {condition})")
            log.drop(f"{rows} {_SIDES[name]}", rows, condition, f"{_SIDES[name]} preprocess.{name}")
    if table == "impressions":
        for rows in ("clicks", "impression_segments"):
            log.db.execute(f"DELETE FROM {rows} WHERE ord NOT IN (SELECT ord FROM impressions)")


def _drop_later_items(log: RawLog, until: datetime, has_impressions: bool) -> None:
    """Leave out the items of tables that were not known before `until`; those of events go with their events."""
    end = _microseconds(until)
    later = f"event_ord IS NULL AND (epoch_us(published) >= {end}"
    if not has_impressions:  # whose item codes stand in lists already
        log.db.execute(
            "CREATE TEMP TABLE later_items AS SELECT item_id FROM events GROUP BY item_id "
            f"HAVING min(epoch_us(time)) >= {end}"
        )
        later += " OR item_id IN (SELECT item_id FROM later_items)"
    log.drop("items at or after", "items", f"{later})", "first seen at or after preprocess.until")
    log.db.execute("DROP TABLE IF EXISTS later_items")


def _require_times(log: RawLog, table: str) -> None:
    if count := log.number(f"SELECT count(*) FROM {table} WHERE time IS NULL"):
        order = log.number(f"SELECT min(ord) FROM {table} WHERE time IS NULL")
        raise DataError(
            f"{log.place(order)}: no time ({count} such row(s)), but preprocess.since or preprocess.until asks for a "
            "period; remove the key, or map a time column"
        )


def _microseconds(moment: datetime) -> int:
    """Return a moment, which has a zone, in microseconds since 1970 UTC."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
