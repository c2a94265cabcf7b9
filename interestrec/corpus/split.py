"""Splits that do not leak the future. They are made before anything is counted or fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interestrec.core.choices import pick
from interestrec.core.errors import ConfigError, DataError
from interestrec.formats.raw_log import RawLog

if TYPE_CHECKING:
    from interestrec.corpus.preprocess_settings import SplitSettings

_BUCKET = 3_600_000_000  # microseconds; a cut is found in a histogram first, then within one bucket


@dataclass(frozen=True)
class SplitMethod:
    """An entry of the registry of split methods.

    Args:
        assign: fills the column `split` of a table, `events` or `impressions`; takes the log, the table, the settings
            and the seed.
        needs_times: every row must have a time.
        by_files: the raw files may say the split of their rows; for other methods that is a contradiction.
        by_time: no row of a later split is earlier in time than a row of an earlier split.
        may_lack: splits that may be empty.
    """

    assign: Callable[[RawLog, str, SplitSettings, int], None]
    needs_times: bool = False
    by_files: bool = False
    by_time: bool = True
    may_lack: tuple[str, ...] = ()


def split(log: RawLog, chosen: SplitSettings, seed: int) -> None:
    """Fill the `split` column of `events`, and of `impressions` where the log has them.

    Of a log with impressions these are split, and clicks go with them.

    Raises:
        ConfigError: the files say the split, and the method is another.
        DataError: the method does not fit the log, a time is missing, or a split is empty.
    """
    method = pick(SPLIT_METHODS, chosen.method, "split method")
    table = "impressions" if log.rows("impressions") else "events"
    if not method.by_files and log.number(f"SELECT count(DISTINCT split) FROM {table}") > 1:
        raise ConfigError(f"preprocess.split.method is {chosen.method}, but data names files a split; use given")
    if method.needs_times:
        _require_times(log, table, chosen.method)
    method.assign(log, table, chosen, seed)
    if table == "impressions":  # a click is in the split of its impression
        log.remake("events", "SELECT e.* EXCLUDE (split), i.split FROM events e JOIN impressions i USING (ord)")
    _require_all(log, table, method)


def _given(log: RawLog, table: str, chosen: SplitSettings, seed: int) -> None:
    """By file. Without valid files: train rows from `valid_from` on, else the last share by time, else by seed."""
    valid_from = chosen.valid_from
    if log.number(f"SELECT count(*) FROM {table} WHERE split IS NULL"):
        raise DataError("preprocess.split.method is given, but this format has no files a split; choose another method")
    if valid_from is not None:
        if log.number("SELECT count(*) FROM (SELECT try_cast(? AS TIMESTAMP) AS t) WHERE t IS NULL", [valid_from]):
            raise DataError(f"preprocess.split.valid_from '{valid_from}' is no time; write it like 2026-11-14")
        late = "time >= CAST(? AS TIMESTAMP)"
        log.db.execute(f"UPDATE {table} SET split = 'valid' WHERE split = 'train' AND {late}", [valid_from])
    elif not log.number(f"SELECT count(*) FROM {table} WHERE split = 'valid'"):
        timed = log.number(f"SELECT count(*) FROM {table} WHERE split = 'train' AND time IS NULL") == 0
        key = "time" if timed else f"md5('{seed}' || ':' || user_id || ':' || impression_id)"
        cut = (
            f"SELECT list_sort(list({key}))[1 + CAST(floor(count(*) * {1 - chosen.valid!r} + 1e-9) AS BIGINT)] "
            f"FROM {table} WHERE split = 'train'"
        )
        log.db.execute(f"UPDATE {table} SET split = 'valid' WHERE split = 'train' AND {key} >= ({cut})")


def _none(log: RawLog, table: str, chosen: SplitSettings, seed: int) -> None:
    """All is train, whatever the files say."""
    _assign(log, table, table, "false", "false")


def _global_time(log: RawLog, table: str, chosen: SplitSettings, seed: int) -> None:
    """The last rows of all; equal times stay together."""
    cuts = [_time_at(log, table, share) for share in (1 - chosen.test, 1 - chosen.valid - chosen.test)]
    tested, validated = (f"epoch_us(time) >= {cut}" if cut is not None else "false" for cut in cuts)
    _assign(log, table, table, tested, validated)


def _assign(log: RawLog, table: str, source: str, tested: str, validated: str, helpers: str = "") -> None:
    """Set the split by conditions on the columns of `source`, which has those of the table and helping ones."""
    chosen = f"CAST(CASE WHEN {tested} THEN 'test' WHEN {validated} THEN 'valid' ELSE 'train' END AS split_name)"
    log.remake(table, f"SELECT * EXCLUDE (split{helpers}), {chosen} AS split FROM {source}")


def _time_at(log: RawLog, table: str, share: float) -> int | None:
    """Microseconds of the row at which what comes after the first `share` by time begins; None beyond the last."""
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


def _user_time(log: RawLog, table: str, chosen: SplitSettings, seed: int) -> None:
    """The last rows of each user, ties by source row."""
    _last_of_each_user(log, table, chosen, "time, ord")


def _user_random(log: RawLog, table: str, chosen: SplitSettings, seed: int) -> None:
    """Rows of each user drawn by a hash of their content and the seed."""
    key = f"md5('{seed}' || ':' || user_id || ':' || "
    if table == "impressions":
        _last_of_each_user(log, table, chosen, f"{key}impression_id), ord")
        return
    key += "first_id || ':' || event || ':' || coalesce(value, 0))"
    source = (
        'events JOIN user_codes USING ("user") JOIN '
        "(SELECT item, min(item_id) AS first_id FROM item_codes GROUP BY item) USING (item)"
    )
    _last_of_each_user(log, table, chosen, f"{key}, ord", source)


def _last_of_each_user(log: RawLog, table: str, chosen: SplitSettings, order: str, source: str = "") -> None:
    user = "user_id" if table == "impressions" else '"user"'
    tested, validated = (f"floor(total * {share!r} + 1e-9)" for share in (chosen.test, chosen.valid))
    both = f"{tested} + {validated}"
    if table == "impressions":
        # Many users have a few only, and their histories are stated: rounded by the user's hash, shares are right on
        # average and even an only impression can be a test.
        tested, both = (f"floor(total * {share!r} + spare)" for share in (chosen.test, chosen.test + chosen.valid))
    ranked = (
        f"(SELECT {table}.*, row_number() OVER (PARTITION BY {table}.{user} ORDER BY {order}) AS nth, "
        f"count(*) OVER (PARTITION BY {table}.{user}) AS total, "
        f"md5_number_upper(CAST({table}.{user} AS VARCHAR)) / pow(2.0, 64) AS spare FROM {source or table})"
    )
    _assign(log, table, ranked, f"nth > total - {tested}", f"nth > total - ({both})", helpers=", nth, total, spare")


def _require_times(log: RawLog, table: str, method: str) -> None:
    count = log.number(f"SELECT count(*) FROM {table} WHERE time IS NULL")
    if count:
        order = log.number(f"SELECT min(ord) FROM {table} WHERE time IS NULL")
        raise DataError(
            f"{log.place(order)}: no time, and {count} such row(s), but preprocess.split.method is {method}; "
            "use user_random, or map a time column"
        )


def _require_all(log: RawLog, table: str, method: SplitMethod) -> None:
    from interestrec.io.schemas import SPLITS  # loads pyarrow, which the configuration does without

    counts = dict(log.sql(f"SELECT split, count(*) FROM {table} GROUP BY split"))
    for name in SPLITS:
        # Without test files a given split has no test on purpose: the model is trained, ranking says what is missing.
        if not counts.get(name) and name not in method.may_lack:
            raise DataError(f"the {name} split is empty ({counts or 'no rows'}); check preprocess.split and the log")


# Split methods by the name that `preprocess.split.method` takes.
SPLIT_METHODS: Mapping[str, SplitMethod] = {
    "given": SplitMethod(_given, by_files=True, may_lack=("test",)),
    "global_time": SplitMethod(_global_time, needs_times=True),
    "user_time": SplitMethod(_user_time, needs_times=True),
    "user_random": SplitMethod(_user_random, by_time=False),
    "none": SplitMethod(_none, by_files=True, may_lack=("valid", "test")),
}
