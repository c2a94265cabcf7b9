"""Splits that do not leak the future. They are made before anything is counted or fitted."""

from interestrec.core.errors import DataError
from interestrec.core.raw_log import Log
from interestrec.core.schemas import SPLITS


def split(log: Log, method: str, valid: float, test: float, valid_from: str | None, seed: int) -> None:
    """Fill the `split` column of `events`, and of `impressions` where the log has them.

    Args:
        method: `given` (by file; without valid files and `valid_from` the last share of train by time, else by
            seed), `global_time` (the last events of all; equal times stay together), `user_time` (the last of each
            user, ties by source row) or `user_random`.
        valid, test: shares.
        valid_from: time from which train rows are valid, for `given`.

    Raises:
        DataError: the method does not fit the log, a time is missing, or a split is empty.
    """
    table = "impressions" if log.rows("impressions") else "events"
    if method == "given":
        _given(log, table, valid, valid_from, seed)
    elif table == "impressions":
        raise DataError(f"preprocess.split.method is {method}, but this format brings its splits; use given")
    else:
        if method.endswith("_time"):
            _require_times(log, method)
        _BY_EVENT[method](log, valid, test, seed)
    if table == "impressions":  # a click is in the split of its impression
        log.db.execute(
            "UPDATE events SET split = i.split FROM impressions i WHERE events.source = i.source AND events.row = i.row"
        )
    _require_all(log, table, method)


def _given(log: Log, table: str, valid: float, valid_from: str | None, seed: int) -> None:
    if log.number(f"SELECT count(*) FROM {table} WHERE split IS NULL"):
        raise DataError("preprocess.split.method is given, but this format has no files a split; choose another method")
    if valid_from is not None:
        if log.number("SELECT count(*) FROM (SELECT try_cast(? AS TIMESTAMP) AS t) WHERE t IS NULL", [valid_from]):
            raise DataError(f"preprocess.split.valid_from '{valid_from}' is no time; write it like 2026-11-14")
        log.db.execute(
            f"UPDATE {table} SET split = 'valid' WHERE split = 'train' AND time >= CAST(? AS TIMESTAMP)", [valid_from]
        )
    elif not log.number(f"SELECT count(*) FROM {table} WHERE split = 'valid'"):
        timed = log.number(f"SELECT count(*) FROM {table} WHERE split = 'train' AND time IS NULL") == 0
        key = "time" if timed else f"md5('{seed}' || ':' || user_id || ':' || impression_id)"
        log.db.execute(
            f"UPDATE {table} SET split = 'valid' WHERE split = 'train' AND {key} >= ({_cut(key, table, 1 - valid)} "
            "WHERE split = 'train')"
        )


def _cut(key: str, table: str, share: float) -> str:
    """SQL of the key at which the part after the first `share` of the rows begins; takes a WHERE clause."""
    return f"SELECT list_sort(list({key}))[1 + CAST(floor(count(*) * {share!r} + 1e-9) AS BIGINT)] FROM {table}"


def _global_time(log: Log, valid: float, test: float, seed: int) -> None:
    valid_cut, test_cut = _cut("time", "events", 1 - valid - test), _cut("time", "events", 1 - test)
    log.db.execute(
        f"UPDATE events SET split = CASE WHEN time >= ({test_cut}) THEN 'test' "
        f"WHEN time >= ({valid_cut}) THEN 'valid' ELSE 'train' END"
    )


def _user_time(log: Log, valid: float, test: float, seed: int) -> None:
    _last_of_each_user(log, valid, test, "time, ord")


def _user_random(log: Log, valid: float, test: float, seed: int) -> None:
    key = f"md5('{seed}' || ':' || user_id || ':' || item_id || ':' || event || ':' || coalesce(value, 0))"
    _last_of_each_user(log, valid, test, f"{key}, ord")


def _last_of_each_user(log: Log, valid: float, test: float, order: str) -> None:
    tested, validated = (f"floor(total * {share!r} + 1e-9)" for share in (test, valid))
    log.db.execute(
        f"UPDATE events SET split = CASE WHEN n > total - {tested} THEN 'test' "
        f"WHEN n > total - {tested} - {validated} THEN 'valid' ELSE 'train' END "
        "FROM (SELECT ord AS o, row_number() OVER (PARTITION BY user_id ORDER BY "
        f"{order}) AS n, count(*) OVER (PARTITION BY user_id) AS total FROM events) ranked WHERE events.ord = ranked.o"
    )


_BY_EVENT = {"global_time": _global_time, "user_time": _user_time, "user_random": _user_random}


def _require_times(log: Log, method: str) -> None:
    without = log.sql("SELECT source, row FROM events WHERE time IS NULL ORDER BY ord LIMIT 1")
    if without:
        source, row = without[0]
        count = log.number("SELECT count(*) FROM events WHERE time IS NULL")
        raise DataError(
            f"{source}:{row}: no time, and {count} such row(s), but preprocess.split.method is {method}; "
            "use user_random, or map a time column"
        )


def _require_all(log: Log, table: str, method: str) -> None:
    counts = dict(log.sql(f"SELECT split, count(*) FROM {table} GROUP BY split"))
    for name in SPLITS:
        # Without test files a given split has no test on purpose: the model is trained, ranking says what is missing.
        if not counts.get(name) and not (name == "test" and method == "given"):
            raise DataError(f"the {name} split is empty ({counts or 'no rows'}); check preprocess.split and the log")
