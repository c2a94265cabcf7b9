"""`evaluate`: compute metrics, intervals and comparisons of ranked lists; nothing is fitted."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from interestrec.core.errors import ConfigError, InputMissingError
from interestrec.core.progress import log
from interestrec.corpus.store import Corpus
from interestrec.evaluation import (
    beyond_accuracy,
    bounds,
    deletion_curves,
    gate,
    metric_sums,
    resampling,
    seeds,
    statistics,
    task_rows,
)
from interestrec.evaluation.evaluate_settings import EvaluateSettings
from interestrec.evaluation.measurement import evaluation_context, measure_lists, system_order
from interestrec.evaluation.protocols import EvaluationContext, ProtocolResult
from interestrec.evaluation.report_summary import summarise_report
from interestrec.evaluation.report_verdicts import report_verdicts
from interestrec.evaluation.requirements import MetricBound, parse_bound
from interestrec.evaluation.sampled_users import sample_sentence
from interestrec.evaluation.suppression import suppress_small_groups
from interestrec.io import artifact_files, files, report_schemas, schemas
from interestrec.io.schemas import OURS
from interestrec.metrics.ranking import cutoff
from interestrec.report import html, page_data
from interestrec.stages.placed_work import placed_whole
from interestrec.stages.run import RunContext, StageResult, produce
from interestrec.workspace.artifacts import Artifact, Recipe, open_within


def run(context: RunContext) -> StageResult:
    """Evaluate all ranked systems, with one seed or the mean over several; the artifact is `report`.

    The result contains the findings of the quality gate; a report that fails the gate is written nevertheless.

    Raises:
        ArtifactError: the rankings belong to another corpus or do not differ in their seed alone, or the earlier report
            has other settings.
        ConfigError: a metric is unknown or needs longer lists than those stored, or a requirement names a metric or
            slice that does not exist.
        InputMissingError: the earlier report does not exist.
    """
    requirements = check_gate(context)
    earlier = earlier_report(context)  # opened before the workspace's link moves to the new report
    recipe, rankings, build = _prepared(context, requirements)
    if (requirements or earlier) and OURS not in files.read_json(rankings[0].path / artifact_files.SYSTEMS)["systems"]:
        raise ConfigError(f"the gate checks {OURS}, which is not among the ranked systems; add it to rank.systems")
    if earlier is not None:
        gate.require_same_definitions(earlier, recipe.config)
    if context.placement is not None:
        build = partial(placed_whole, context, "evaluate", recipe)
    result = produce(context, recipe, build, lambda path: summarise_report(path, len(rankings)))
    _warn(result.summary)
    settings = context.settings.evaluate
    sampled = sample_sentence(files.read_json(rankings[0].path / artifact_files.SYSTEMS)["counts"])
    findings = gate.gate_findings(
        result.artifact, requirements, earlier, OURS, settings.bootstrap, context.settings.seed
    )
    return replace(
        result,
        notes=(*([sampled] if sampled else []), *(finding.sentence for finding in findings if finding.ok)),
        failures=tuple(finding.sentence for finding in findings if not finding.ok),
        metrics=files.read_parquet(result.artifact.path / artifact_files.METRICS, report_schemas.METRICS),
    )


def part_writer(context: RunContext) -> Callable[[Path], None]:
    """Return what writes all files of the report into a directory, on a worker."""
    requirements = [*map(parse_bound, context.settings.evaluate.require), *context.gate.require]
    return _prepared(context, requirements)[2]


def _prepared(
    context: RunContext, requirements: list[MetricBound]
) -> tuple[Recipe, list[Artifact], Callable[[Path], None]]:
    """Return the recipe of the report, the rankings that it is on, and what builds it."""
    settings, corpus_artifact = context.settings, context.open("corpus")
    rankings = _rankings(context, corpus_artifact)
    suffixes = [""] if len(rankings) == 1 else [f"_{suffix}" for suffix in range(1, len(rankings) + 1)]
    recipe = Recipe(
        kind="report",
        inputs={
            "corpus": corpus_artifact.digest,
            **{f"rankings{suffix}": ranking.digest for suffix, ranking in zip(suffixes, rankings, strict=True)},
        },
        config={
            **settings.lineage("evaluate"),
            "relevant_at": settings.data.relevant_at,
            "seeds": [ranking.manifest["seed"] for ranking in rankings],
        },
        seed=settings.seed,
    )
    corpus = Corpus(corpus_artifact.path, settings.data.relevant_at)

    def build(directory: Path) -> None:
        evaluation = evaluation_context(corpus, rankings[0].path, settings.evaluate)
        bounds.check_slices(requirements, [part.name for part in evaluation.slices])
        encrypted = settings.runtime.encryption_key is not None
        _build(directory, corpus, rankings, evaluation, settings.evaluate, recipe, with_examples=not encrypted)

    return recipe, rankings, build


def _warn(summary: dict[str, Any]) -> None:
    """Log warnings of a blend that loses and of leaks, even if the report is up to date."""
    for verdicts_by_protocol in summary["verdicts"].values():
        if verdicts_by_protocol.get("blend_minus_best", {}).get("word") == "worse":
            log.warning("evaluate: %s", verdicts_by_protocol["blend"])
    for check in summary["leaks"]:
        log.warning("evaluate: the leak audit found %s; see the report", check)


def check_gate(context: RunContext) -> list[MetricBound]:
    """Return the requirements on the report, checked as far as is possible before rankings exist.

    Raises:
        ConfigError: a requirement names a protocol or metric that the report will not have.
        InputMissingError, ArtifactError: the earlier report is missing or damaged.
    """
    settings = context.settings.evaluate
    requirements = [*map(parse_bound, settings.require), *context.gate.require]
    available = bounds.available_metrics(*metric_sums.split_metric_names(settings.metrics))
    for requirement in requirements:
        bounds.requirement_protocol(requirement, available)
    earlier = earlier_report(context)
    if earlier is not None and settings.min_users > 1:
        raise ConfigError(
            f"evaluate.min_users is {settings.min_users}, so reports keep no values per user, which not_worse_than "
            "compares; require bounds instead, or set evaluate.min_users to 1"
        )
    if earlier is not None and not (earlier.path / artifact_files.PER_USER).exists():
        raise ConfigError(
            f"{earlier.path}: keeps no values per user (its evaluate.min_users is above 1); choose another report"
        )
    return requirements


def earlier_report(context: RunContext) -> Artifact | None:
    """Open the report that the new one must not be worse than; None if the gate names none.

    Raises:
        InputMissingError, ArtifactError: the report is missing or damaged.
    """
    path = context.gate.not_worse_than or context.settings.evaluate.not_worse_than
    if path is None:
        return None
    try:
        return open_within(path, "report")
    except InputMissingError:
        message = "there is no report to compare with; leave not_worse_than out until one exists"
        raise InputMissingError(f"{path}: {message}") from None


def _rankings(context: RunContext, corpus: Artifact) -> list[Artifact]:
    """Open the rankings to evaluate, one or those of several seeds, in the order of seeds."""
    if not context.seeds:
        rankings = [context.open("rankings")]
    else:
        rankings = sorted(
            (open_within(p, "rankings") for p in context.seeds), key=lambda ranking: ranking.manifest["seed"]
        )
    for ranking in rankings:
        ranking.require_input(corpus)
    seeds.require_same_settings(rankings)
    return rankings


def _build(
    directory: Path,
    corpus: Corpus,
    rankings: list[Artifact],
    evaluation: EvaluationContext,
    settings: EvaluateSettings,
    recipe: Recipe,
    with_examples: bool,
) -> None:
    systems_file = files.read_json(rankings[0].path / artifact_files.SYSTEMS)
    systems = system_order(systems_file["systems"])
    ranking_metrics, _ = metric_sums.split_metric_names(settings.metrics)
    top_k = systems_file["settings"]["top_k"]
    for name in ranking_metrics:
        if (cutoff(name) or 0) > top_k:
            raise ConfigError(f"evaluate.metrics: {name} needs longer lists than rank.top_k = {top_k}; raise top_k")
    items = beyond_accuracy.item_statistics(corpus, evaluation.population)
    results = [measure_lists(ranking.path, systems, settings.metrics, items, evaluation) for ranking in rankings]
    averaged = seeds.average_seeds([result for result, _ in results])
    min_users = settings.min_users
    measured = suppress_small_groups(averaged, evaluation.slices, evaluation.n_users, min_users)
    metrics, comparisons, gaps = _write_figures(directory, measured, systems, evaluation, settings, recipe.seed)
    exposure = beyond_accuracy.exposure_rows(
        beyond_accuracy.concatenate([top_lists for _, top_lists in results]),
        evaluation.population.categories,
        min_users,
    )
    _write_rows(directory / artifact_files.EXPOSURE, exposure, report_schemas.EXPOSURE)
    ours = systems_file["systems"].get(OURS, {})
    draws = (evaluation.n_users, settings.bootstrap, recipe.seed)
    verdicts = report_verdicts(metrics, comparisons, measured.cells, systems, ours, *draws)
    files.write_json(directory / artifact_files.VERDICTS, verdicts)
    evidence = page_data.gather_page_data(
        corpus,
        rankings[0].path,
        systems_file,
        metrics,
        evaluation.population.past,
        evaluation.ids,
        recipe.seed,
        min_users=min_users,
        with_examples=with_examples,
    )
    tasks = task_rows.read_task_metrics(rankings[0].path, settings.bootstrap, recipe.seed, min_users)
    if tasks:
        _write_rows(directory / artifact_files.TASK_METRICS, tasks, report_schemas.TASK_METRICS)
    deletions = _deletions(directory, rankings[0].path, settings, recipe.seed)
    files.write_json(directory / artifact_files.AUDIT, [check.values for check in evidence.checks])
    page = html.page(
        metrics=metrics,
        comparisons=comparisons,
        gaps=gaps,
        exposure=exposure,
        verdicts=verdicts,
        evidence=evidence,
        quality=files.read_json(corpus.path / artifact_files.QUALITY),
        systems=systems_file,
        lineage={"config": dict(recipe.config), "inputs": dict(recipe.inputs), "seed": recipe.seed},
        min_users=min_users,
        suppressed=measured.suppressed,
        deletions=deletions,
        tasks=tasks,
    )
    files.write_text(directory / artifact_files.REPORT_PAGE, page)


def _deletions(directory: Path, rankings: Path, settings: EvaluateSettings, seed: int) -> list[dict[str, Any]]:
    """Summarise and write the deletions of rankings; none if `rank.deletion_users` was 0."""
    path = rankings / artifact_files.DELETIONS
    if not path.exists():
        return []
    table = files.read_parquet(path, schemas.DELETIONS)
    rows = deletion_curves.deletion_rows(table, settings.bootstrap, seed, settings.min_users)
    files.write_json(directory / artifact_files.DELETION_CURVES, rows)
    return rows


def _write_figures(
    directory: Path,
    measured: ProtocolResult,
    systems: list[str],
    evaluation: EvaluationContext,
    settings: EvaluateSettings,
    seed: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Write the tables that share the draws of the bootstrap, and the values per user.

    Returns:
        Rows of report_schemas.METRICS, COMPARISONS and GAPS.
    """
    cells, resamples = measured.cells, settings.bootstrap
    draws = resampling.resampled_values(cells, evaluation.n_users, resamples, seed)
    metrics = statistics.metrics_rows(cells, draws, measured.pooled, systems)
    _write_rows(directory / artifact_files.METRICS, metrics, report_schemas.METRICS)
    files.write_json(directory / artifact_files.METRICS_JSON, metrics)
    comparisons = statistics.comparison_rows(cells, systems, OURS, evaluation.n_users, resamples, seed)
    _write_rows(directory / artifact_files.COMPARISONS, comparisons, report_schemas.COMPARISONS)
    gaps = statistics.gap_rows(cells, draws, metric_sums.slices_by_family(evaluation.slices), systems, OURS)
    _write_rows(directory / artifact_files.GAPS, gaps, report_schemas.GAPS)
    files.write_json(
        directory / artifact_files.SLICES, {"left_out": measured.left_out, "rows_suppressed": measured.suppressed}
    )
    if settings.min_users == 1:
        per_user = statistics.per_user_table(cells, systems, evaluation.ids.user)
        files.write_parquet(directory / artifact_files.PER_USER, per_user, report_schemas.PER_USER)
    return metrics, comparisons, gaps


def _write_rows(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    files.write_parquet(path, pa.Table.from_pylist(rows, schema=schema), schema)
