"""Cleaning of coded events: repeats and bursts before the split, robots and k-core on what train tells.

Every rule is counted in `quality.json`.
"""

from interestrec.core.errors import ConfigError
from interestrec.corpus.preprocess_settings import KCoreSettings, RobotSettings
from interestrec.formats.quality_log import EXAMPLES
from interestrec.formats.raw_log import RawLog

_SHOWN = (
    '(SELECT user_id FROM user_codes u WHERE u."user" = events."user") || \' \' || '
    "(SELECT min(item_id) FROM item_codes i WHERE i.item = events.item) || coalesce(' ' || CAST(time AS VARCHAR), '')"
)


def drop_repeated_events(log: RawLog) -> None:
    """Of events equal in user, item, time, type and value keep the first; a missing time equals a missing time."""
    same = '"user", item, time, event, value, split'
    log.db.execute(
        f"CREATE TABLE firsts AS SELECT {same}, min(ord) AS ord, arg_min(place, ord) AS place FROM events GROUP BY ALL"
    )
    rows, kept = log.rows("events"), log.rows("firsts")
    left_out = f"SELECT {_SHOWN} FROM events ANTI JOIN firsts USING (ord, place) ORDER BY ord LIMIT {EXAMPLES}"
    examples = [row[0] for row in log.sql(left_out)] if kept < rows else []
    if kept < rows:
        log.remake("events", 'SELECT "user", item, time, event, value, ord, place, split FROM firsts')
    log.db.execute("DROP TABLE firsts")
    reason = "equal in user, item, time, type and value to an earlier row"
    log.quality.count("repeated events", rows, kept, reason, examples)


def drop_bursts(log: RawLog, seconds: float) -> None:
    """Of a run of events of one user, item and type less than `seconds` apart keep the first: double clicks."""
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
        _SHOWN,
    )
    log.db.execute("DROP TABLE bursts")


def drop_robots(log: RawLog, robots: RobotSettings) -> None:
    """Drop all that robots did, in every split; who is one, train alone tells.

    A robot is a user whom no person is, by rate (events within one minute) or by volume among the users of train: an
    outlier above Q3 + `spread` × (Q3 - Q1) of log(1 + events), Tukey's fence.
    """
    log.db.execute(
        'CREATE TEMP TABLE busy AS SELECT "user", count(*) AS n, '
        'max(n_minute) AS a_minute FROM (SELECT "user", count(time) OVER (PARTITION BY "user", '
        "date_trunc('minute', time)) AS n_minute FROM events WHERE split = 'train') GROUP BY \"user\""
    )
    tests = []
    if robots.a_minute is not None:
        tests.append(f"a_minute > {robots.a_minute}")
    if robots.spread is not None:
        low, high = log.sql("SELECT quantile_cont(ln(1 + n), 0.25), quantile_cont(ln(1 + n), 0.75) FROM busy")[0]
        if low is not None:
            tests.append(f"ln(1 + n) > {high + robots.spread * (high - low)!r}")
    log.db.execute(f'CREATE TEMP TABLE robots AS SELECT "user" FROM busy WHERE {" OR ".join(tests) or "false"}')
    reason = "users who act faster or more often in train than people do"
    log.drop("robots", "events", '"user" IN (FROM robots)', reason, _SHOWN)
    if log.rows("impressions"):
        theirs = 'user_id IN (SELECT user_id FROM user_codes WHERE "user" IN (FROM robots))'
        log.drop("impressions of robots", "impressions", theirs, reason, "user_id")
    log.db.execute("DROP TABLE busy; DROP TABLE robots")


def keep_core(log: RawLog, least: KCoreSettings) -> None:
    """The k-core of train: drop users and items with too few train events until none is left that has too few.

    Users and items without any train event are new, not thin: their later events stay.

    Raises:
        ConfigError: the log records what was shown; dropping candidates would change what was decided.
    """
    if log.rows("impressions"):
        raise ConfigError("preprocess.k_core needs an event log; this format records what was shown")
    log.db.execute(
        "CREATE TEMP TABLE core AS SELECT \"user\", item FROM events WHERE split = 'train';"
        'CREATE TEMP TABLE of_train AS SELECT DISTINCT "user" FROM core;'
        "CREATE TEMP TABLE items_of_train AS SELECT DISTINCT item FROM core"
    )
    while True:
        before = log.rows("core")
        for column, events in (('"user"', least.users), ("item", least.items)):
            log.db.execute(
                f"DELETE FROM core WHERE {column} IN (SELECT {column} FROM core GROUP BY {column} "
                f"HAVING count(*) < {events})"
            )
        if log.rows("core") == before:
            break
    reason = f"fewer than {least.users} train events of the user or {least.items} of the item, to the fixed point"
    log.drop(
        "k-core",
        "events",
        '("user" IN (FROM of_train) AND "user" NOT IN (SELECT "user" FROM core)) OR '
        "(item IN (FROM items_of_train) AND item NOT IN (SELECT item FROM core))",
        reason,
        _SHOWN,
    )
    log.db.execute("DROP TABLE core; DROP TABLE of_train; DROP TABLE items_of_train")
