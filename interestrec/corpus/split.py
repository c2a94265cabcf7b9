"""Splits that do not leak the future; events are split before anything is counted or fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interestrec.core.choices import pick
from interestrec.core.errors import ConfigError, DataError
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
    """

    assign: Callable[[RawLog, str, SplitSettings, int], None]
    needs_times: bool = False
    by_files: bool = False
    by_time: bool = True
    may_lack: tuple[str, ...] = ()


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
    method.assign(log, table, settings, seed)
    if table == "impressions":  # a click is in the split of its impression
        log.replace_table("events", "SELECT e.* EXCLUDE (split), i.split FROM events e JOIN impressions i USING (ord)")
    _require_rows(log, table, method)


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
    _last_of_each_user(log, table, settings, "time, ord")


def _user_random(log: RawLog, table: str, settings: SplitSettings, seed: int) -> None:
    """Assign rows of each user, drawn by a hash of their content and the seed, to test and valid."""
    key = f"md5('{seed}' || ':' || user_id || ':' || "
    if table == "impressions":
        _last_of_each_user(log, table, settings, f"{key}impression_id), ord")
        return
    key += "first_id || ':' || event || ':' || coalesce(value, 0))"
    source = (
        'events JOIN user_codes USING ("user") JOIN '
        "(SELECT item, min(item_id) AS first_id FROM item_codes GROUP BY item) USING (item)"
    )
    _last_of_each_user(log, table, settings, f"{key}, ord", source)


def _last_of_each_user(log: RawLog, table: str, settings: SplitSettings, order: str, source: str = "") -> None:
    user = "user_id" if table == "impressions" else '"user"'
    test, valid = settings.test, settings.valid
    test_rows, valid_rows = (f"floor(total * {share!r} + 1e-9)" for share in (test, valid))
    held_out = f"{test_rows} + {valid_rows}"
    if table == "impressions":
        # Many users have few impressions, each with a logged history. Rounding by the user's hash makes shares right on
        # average, and a single impression can be in test.
        test_rows, held_out = (f"floor(total * {share!r} + spare)" for share in (test, test + valid))
    ranked = (
        f"(SELECT {table}.*, row_number() OVER (PARTITION BY {table}.{user} ORDER BY {order}) AS nth, "
        f"count(*) OVER (PARTITION BY {table}.{user}) AS total, "
        f"md5_number_upper(CAST({table}.{user} AS VARCHAR)) / pow(2.0, 64) AS spare FROM {source or table})"
    )
    is_test, is_held_out = f"nth > total - {test_rows}", f"nth > total - ({held_out})"
    _assign(log, table, ranked, is_test, is_held_out, extra_columns=", nth, total, spare")


def _require_times(log: RawLog, table: str, method: str) -> None:
    count = log.number(f"SELECT count(*) FROM {table} WHERE time IS NULL")
    if count:
        order = log.number(f"SELECT min(ord) FROM {table} WHERE time IS NULL")
        raise DataError(
            f"{log.place(order)}: no time ({count} such row(s)), but preprocess.split.method is {method}; "
            "use user_random, or map a time column"
        )


def _require_rows(log: RawLog, table: str, method: SplitMethod) -> None:
    from interestrec.io.schemas import SPLITS  # it loads pyarrow, and the configuration imports this module

    counts = dict(log.sql(f"SELECT split, count(*) FROM {table} GROUP BY split"))
    for name in SPLITS:
        # Without test files the method `given` has no test on purpose: a model can be trained, but not evaluated.
        if not counts.get(name) and name not in method.may_lack:
            raise DataError(f"the {name} split is empty ({counts or 'no rows'}); check preprocess.split and the log")


# Value of `preprocess.split.method` -> split method.
SPLIT_METHODS: Mapping[str, SplitMethod] = {
    "given": SplitMethod(_given, by_files=True, may_lack=("test",)),
    "global_time": SplitMethod(_global_time, needs_times=True),
    "user_time": SplitMethod(_user_time, needs_times=True),
    "user_random": SplitMethod(_user_random, by_time=False),
    "none": SplitMethod(_none, by_files=True, may_lack=("valid", "test")),
}
