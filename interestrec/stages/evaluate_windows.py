"""`evaluate --windows`: several test windows of one log together, from the rankings and the report of each."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.config.settings import Settings
from interestrec.corpus import figures
from interestrec.corpus.store import Corpus
from interestrec.evaluation import beyond_accuracy, windows
from interestrec.evaluation.measurement import evaluation_context, measure_lists, system_order
from interestrec.evaluation.suppression import suppress_small_groups
from interestrec.io import artifact_files, files, report_schemas, schemas
from interestrec.report import windows_page
from interestrec.stages.run import RunContext, StageResult, produce
from interestrec.workspace.artifacts import Artifact, Recipe


@dataclass(frozen=True)
class WindowArtifacts:
    """The artifacts of one test window."""

    corpus: Artifact
    rankings: Artifact
    report: Artifact


_KINDS = [field.name for field in fields(WindowArtifacts)]


def run(context: RunContext, artifacts: Mapping[int, WindowArtifacts]) -> StageResult:
    """Evaluate several test windows of one log together; the artifact is `windows`.

    Args:
        artifacts: those of each window by its number; the corpus of window 1 ends last.
    """
    settings = context.settings
    recipe = Recipe(
        kind="windows",
        inputs={f"{kind}_{n}": getattr(of, kind).digest for n, of in artifacts.items() for kind in _KINDS},
        config={**settings.lineage("evaluate"), "relevant_at": settings.data.relevant_at},
        seed=settings.seed,
    )
    build = partial(_build, artifacts=artifacts, settings=settings)
    return produce(context, recipe, build, partial(_summarise, n_windows=len(artifacts)))


def _build(directory: Path, artifacts: Mapping[int, WindowArtifacts], settings: Settings) -> None:
    metrics, comparisons, spans, results = [], [], [], []
    min_users = settings.evaluate.min_users
    for number, of in artifacts.items():
        corpus = Corpus(of.corpus.path, settings.data.relevant_at)
        systems = system_order(files.read_json(of.rankings.path / artifact_files.SYSTEMS)["systems"])
        evaluation = evaluation_context(corpus, of.rankings.path, settings.evaluate)
        items = beyond_accuracy.item_statistics(corpus, evaluation.population)
        measured, _ = measure_lists(of.rankings.path, systems, settings.evaluate.metrics, items, evaluation)
        shown = suppress_small_groups(measured, evaluation.slices, evaluation.n_users, min_users)
        results.append(windows.WindowResult(shown, systems, evaluation.ids.user))
        rows = files.read_parquet(of.report.path / artifact_files.METRICS, report_schemas.METRICS).to_pylist()
        metrics += [{**row, "window": number, "window_sd": None} for row in rows]
        rows = files.read_parquet(of.report.path / artifact_files.COMPARISONS, report_schemas.COMPARISONS).to_pylist()
        comparisons += [{**row, "window": number} for row in rows]
        spans.append({"window": number, **_span(corpus, evaluation.n_users, min_users)})
    pooled = windows.pool_windows(results)
    over_all = windows.window_rows(pooled, settings.evaluate.bootstrap, settings.seed)
    metrics, comparisons = [*over_all[0], *metrics], [*over_all[1], *comparisons]
    tables = {
        artifact_files.METRICS: (metrics, report_schemas.WINDOW_METRICS),
        artifact_files.COMPARISONS: (comparisons, report_schemas.WINDOW_COMPARISONS),
    }
    for name, (table_rows, schema) in tables.items():
        files.write_parquet(directory / name, pa.Table.from_pylist(table_rows, schema=schema), schema)
    files.write_json(directory / artifact_files.METRICS_JSON, metrics)
    verdicts_by_protocol = windows.window_verdicts(metrics, comparisons, pooled, min_users)
    document = {"windows": spans, "verdicts": verdicts_by_protocol}
    files.write_json(directory / artifact_files.WINDOWS, document)
    files.write_text(directory / artifact_files.REPORT_PAGE, windows_page.page(metrics, document, min_users))


def _span(corpus: Corpus, n_users: int, min_users: int) -> dict[str, Any]:
    """Return the number of test users, of events per split, and the first and last time of the test events.

    If `min_users` is above 1, times, which are those of single events, and numbers of events, whose differences between
    windows belong to an unknown number of users, are None, and the number of users is None if it is smaller.
    """
    if min_users > 1:
        shown = n_users if n_users >= min_users else None
        return {"users": shown, "events": dict.fromkeys(schemas.SPLITS), "test_from": None, "test_to": None}
    events = corpus.timelines
    counts = np.bincount(events.split, minlength=len(schemas.SPLITS)).tolist()
    span = figures.time_span(events.time[events.split == schemas.TEST])
    return {
        "users": n_users,
        "events": dict(zip(schemas.SPLITS, counts, strict=True)),
        "test_from": span["first"],
        "test_to": span["last"],
    }


def _summarise(path: Path, n_windows: int) -> dict[str, Any]:
    verdicts_by_protocol = files.read_json(path / artifact_files.WINDOWS)["verdicts"]
    return {
        "report": str(path / artifact_files.REPORT_PAGE),
        "windows": n_windows,
        "findings": [
            {"sentence": windows.window_sentence(verdict, n_windows), "better": None}
            for verdict in verdicts_by_protocol.values()
            if verdict["rival"]
        ],
    }
