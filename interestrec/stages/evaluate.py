"""`evaluate`: metrics, intervals and comparisons of ranked lists; fits nothing."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from interestrec.core.errors import ConfigError, InputMissingError
from interestrec.core.progress import log
from interestrec.corpus.store import Corpus
from interestrec.evaluation import (
    beyond_accuracy,
    bounds,
    gate,
    leak_audit,
    metric_sums,
    population,
    protocols,
    resampling,
    seeds,
    statistics,
    verdicts,
)
from interestrec.evaluation.evaluate_settings import EvaluateSettings
from interestrec.evaluation.metric_rows import by_system
from interestrec.evaluation.population import PastEvents
from interestrec.evaluation.protocols import EvaluationContext, ProtocolResult
from interestrec.evaluation.ranking_blocks import IdNumbers
from interestrec.evaluation.requirements import MetricBound, parse_bound
from interestrec.evaluation.slices import ALL, all_slices
from interestrec.evaluation.suppression import without_small_groups
from interestrec.io import artifact_files, files, schemas
from interestrec.io.schemas import OURS
from interestrec.metrics.ranking import cutoff
from interestrec.report import html, page_data
from interestrec.scorers import queries
from interestrec.stages.run import RunContext, StageResult, produce
from interestrec.workspace.artifacts import Artifact, Recipe, open_within


def run(context: RunContext) -> StageResult:
    """Evaluate all ranked systems, with one seed or the mean of several; the artifact is `report`.

    What is asked of the report is told in the result: a report that is not good enough is written all the same.

    Raises:
        ArtifactError: the rankings were made from another corpus, do not go together as seeds, or the earlier report
            measures something else.
        ConfigError: an unknown metric, one that looks further than the stored lists, or a requirement of what is not
            there.
        InputMissingError: there is no earlier report to compare with.
    """
    wanted = check_gate(context)
    earlier = _earlier(context)  # before the workspace's report is another one
    corpus_artifact = context.open("corpus")
    rankings = _rankings(context, corpus_artifact)
    if (wanted or earlier) and OURS not in files.read_json(rankings[0].path / artifact_files.SYSTEMS)["systems"]:
        raise ConfigError(f"the gate is about {OURS}, which is not among the ranked systems; add it to rank.systems")
    settings = context.settings
    numbers = [""] if len(rankings) == 1 else [f"_{number}" for number in range(1, len(rankings) + 1)]
    recipe = Recipe(
        kind="report",
        inputs={
            "corpus": corpus_artifact.digest,
            **{f"rankings{number}": one.digest for number, one in zip(numbers, rankings, strict=True)},
        },
        config={
            **settings.lineage("evaluate"),
            "relevant_at": settings.data.relevant_at,
            "seeds": [one.manifest["seed"] for one in rankings],
        },
        seed=settings.seed,
    )
    if earlier is not None:
        gate.require_meaning(earlier, recipe.config)
    corpus = Corpus(corpus_artifact.path, settings.data.relevant_at)

    def build(directory: Path) -> None:
        by = _judged(corpus, rankings[0], settings.evaluate)
        bounds.check_slices(wanted, [one.name for one in by.slices])
        encrypted = settings.runtime.encryption_key is not None
        _build(directory, corpus, rankings, by, settings.evaluate, recipe, with_examples=not encrypted)

    result = produce(context, recipe, build, lambda path: _summarise(path, len(rankings)))
    _warn(result.summary)
    found = gate.gate_findings(result.artifact, wanted, earlier, OURS, settings.evaluate.bootstrap, settings.seed)
    return replace(
        result,
        notes=tuple(finding.sentence for finding in found if finding.good),
        failures=tuple(finding.sentence for finding in found if not finding.good),
        metrics=files.read_parquet(result.artifact.path / artifact_files.METRICS, schemas.METRICS),
    )


def _warn(summary: dict[str, Any]) -> None:
    """Of what nobody should overlook, also when the report is up to date."""
    for said in summary["verdicts"].values():
        if said.get("blend_minus_best", {}).get("word") == "worse":
            log.warning("evaluate: %s", said["blend"])
    for check in summary["leaks"]:
        log.warning("evaluate: the leak audit found %s; see the report", check)


def check_gate(context: RunContext) -> list[MetricBound]:
    """What is required of the report, as far as it can be known before there are rankings.

    Raises:
        ConfigError: a protocol or metric that there will not be.
        InputMissingError, ArtifactError: no earlier report to compare with.
    """
    settings = context.settings.evaluate
    wanted = [*map(parse_bound, settings.require), *context.gate.require]
    having = bounds.available_metrics(*metric_sums.split_names(settings.metrics))
    for requirement in wanted:
        bounds.protocol_of(requirement, having)
    earlier = _earlier(context)
    if earlier is not None and settings.min_users > 1:
        raise ConfigError(
            f"evaluate.min_users is {settings.min_users}, so reports keep no values of users, which not_worse_than "
            "compares; require bounds instead, or set it to 1"
        )
    if earlier is not None and not (earlier.path / artifact_files.PER_USER).exists():
        raise ConfigError(f"{earlier.path}: keeps no values of users (its evaluate.min_users); give another report")
    return wanted


def _earlier(context: RunContext) -> Artifact | None:
    path = context.gate.not_worse_than or context.settings.evaluate.not_worse_than
    if path is None:
        return None
    try:
        return open_within(path, "report")
    except InputMissingError:
        message = "no report here to compare with; leave not_worse_than out until there is one"
        raise InputMissingError(f"{path}: {message}") from None


def _rankings(context: RunContext, corpus: Artifact) -> list[Artifact]:
    """The rankings to evaluate, one or those of several seeds, by seed."""
    if not context.seeds:
        rankings = [context.open("rankings")]
    else:
        rankings = sorted((open_within(p, "rankings") for p in context.seeds), key=lambda one: one.manifest["seed"])
    for one in rankings:
        one.require_input(corpus)
    seeds.require_alike(rankings)
    return rankings


def _build(
    directory: Path,
    corpus: Corpus,
    rankings: list[Artifact],
    by: EvaluationContext,
    settings: EvaluateSettings,
    recipe: Recipe,
    with_examples: bool,
) -> None:
    described = files.read_json(rankings[0].path / artifact_files.SYSTEMS)
    systems = sorted(described["systems"], key=lambda name: (name != OURS, name))
    of_lists, _ = metric_sums.split_names(settings.metrics)
    top_k = described["settings"]["top_k"]
    for name in of_lists:
        if (cutoff(name) or 0) > top_k:
            raise ConfigError(f"evaluate.metrics: {name} looks further than rank.top_k = {top_k}; raise top_k")
    items = beyond_accuracy.beyond_items(corpus, by.facts)
    several = [_measured(one.path, systems, settings.metrics, items, by) for one in rankings]
    averaged = seeds.average_seeds([of_seed for of_seed, _ in several])
    least = settings.min_users
    measured = without_small_groups(averaged, by.slices, by.n_users, least)
    metrics, comparisons, gaps = _write_figures(directory, measured, systems, by, settings, recipe.seed)
    alone = described["systems"].get(OURS, {}).get("alone", {})
    exposure = beyond_accuracy.exposure_rows(
        beyond_accuracy.concatenate([shown for _, shown in several]), by.facts.categories, least
    )
    _write_rows(directory / artifact_files.EXPOSURE, exposure, schemas.EXPOSURE)
    said = verdicts.all_verdicts(metrics, comparisons, alone, statistics.users_behind(measured.cells))
    files.write_json(directory / artifact_files.VERDICTS, said)
    shown_beside = page_data.gather_page_data(
        corpus,
        rankings[0].path,
        described,
        metrics,
        by.facts.past,
        by.ids,
        recipe.seed,
        min_users=least,
        with_examples=with_examples,
    )
    files.write_json(directory / artifact_files.AUDIT, [check.values for check in shown_beside.checks])
    page = html.page(
        metrics=metrics,
        comparisons=comparisons,
        gaps=gaps,
        exposure=exposure,
        verdicts=said,
        evidence=shown_beside,
        quality=files.read_json(corpus.path / artifact_files.QUALITY),
        systems=described,
        lineage={"config": dict(recipe.config), "inputs": dict(recipe.inputs), "seed": recipe.seed},
        min_users=least,
        suppressed=measured.suppressed,
    )
    files.write_text(directory / artifact_files.REPORT_PAGE, page)


def _measured(
    rankings: Path, systems: list[str], metrics: list[str], items: beyond_accuracy.BeyondItems, by: EvaluationContext
) -> tuple[ProtocolResult, Mapping[str, beyond_accuracy.TopLists]]:
    """The metrics of one seed's rankings, and what they show."""
    of_lists, of_rows = metric_sums.split_names(metrics)
    measured = ProtocolResult()
    protocols.impressions(measured, rankings / artifact_files.IMPRESSIONS, systems, of_lists, of_rows, by)
    shown = protocols.catalogue(measured, rankings / artifact_files.CATALOGUE, systems, of_lists, items, by)
    if (rankings / artifact_files.COLD_CATALOGUE).exists():
        protocols.cold_catalogue(measured, rankings / artifact_files.COLD_CATALOGUE, systems, of_lists, by)
    return measured, shown


def _judged(corpus: Corpus, rankings: Artifact, settings: EvaluateSettings) -> EvaluationContext:
    """By what the lists are judged. Users are those with a test impression, in the order of the corpus."""
    requests = queries.catalogue_requests(corpus, queries.TEST)
    ids = IdNumbers(
        user=corpus.users["user_id"].take(pa.array(requests.user)).combine_chunks(),
        item=corpus.items["item_id"].combine_chunks(),
    )
    truth = protocols.truth_of(files.read_parquet(rankings.path / artifact_files.TRUTH, schemas.TRUTH), ids)
    known = population.population_of(
        corpus, requests.user, PastEvents(requests.offsets, requests.item), truth.item[truth.relevant]
    )
    return EvaluationContext(known, all_slices(known), truth, ids, graded=settings.gain == "graded")


def _write_figures(
    directory: Path,
    measured: ProtocolResult,
    systems: list[str],
    by: EvaluationContext,
    settings: EvaluateSettings,
    seed: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Write the tables that need the bootstrap, which draws once for all of them, and the values behind.

    Returns:
        Rows of schemas.METRICS, COMPARISONS and GAPS.
    """
    found, resamples = measured.cells, settings.bootstrap
    drawn = resampling.resampled_values(found, by.n_users, resamples, seed)
    metrics = statistics.metrics_rows(found, drawn, measured.singles, systems)
    _write_rows(directory / artifact_files.METRICS, metrics, schemas.METRICS)
    files.write_json(directory / artifact_files.METRICS_JSON, metrics)
    comparisons = statistics.comparison_rows(found, systems, OURS, by.n_users, resamples, seed)
    _write_rows(directory / artifact_files.COMPARISONS, comparisons, schemas.COMPARISONS)
    gaps = statistics.gap_rows(found, drawn, metric_sums.cells_by_family(by.slices), systems, OURS)
    _write_rows(directory / artifact_files.GAPS, gaps, schemas.GAPS)
    files.write_json(
        directory / artifact_files.SLICES, {"left_out": measured.left_out, "rows_suppressed": measured.suppressed}
    )
    if settings.min_users == 1:
        per_user = statistics.per_user_table(found, systems, by.ids.user)
        files.write_parquet(directory / artifact_files.PER_USER, per_user, schemas.PER_USER)
    return metrics, comparisons, gaps


def _write_rows(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    files.write_parquet(path, pa.Table.from_pylist(rows, schema=schema), schema)


def _summarise(path: Path, n_seeds: int) -> dict[str, Any]:
    rows = files.read_parquet(path / artifact_files.METRICS, schemas.METRICS).to_pylist()
    slices = files.read_json(path / artifact_files.SLICES)
    summary: dict[str, Any] = {
        "report": str(path / artifact_files.REPORT_PAGE),
        "seeds": n_seeds,
        "slices_left_out": sum(len(names) for names in slices["left_out"].values()),
        "rows_suppressed": slices["rows_suppressed"],
        "leaks": [
            check["check"]
            for check in files.read_json(path / artifact_files.AUDIT)
            if check["verdict"] == leak_audit.LOOK
        ],
        "verdicts": files.read_json(path / artifact_files.VERDICTS),
    }
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        summary[protocol] = by_system([row for row in rows if row["protocol"] == protocol and row["slice"] == ALL])
    return summary
