"""Splits that do not leak the future; events are split before anything is counted or fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interestrec.core.choices import pick
from interestrec.core.errors import ConfigError, DataError, TooFewRowsError
from interestrec.rawfiles.raw_log import RawLog

if TYPE_CHECKING:
    from interestrec.corpus.preprocess_settings import SplitSettings

_BUCKET = 3_600_000_000  # microseconds; a cut is located in a histogram first and then within one bucket


@dataclass(frozen=True)
class SplitMethod:
    """An entry of the registry of split methods.

    Args:
        assign: fills the column `split` of a table, `events` or `impressions`; takes the log, the table, the settings
            and the seed.
        needs_times: whether every row must have a time.
        by_files: whether raw files may determine the split of their rows; other methods refuse such files.
        by_time: whether no row of a later split is earlier in time than a row of an earlier split.
        may_lack: splits that may be empty.
        has_windows: whether the log without its test rows can be split again, as an earlier window.
        fewest: rows that a user needs so that some can leave train, of a table and by the settings; 0 = not counted.
    """

    assign: Callable[[RawLog, str, SplitSettings, int], None]
    needs_times: bool = False
    by_files: bool = False
    by_time: bool = True
    may_lack: tuple[str, ...] = ()
    has_windows: bool = False
    fewest: Callable[[str, SplitSettings], int] = lambda table, settings: 0


def split(log: RawLog, settings: SplitSettings, seed: int) -> None:
    """Fill the `split` column of `events`, and of `impressions` where the log has them.

    Where a log has impressions, these are split, and clicks follow their impressions.

    Raises:
        ConfigError: the files determine the split, but the method is another.
        DataError: the method does not fit the log, a time is missing, or a split is empty.
    """
    method = pick(SPLIT_METHODS, settings.method, "split method")
    table = "impressions" if log.rows("impressions") else "events"
    if not method.by_files and log.number(f"SELECT count(DISTINCT split) FROM {table}") > 1:
        raise ConfigError(f"preprocess.split.method is {settings.method}, but data names files per split; use given")
    if method.needs_times:
        _require_times(log, table, settings.method)
    _end_at_window(log, table, settings, seed)
    if fewest := method.fewest(table, settings):
        _count_short_users(log, table, settings.method, fewest)
    method.assign(log, table, settings, seed)
    if table == "impressions":  # a click is in the split of its impression
        log.replace_table("events", "SELECT e.* EXCLUDE (split), i.split FROM events e JOIN impressions i USING (ord)")
    _require_rows(log, table, method, settings)


def _end_at_window(log: RawLog, table: str, settings: SplitSettings, seed: int) -> None:
    """Remove the rows after the window's end: those that are test in a later window, one window after the other.

    With `test: 0.2`, window 2 has the first 80 % of the rows, of which the last 20 % are its test, window 3 the first
    80 % of these. No row is test in two windows, and every window is the split of a log that ends where it ends.
    """
    rows = log.rows(table)
    for _ in range(1, settings.window):
        SPLIT_METHODS[settings.method].assign(log, table, settings, seed)
        log.replace_table(table, f"SELECT * FROM {table} WHERE split <> 'test'")
    if settings.window > 1:
        reason = f"later than the end of window {settings.window} (preprocess.split.window)"
        log.quality.count(f"{table} after the window", rows, log.rows(table), reason)


def windows_refusal(method: str) -> str:
    """Return the sentence that refuses windows of a split method; empty if it has them."""
    if SPLIT_METHODS[method].has_windows:
        return ""
    names = [name for name, entry in SPLIT_METHODS.items() if entry.has_windows]
    return f"a split by method: {method} has no earlier windows; use {', '.join(names[:-1])} or {names[-1]}"


def _given(log: RawLog, table: str, settings: SplitSettings, seed: int) -> None:
    """Split by file; valid without files gets the train rows from `valid_from` on, else the last or a random share."""
    valid_from = settings.valid_from
    if log.number(f"SELECT count(*) FROM {table} WHERE split IS NULL"):
        raise DataError("preprocess.split.method is given, but this format has no files per split; use another method")
    if valid_from is not None:
        if log.number("SELECT count(*) FROM (SELECT try_cast(? AS TIMESTAMP) AS t) WHERE t IS NULL", [valid_from]):
            raise DataError(f"preprocess.split.valid_from '{valid_from}' is not a time; write it like 2026-11-14")
        is_late = "time >= CAST(? AS TIMESTAMP)"
        log.db.execute(f"UPDATE {table} SET split = 'valid' WHERE split = 'train' AND {is_late}", [valid_from])
    elif not log.number(f"SELECT count(*) FROM {table} WHERE split = 'valid'"):
        has_times = log.number(f"SELECT count(*) FROM {table} WHERE split = 'train' AND time IS NULL") == 0
        key = "time" if has_times else f"md5('{seed}' || ':' || user_id || ':' || impression_id)"
        cut = (
            f"SELECT list_sort(list({key}))[1 + CAST(floor(count(*) * {1 - settings.valid!r} + 1e-9) AS BIGINT)] "
            f"FROM {table} WHERE split = 'train'"
        )
        log.db.execute(f"UPDATE {table} SET split = 'valid' WHERE split = 'train' AND {key} >= ({cut})")


def _none(log: RawLog, table: str, settings: SplitSettings, seed: int) -> None:
    """Assign all rows to train, whatever the files determine."""
    _assign(log, table, table, "false", "false")


def _global_time(log: RawLog, table: str, settings: SplitSettings, seed: int) -> None:
    """Assign the last rows of all to test and valid; equal times stay together."""
    cuts = [_cut_time(log, table, share) for share in (1 - settings.test, 1 - settings.valid - settings.test)]
    is_test, is_valid = (f"epoch_us(time) >= {cut}" if cut is not None else "false" for cut in cuts)
    _assign(log, table, table, is_test, is_valid)


def _assign(log: RawLog, table: str, source: str, is_test: str, is_valid: str, extra_columns: str = "") -> None:
    """Set the split by conditions on the columns of `source`: those of the table and `extra_columns`."""
    name = f"CASE WHEN {is_test} THEN 'test' WHEN {is_valid} THEN 'valid' ELSE 'train' END"
    columns = f"* EXCLUDE (split{extra_columns}), CAST({name} AS split_name) AS split"
    log.replace_table(table, f"SELECT {columns} FROM {source}")


def _cut_time(log: RawLog, table: str, share: float) -> int | None:
    """Return the time in microseconds of the first row after the first `share` of rows; None when there is none."""
    rank = int(log.rows(table) * share + 1e-9)
    buckets = log.sql(
        f"SELECT epoch_us(time) // {_BUCKET} AS bucket, count(*) FROM {table} GROUP BY bucket ORDER BY bucket"
    )
    for bucket, count in buckets:
        if rank < count:
            within = f"epoch_us(time) // {_BUCKET} = {bucket}"
            return log.number(f"SELECT epoch_us(time) FROM {table} WHERE {within} ORDER BY time LIMIT 1 OFFSET {rank}")
        rank -= count
    return None


def _user_time(log: RawLog, table: str, settings: SplitSettings, seed: int) -> None:
    """Assign the last rows of each user to test and valid, ties by source row."""
    _last_of_each_user(log, table, settings, seed, "time, ord")


def _user_random(log: RawLog, table: str, settings: SplitSettings, seed: int) -> None:
    """Assign rows of each user, drawn by a hash of their content and the seed, to test and valid."""
    key = f"md5('{seed}' || ':' || user_id || ':' || "
    if table == "impressions":
        _last_of_each_user(log, table, settings, seed, f"{key}impression_id), ord")
        return
    key += "first_id || ':' || event || ':' || coalesce(value, 0))"
    items = "(SELECT item, min(item_id) AS first_id FROM item_codes GROUP BY item)"
    _last_of_each_user(log, table, settings, seed, f"{key}, ord", f"JOIN {items} USING (item)")


def _last_of_each_user(log: RawLog, table: str, settings: SplitSettings, seed: int, order: str, join: str = "") -> None:
    """Assign shares of each user's rows, rounded at random, to test and valid; the last rows in the given order.

    A user with n rows has floor(n × share + r) of them in test, and as many in valid and test together by the sum of
    both shares, with r drawn from [0, 1) by a hash of the seed and the user's id. So the shares hold on average for
    users of every n, and do not depend on other users. Of events, at least one of each user stays in train; where
    n - 1 are fewer than the shares ask for, both are reduced in proportion:

        n    test 0.2, valid 0.1 on average
        1    0, 0            stays in train, and is counted
        2    0.4, 0.2
        10   2, 1            whatever r is
    """
    test, held_out = settings.test, settings.test + settings.valid
    reduced = f"least(total, (total - 1) / {held_out!r})"
    if table == "impressions":  # many users have a single one, with a logged history: it can be in test
        reduced = "total"
    test_rows, held_out_rows = (f"floor({reduced} * {share!r} + draw)" for share in (test, held_out))
    ranked = _ranked(table, order, join, f", {_draw(seed)} AS draw")
    is_test, is_held_out = f"nth > total - {test_rows}", f"nth > total - {held_out_rows}"
    _assign(log, table, ranked, is_test, is_held_out, extra_columns=", nth, total, draw")


def _draw(seed: int) -> str:
    """Return the SQL of a number in [0, 1) by the user's id; 53 bits of the hash are a DOUBLE without rounding."""
    return f"(md5_number_upper('{seed}:share:' || user_id) // 2048) / 9007199254740992.0"


def _leave_last(log: RawLog, table: str, settings: SplitSettings, seed: int) -> None:
    """Assign the last k rows of each user to test and the k before them to valid; with 2 k or fewer, all to train."""
    k = settings.k
    is_long = f"total > {2 * k}"
    is_test, is_held_out = (f"{is_long} AND nth > total - {rows}" for rows in (k, 2 * k))
    _assign(log, table, _ranked(table, "time, ord"), is_test, is_held_out, extra_columns=", nth, total")


def _fewest_of_share(table: str, settings: SplitSettings) -> int:
    """A single event of a user stays in train; a single impression may be in test."""
    return 2 if table == "events" else 0


def _ranked(table: str, order: str, join: str = "", columns: str = "") -> str:
    """Return the SQL of a table with the place `nth` of each row among those of its user, and their `total`."""
    source = f'events JOIN user_codes USING ("user") {join}' if table == "events" else table
    return (
        f"(SELECT {table}.*, row_number() OVER (PARTITION BY user_id ORDER BY {order}) AS nth, "
        f"count(*) OVER (PARTITION BY user_id) AS total{columns} FROM {source})"
    )


def _count_short_users(log: RawLog, table: str, method: str, fewest: int) -> None:
    """Count the users with fewer rows than a split needs, which stay in train."""
    user = '"user"' if table == "events" else "user_id"
    counts = f"SELECT count(*) AS n FROM {table} GROUP BY {user}"
    users, short = log.sql(f"SELECT count(*), count(*) FILTER (WHERE n < {fewest}) FROM ({counts})")[0]
    reason = f"{short} of {users} users have fewer than {fewest} {table}, which stay in train"
    log.quality.count("users too short to split", users, users, reason)
    if short and not log.is_cut:  # the first rows of a file tell nothing about the length of histories
        log.quality.warn(f"preprocess.split.method {method}: {reason}")


def _require_times(log: RawLog, table: str, method: str) -> None:
    count = log.number(f"SELECT count(*) FROM {table} WHERE time IS NULL")
    if count:
        order = log.number(f"SELECT min(ord) FROM {table} WHERE time IS NULL")
        raise DataError(
            f"{log.place(order)}: no time ({count} such row(s)), but preprocess.split.method is {method}; "
            "use user_random, or map a time column"
        )


def _require_rows(log: RawLog, table: str, method: SplitMethod, settings: SplitSettings) -> None:
    from interestrec.io.schemas import SPLITS  # it loads pyarrow, and the configuration imports this module

    counts = dict(log.sql(f"SELECT split, count(*) FROM {table} GROUP BY split"))
    for name in SPLITS:
        # Without test files the method `given` has no test on purpose: a model can be trained, but not evaluated.
        if not counts.get(name) and name not in method.may_lack and not (name == "test" and settings.test == 0):
            raise TooFewRowsError(
                f"the {name} split is empty ({counts or 'no rows'}); check preprocess.split and the log"
            )


# Value of `preprocess.split.method` -> split method.
SPLIT_METHODS: Mapping[str, SplitMethod] = {
    "given": SplitMethod(_given, by_files=True, may_lack=("test",)),
    "global_time": SplitMethod(_global_time, needs_times=True, has_windows=True),
    "user_time": SplitMethod(_user_time, needs_times=True, has_windows=True, fewest=_fewest_of_share),
    "user_random": SplitMethod(_user_random, by_time=False, fewest=_fewest_of_share),
    "leave_last": SplitMethod(
        _leave_last, needs_times=True, has_windows=True, fewest=lambda table, settings: 2 * settings.k + 1
    ),
    # All that there is is train, and `prepare` says whether there may be nothing.
    "none": SplitMethod(_none, by_files=True, may_lack=("train", "valid", "test")),
}
