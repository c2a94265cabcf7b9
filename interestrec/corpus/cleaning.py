"""Cleaning of coded events: repetitions and bursts before the split, robots and k-core by the events of train.

Every rule records its counts in `quality.json`.
"""

from interestrec.core.errors import ConfigError
from interestrec.corpus.preprocess_settings import KCoreSettings, RobotSettings
from interestrec.rawfiles.quality_log import EXAMPLES
from interestrec.rawfiles.raw_log import RawLog

_EXAMPLE_SQL = (
    '(SELECT user_id FROM user_codes u WHERE u."user" = events."user") || \' \' || '
    "(SELECT min(item_id) FROM item_codes i WHERE i.item = events.item) || coalesce(' ' || CAST(time AS VARCHAR), '')"
)


def drop_repeated_events(log: RawLog) -> None:
    """Keep the first of events equal in user, item, time, type and value; missing times equal each other."""
    same = '"user", item, time, event, value, split'
    log.db.execute(
        f"CREATE TABLE firsts AS SELECT {same}, min(ord) AS ord, arg_min(place, ord) AS place FROM events GROUP BY ALL"
    )
    rows, kept = log.rows("events"), log.rows("firsts")
    left_out = f"SELECT {_EXAMPLE_SQL} FROM events ANTI JOIN firsts USING (ord, place) ORDER BY ord LIMIT {EXAMPLES}"
    examples = [row[0] for row in log.sql(left_out)] if kept < rows else []
    if kept < rows:
        log.replace_table("events", 'SELECT "user", item, time, event, value, ord, place, split FROM firsts')
    log.db.execute("DROP TABLE firsts")
    reason = "equal in user, item, time, type and value to an earlier row"
    log.quality.count("repeated events", rows, kept, reason, examples)


def drop_bursts(log: RawLog, seconds: float) -> None:
    """Keep the first of a run of events of one user, item and type less than `seconds` apart, such as double clicks."""
    log.db.execute(
        "CREATE TEMP TABLE bursts AS SELECT ord, place FROM (SELECT ord, place, time - lag(time) OVER (PARTITION BY "
        '"user", item, event, split ORDER BY time, ord) AS gap FROM events) '
        f"WHERE gap < to_microseconds({round(seconds * 1e6)})"
    )
    log.drop(
        "bursts",
        "events",
        "(ord, place) IN (SELECT (ord, place) FROM bursts)",
        f"less than {seconds:g} s after the same event",
        _EXAMPLE_SQL,
    )
    log.db.execute("DROP TABLE bursts")


def drop_robots(log: RawLog, robots: RobotSettings) -> None:
    """Drop the events and impressions of robots in every split; the events of train alone identify robots.

    A robot is a user whose rate (events within one clock minute) or volume (events) in train exceeds that of people.
    The limit of the volume is Tukey's fence, Q3 + `spread` × (Q3 - Q1) of log(1 + events).
    """
    log.db.execute(
        'CREATE TEMP TABLE busy AS SELECT "user", count(*) AS n, '
        'max(n_minute) AS max_per_minute FROM (SELECT "user", count(time) OVER (PARTITION BY "user", '
        "date_trunc('minute', time)) AS n_minute FROM events WHERE split = 'train') GROUP BY \"user\""
    )
    tests = []
    if robots.a_minute is not None:
        tests.append(f"max_per_minute > {robots.a_minute}")
    if robots.spread is not None:
        low, high = log.sql("SELECT quantile_cont(ln(1 + n), 0.25), quantile_cont(ln(1 + n), 0.75) FROM busy")[0]
        if low is not None:
            tests.append(f"ln(1 + n) > {high + robots.spread * (high - low)!r}")
    log.db.execute(f'CREATE TEMP TABLE robots AS SELECT "user" FROM busy WHERE {" OR ".join(tests) or "false"}')
    reason = "users who act faster or more often in train than people do"
    log.drop("robots", "events", '"user" IN (FROM robots)', reason, _EXAMPLE_SQL)
    if log.rows("impressions"):
        condition = 'user_id IN (SELECT user_id FROM user_codes WHERE "user" IN (FROM robots))'
        log.drop("impressions of robots", "impressions", condition, reason, "user_id")
    log.db.execute("DROP TABLE busy; DROP TABLE robots")


def keep_core(log: RawLog, minimum: KCoreSettings) -> None:
    """Reduce train to its k-core: drop users and items with too few train events until all have enough.

    Users and items without any train event are new, and their later count stay.

    Raises:
        ConfigError: the log has impressions, whose candidates must not be dropped.
    """
    if log.rows("impressions"):
        raise ConfigError("preprocess.k_core needs an event log, but this format has impressions; remove the key")
    log.db.execute(
        "CREATE TEMP TABLE core AS SELECT \"user\", item FROM events WHERE split = 'train';"
        'CREATE TEMP TABLE initial_users AS SELECT DISTINCT "user" FROM core;'
        "CREATE TEMP TABLE initial_items AS SELECT DISTINCT item FROM core"
    )
    while True:
        before = log.rows("core")
        for column, count in (('"user"', minimum.users), ("item", minimum.items)):
            log.db.execute(
                f"DELETE FROM core WHERE {column} IN (SELECT {column} FROM core GROUP BY {column} "
                f"HAVING count(*) < {count})"
            )
        if log.rows("core") == before:
            break
    reason = f"fewer than {minimum.users} train events of the user or {minimum.items} of the item, to the fixed point"
    log.drop(
        "k-core",
        "events",
        '("user" IN (FROM initial_users) AND "user" NOT IN (SELECT "user" FROM core)) OR '
        "(item IN (FROM initial_items) AND item NOT IN (SELECT item FROM core))",
        reason,
        _EXAMPLE_SQL,
    )
    log.db.execute("DROP TABLE core; DROP TABLE initial_users; DROP TABLE initial_items")
