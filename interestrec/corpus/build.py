"""From a raw log to the tables of a corpus: code, clean, split, grade, number, assemble."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import DataError
from interestrec.core.progress import log as logger
from interestrec.corpus import assemble, cleaning, grading
from interestrec.corpus.event_codes import code_events
from interestrec.corpus.preprocess_settings import PreprocessSettings
from interestrec.corpus.split import SPLIT_METHODS, split
from interestrec.corpus.user_attributes import with_attributes
from interestrec.formats.data_settings import DataSettings
from interestrec.formats.raw_log import RawLog
from interestrec.io import artifact_files, files, schemas

_REQUESTED = ["user", "item", "time", "intensity", "split"]  # of timelines, what an event's request is made of


@dataclass(frozen=True)
class BuiltCorpus:
    """What is not in the files: items with raw texts, counts, and the fitted value maps."""

    items: pa.Table
    counts: dict[str, Any]
    value_maps: dict[str, Any]


def build(log: RawLog, data: DataSettings, chosen: PreprocessSettings, seed: int, directory: Path) -> BuiltCorpus:
    """Write users, timelines, impressions and candidates into a directory; cleaning is counted in `log.quality`.

    Raises:
        ConfigError, DataError: as the steps say, or when no train event is positive.
    """
    code_events(log)
    if chosen.duplicates == "drop":
        cleaning.drop_repeated_events(log)
    if chosen.burst_seconds is not None:
        cleaning.drop_bursts(log, chosen.burst_seconds)
    if not log.rows("events"):
        raise DataError("no event is left after cleaning; check the files, filters and ids (see the counts above)")
    split(log, chosen.split, seed)
    if chosen.robots is not None:
        cleaning.drop_robots(log, chosen.robots)
    if chosen.k_core is not None:
        cleaning.keep_core(log, chosen.k_core)
    value_maps = grading.grade(log, chosen.intensity, data.max_bad_rows)
    least = "intensity > 0" if data.relevant_at is None else f"intensity >= CAST({data.relevant_at!r} AS FLOAT)"
    if not log.number(f"SELECT count(*) FROM events WHERE split = 'train' AND {least}"):
        raise DataError(
            "no train event is positive: none has an intensity of data.relevant_at or more; "
            "check data.relevant_at, preprocess.intensity and the labels"
        )
    assemble.number(log)
    items = assemble.item_table(log)
    click_weight = grading.click_weight(chosen.intensity)
    counts = _write(log, directory, click_weight, SPLIT_METHODS[chosen.split.method].by_time)
    return BuiltCorpus(items, {"items": items.num_rows, **counts}, value_maps)


def _write(log: RawLog, directory: Path, click_weight: float, by_time: bool) -> dict[str, Any]:
    """Write all tables but the items; how many rows each has, by split where it has one."""
    users = with_attributes(log, assemble.user_table(log))
    kinds = {name: users.schema.field(name).type for name in log.user_attributes}
    files.write_parquet(directory / artifact_files.USERS, users, schemas.with_attributes(schemas.USERS, kinds))
    events, requests = Counter[str](), Counter[str]()
    timelines = directory / artifact_files.TIMELINES
    files.write_parquet_batches(timelines, _counted(assemble.timelines(log, click_weight), events), schemas.TIMELINES)
    if log.rows("impressions"):
        pairs = assemble.impressions(log, click_weight)
    else:
        log.close()  # the rest is read from the timelines; let go of the database's memory
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
    """The same tables, their rows added up by split on the way."""
    for table in tables:
        for entry in pc.value_counts(table["split"].cast(pa.string())).to_pylist():
            counts[entry["values"]] += entry["counts"]
        yield table


def _by_split(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in schemas.SPLITS}


def report_rules(log: RawLog) -> None:
    """One line on screen for every rule that left something out."""
    for rule in log.quality.rules:
        left_out = rule["rows_in"] - rule["rows_out"]
        if left_out:
            logger.info(
                "preprocess: %s: %s of %s left out, %s", rule["rule"], left_out, rule["rows_in"], rule["reason"]
            )
