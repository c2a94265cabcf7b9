"""From a raw log to the tables of a corpus: clean, split, grade, number, assemble."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import schemas
from interestrec.core.errors import DataError
from interestrec.core.progress import log as logger
from interestrec.core.raw_log import Log
from interestrec.corpus import assemble, clean
from interestrec.corpus.split import split


@dataclass(frozen=True)
class Plan:
    """How to build; the names and meanings are those of the `data` and `preprocess` settings."""

    relevant_at: float | None
    max_bad_rows: int
    drop_duplicates: bool
    weights: Mapping[str, float]
    limits: tuple[float, float] | None
    method: str
    valid: float
    test: float
    valid_from: str | None
    seed: int


@dataclass(frozen=True)
class Tables:
    """The corpus's tables; texts of items are still raw."""

    items: pa.Table
    users: pa.Table
    timelines: pa.Table
    impressions: pa.Table
    candidates: pa.Table


def build(log: Log, plan: Plan) -> Tables:
    """Build all tables but the tokens; cleaning is counted in `log.quality`.

    Raises:
        ConfigError, DataError: as the steps say, or when no train event is positive.
    """
    if plan.drop_duplicates:
        clean.drop_repeated_events(log)
    clean.resolve(log)
    clean.grade(log, plan.weights, plan.limits, plan.max_bad_rows)
    if not log.rows("events"):
        raise DataError("no event is left after cleaning; check the files, filters and ids (see the counts above)")
    split(log, plan.method, plan.valid, plan.test, plan.valid_from, plan.seed)
    least = "intensity > 0" if plan.relevant_at is None else f"intensity >= CAST({plan.relevant_at!r} AS FLOAT)"
    if not log.number(f"SELECT count(*) FROM events WHERE split = 'train' AND {least}"):
        raise DataError(
            "no train event is positive: none has an intensity of data.relevant_at or more; "
            "check data.relevant_at, preprocess.intensity and the labels"
        )
    assemble.number(log)
    click = clean.click_intensity(plan.weights)
    timelines = assemble.timelines(log, click)
    impressions, candidates = assemble.impressions(log, click, by_time=plan.method != "user_random")
    return Tables(assemble.item_table(log), assemble.user_table(log), timelines, impressions, candidates)


def counts(tables: Tables) -> dict[str, object]:
    """What is in the corpus: numbers of items, users, and of events and impressions a split."""

    def by_split(table: pa.Table) -> dict[str, int]:
        found = {row["values"]: row["counts"] for row in pc.value_counts(table["split"]).to_pylist()}
        return {name: found.get(name, 0) for name in schemas.SPLITS}

    return {
        "items": tables.items.num_rows,
        "users": tables.users.num_rows,
        "events": by_split(tables.timelines),
        "impressions": by_split(tables.impressions),
        "candidates": tables.candidates.num_rows,
    }


def report_rules(log: Log) -> None:
    """One line on screen for every rule that left something out."""
    for rule in log.quality.rules:
        left_out = rule["rows_in"] - rule["rows_out"]
        if left_out:
            logger.info(
                "preprocess: %s: %s of %s left out, %s", rule["rule"], left_out, rule["rows_in"], rule["reason"]
            )
