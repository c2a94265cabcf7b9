"""Cleaning that needs no statistics of the log, and the grading of events. Every rule is counted."""

from collections.abc import Mapping

from interestrec.core.catalogue import suggestion
from interestrec.core.errors import ConfigError, DataError
from interestrec.core.raw_log import EXAMPLES, Log

CLICK = "click"  # what a stated history consists of


def drop_repeated_events(log: Log) -> None:
    """Of events equal in user, item, time, type and value keep the first; a missing time equals a missing time."""
    log.drop(
        "repeated events",
        "events",
        "ord IN (SELECT ord FROM (SELECT ord, row_number() OVER (PARTITION BY user_id, item_id, time, event, value, "
        "split ORDER BY ord) AS n FROM events) WHERE n > 1)",
        "equal in user, item, time, type and value to an earlier row",
        "user_id || ' ' || item_id || ' ' || coalesce(CAST(time AS VARCHAR), '')",
    )


def resolve(log: Log) -> None:
    """Leave out what refers to items without a row, and second rows of an item in a table of items.

    Impressions without candidates go; those left with one class stay and are counted.
    """
    log.drop(
        "repeated items",
        "items",
        "event_ord IS NULL AND ord NOT IN (SELECT min(ord) FROM items GROUP BY item_id)",
        "a second row for an item; the first one counts",
        "item_id",
    )
    log.drop(
        "unresolved events",
        "events",
        "item_id NOT IN (SELECT item_id FROM items)",
        "the item has no row in the table of items",
        "user_id || ' ' || item_id",
    )
    if log.rows("impressions"):
        _resolve_impressions(log)


def _resolve_impressions(log: Log) -> None:
    """Filter histories and candidates to known items."""
    counts = "SELECT sum(len(history)), sum(len(shown)) FROM impressions"
    before = log.sql(counts)[0]
    log.db.execute("CREATE OR REPLACE TEMP TABLE known AS SELECT DISTINCT item_id FROM items")
    examples = {column: _most_frequent_unknown(log, column) for column in ("history", "shown")}
    log.db.execute(
        "CREATE OR REPLACE TEMP TABLE kept_history AS SELECT ord, list(item_id ORDER BY place) AS history FROM ("
        "SELECT ord, unnest(history) AS item_id, generate_subscripts(history, 1) AS place FROM impressions) "
        "SEMI JOIN known USING (item_id) GROUP BY ord;"
        "CREATE OR REPLACE TEMP TABLE kept_shown AS SELECT ord, list(item_id ORDER BY place) AS shown, "
        "list(label ORDER BY place) AS labels FROM (SELECT ord, unnest(shown) AS item_id, unnest(labels) AS label, "
        "generate_subscripts(shown, 1) AS place FROM impressions) SEMI JOIN known USING (item_id) GROUP BY ord;"
        "CREATE OR REPLACE TABLE impressions AS SELECT impression_id, user_id, time, split, "
        "coalesce(h.history, []) AS history, coalesce(s.shown, []) AS shown, coalesce(s.labels, []) AS labels, ord, "
        "source, row FROM impressions LEFT JOIN kept_history h USING (ord) LEFT JOIN kept_shown s USING (ord) "
        "ORDER BY ord"
    )
    after = log.sql(counts)[0]
    reason = "the item has no row in the table of items"
    log.quality.count("unresolved history entries", int(before[0]), int(after[0]), reason, examples["history"])
    log.quality.count("unresolved candidates", int(before[1]), int(after[1]), reason, examples["shown"])
    log.drop(
        "impressions without candidates",
        "impressions",
        "len(shown) = 0",
        "no candidate is left",
        "source || ':' || row",
    )
    rows = log.rows("impressions")
    single = log.number("SELECT count(*) FROM impressions WHERE list_min(labels) = list_max(labels)")
    reason = "candidates of one class only: kept, but left out of metrics and losses that need two"
    log.quality.count("one-class impressions", rows, rows, f"{reason}: {single}", [])


def _most_frequent_unknown(log: Log, column: str) -> list[str]:
    """Ids without a row that fill most places of a list column, with how many."""
    return [
        f"{item} ({places})"
        for item, places in log.sql(
            f"SELECT item_id, count(*) AS n FROM (SELECT unnest({column}) AS item_id FROM impressions) "
            f"ANTI JOIN known USING (item_id) GROUP BY item_id ORDER BY n DESC, item_id LIMIT {EXAMPLES}"
        )
    ]


def grade(log: Log, weights: Mapping[str, float], limits: tuple[float, float] | None, max_bad_rows: int) -> None:
    """Give every event its intensity: weight of its type × (value - low) / (high - low).

    Args:
        weights: event type -> weight in [0, 1]; all 1 when empty.
        limits: (low, high) of the linear value map, or None where values do not grade.
        max_bad_rows: events tolerated whose value is missing or outside the limits; they are left out.

    Raises:
        ConfigError: a type in the log has no weight.
        DataError: more bad values than tolerated.
    """
    found = [row[0] for row in log.sql("SELECT DISTINCT event FROM events ORDER BY event")]
    missing = [event for event in found if weights and event not in weights]
    if missing:
        listed = ", ".join(weights)
        raise ConfigError(
            f"preprocess.intensity.weights: event type '{missing[0]}' of the log has no weight"
            f"{suggestion(missing[0], weights)}; weights are given for: {listed}"
        )
    if limits is not None:
        _refuse_bad_values(log, limits, max_bad_rows)
    mapped = "1.0" if limits is None else f"(value - {limits[0]!r}) / {limits[1] - limits[0]!r}"
    cases = " ".join(f"WHEN ? THEN {weight!r}" for weight in weights.values())
    weighed = f"CASE event {cases} END" if weights else "1.0"
    log.db.execute(
        f"CREATE OR REPLACE TABLE events AS SELECT *, CAST({weighed} * {mapped} AS FLOAT) AS intensity FROM events",
        list(weights),
    )


def _refuse_bad_values(log: Log, limits: tuple[float, float], max_bad_rows: int) -> None:
    wrong = f"(value IS NULL OR value NOT BETWEEN {limits[0]!r} AND {limits[1]!r})"
    shown = "coalesce(CAST(value AS VARCHAR), 'nothing')"
    bad = log.sql(f"SELECT source, row, {shown} FROM events WHERE {wrong} ORDER BY source, row")
    if len(bad) > max_bad_rows:
        source, row, value = bad[0]
        raise DataError(
            f"{source}:{row}: the value is {value}, preprocess.intensity.value maps {limits[0]:g} to {limits[1]:g}; "
            f"{len(bad)} such row(s), data.max_bad_rows allows {max_bad_rows}: correct the file or the map"
        )
    reason = f"value missing or outside {limits[0]:g} to {limits[1]:g}"
    log.drop("values out of range", "events", wrong, reason, f"source || ':' || row || ': ' || {shown}")


def click_intensity(weights: Mapping[str, float]) -> float:
    """Intensity of a click, which is also that of an entry of a stated history."""
    return weights.get(CLICK, 1.0)
