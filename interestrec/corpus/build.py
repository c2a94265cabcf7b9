"""Builds the tables of a corpus from a raw log: code, clean, split, grade, number, assemble."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import TooFewRowsError
from interestrec.core.progress import log as logger
from interestrec.corpus import assemble, cleaning, grading
from interestrec.corpus.event_codes import code_events
from interestrec.corpus.log_period import keep_period
from interestrec.corpus.numbering import assign_numbers, item_table, user_table
from interestrec.corpus.own_columns import with_item_attributes
from interestrec.corpus.preprocess_settings import PreprocessSettings
from interestrec.corpus.split import SPLIT_METHODS, split
from interestrec.corpus.user_attributes import with_attributes
from interestrec.formats.data_settings import DataSettings
from interestrec.io import artifact_files, files, schemas
from interestrec.rawfiles.raw_log import RawLog

_REQUESTED = ["user", "item", "time", "intensity", "split"]  # columns of the timelines that make an event's request
_MAX_LOSSES = 3  # rules named where no event is left


@dataclass(frozen=True)
class BuiltCorpus:
    """Results of a build that its files do not hold: items with raw texts, counts, and the fitted value maps."""

    items: pa.Table
    counts: dict[str, Any]
    value_maps: dict[str, Any]


def build(
    log: RawLog,
    data: DataSettings,
    settings: PreprocessSettings,
    seed: int,
    directory: Path,
    value_maps: Mapping[str, Any] | None = None,
    may_be_empty: bool = False,
) -> BuiltCorpus:
    """Write users, timelines, impressions and candidates into a directory; `log.quality` counts what cleaning drops.

    Args:
        value_maps, may_be_empty: see `prepare`.

    Raises:
        ConfigError, DataError: see `prepare`.
    """
    fitted = prepare(log, data, settings, seed, value_maps, may_be_empty)
    items = with_item_attributes(log, item_table(log))
    click_weight = grading.click_weight(settings.intensity)
    counts = _write(log, directory, click_weight, SPLIT_METHODS[settings.split.method].by_time)
    return BuiltCorpus(items, {"items": items.num_rows, **counts}, fitted)


def prepare(
    log: RawLog,
    data: DataSettings,
    settings: PreprocessSettings,
    seed: int,
    value_maps: Mapping[str, Any] | None = None,
    may_be_empty: bool = False,
) -> dict[str, Any]:
    """Code, clean, split, grade and number the rows of a log, so that the tables of a corpus can be made from it.

    Args:
        value_maps: see `grading.grade`; new events of a known log need not be positive.
        may_be_empty: whether there need be no event at all.

    Returns:
        The fitted value maps by event type.

    Raises:
        ConfigError, DataError: see the steps.
        TooFewRowsError: no event is left, a split is empty, or no train event is positive.
    """
    keep_period(log, settings.since, settings.until)
    code_events(log)
    if settings.duplicates == "drop":
        cleaning.drop_repeated_events(log)
    if settings.burst_seconds is not None:
        cleaning.drop_bursts(log, settings.burst_seconds)
    if not log.rows("events") and not may_be_empty:
        losses = _largest_losses(log)
        raise TooFewRowsError(f"no event is left after cleaning{losses}; check the files, filters and ids")
    split(log, settings.split, seed)
    if settings.robots is not None:
        cleaning.drop_robots(log, settings.robots)
    if settings.k_core is not None:
        cleaning.keep_core(log, settings.k_core)
    fitted = grading.grade(log, settings.intensity, data.max_bad_rows, value_maps)
    positive = "intensity > 0" if data.relevant_at is None else f"intensity >= CAST({data.relevant_at!r} AS FLOAT)"
    if value_maps is None and not log.number(f"SELECT count(*) FROM events WHERE split = 'train' AND {positive}"):
        raise TooFewRowsError(
            "no train event is positive: none has an intensity of data.relevant_at or more; "
            "check data.relevant_at, preprocess.intensity and the labels"
        )
    assign_numbers(log)
    return fitted


def _largest_losses(log: RawLog) -> str:
    """Return the rules that left out most rows as a part of a sentence; empty if none did."""
    losses = [(rule["rows_in"] - rule["rows_out"], rule) for rule in log.quality.rules if rule["rows_in"]]
    largest = sorted((pair for pair in losses if pair[0]), key=lambda pair: -pair[0])[:_MAX_LOSSES]
    sentences = [f"{rule['rule']} {lost:,} of {rule['rows_in']:,}, {rule['reason']}" for lost, rule in largest]
    return f" ({'; '.join(sentences)})" if sentences else ""


def _write(log: RawLog, directory: Path, click_weight: float, by_time: bool) -> dict[str, Any]:
    """Write all tables except the items; return their row counts, by split where a table has splits."""
    users = with_attributes(log, user_table(log))
    kinds = {name: users.schema.field(name).type for name in log.user_attributes}
    files.write_parquet(directory / artifact_files.USERS, users, schemas.with_attributes(schemas.USERS, kinds))
    events, requests = Counter[str](), Counter[str]()
    timelines = directory / artifact_files.TIMELINES
    files.write_parquet_batches(timelines, _counted(assemble.timelines(log, click_weight), events), schemas.TIMELINES)
    if log.rows("impressions"):
        pairs = assemble.impressions(log, click_weight)
    else:
        log.close()  # the remaining tables are read from the timelines; this frees the database's memory
        pairs = assemble.event_requests(lambda: files.stream_parquet(timelines, _REQUESTED), by_time)
    candidates = 0
    with (
        files.parquet_writer(directory / artifact_files.IMPRESSIONS, schemas.IMPRESSIONS) as write_requests,
        files.parquet_writer(directory / artifact_files.CANDIDATES, schemas.CANDIDATES) as write_candidates,
    ):
        for request, candidate in pairs:
            write_requests(next(_counted(iter([request]), requests)))
            write_candidates(candidate)
            candidates += candidate.num_rows
    return {
        "users": users.num_rows,
        "events": _by_split(events),
        "impressions": _by_split(requests),
        "candidates": candidates,
    }


def _counted(tables: Iterator[pa.Table], counts: Counter[str]) -> Iterator[pa.Table]:
    """Yield the same tables and add their rows to the counts by split."""
    for table in tables:
        for entry in pc.value_counts(table["split"].cast(pa.string())).to_pylist():
            counts[entry["values"]] += entry["counts"]
        yield table


def _by_split(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in schemas.SPLITS}


def report_rules(log: RawLog, command: str) -> None:
    """Log one line per cleaning rule that left out rows, for a command such as `preprocess`."""
    for rule in log.quality.rules:
        left_out = rule["rows_in"] - rule["rows_out"]
        if left_out:
            logger.info(
                "%s: %s: %s of %s left out, %s", command, rule["rule"], left_out, rule["rows_in"], rule["reason"]
            )
