"""`evaluate`: metrics, intervals and comparisons of ranked lists; fits nothing."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from interestrec.core import files, schemas
from interestrec.core.artifacts import Artifact, Recipe
from interestrec.core.context import Context, Result, produce
from interestrec.core.errors import ConfigError
from interestrec.core.schemas import OURS
from interestrec.core.settings import EvaluateSettings
from interestrec.corpus.store import QUALITY, Corpus
from interestrec.metrics.ranking import cutoff
from interestrec.report import audit, beyond, cells, evidence, facts, html, protocols, resampling, statistics, verdicts
from interestrec.report.facts import Past
from interestrec.report.html import Evidence
from interestrec.report.protocols import Judged, Measured
from interestrec.report.rankings import Ids
from interestrec.report.slices import ALL, all_slices
from interestrec.report.table import by_system
from interestrec.scoring import histories

METRICS = "metrics.parquet"
SLICES = "slices.json"
AUDIT = "audit.json"
VERDICTS = "verdicts.json"
COLD_CATALOGUE = "cold_catalogue.parquet"


def run(context: Context) -> Result:
    """Evaluate all ranked systems; the artifact is `report`.

    Raises:
        ArtifactError: the rankings were made from another corpus.
        ConfigError: an unknown metric, or one that looks further than the stored lists.
    """
    corpus_artifact, rankings = context.open("corpus"), context.open("rankings")
    rankings.require_input(corpus_artifact)
    settings = context.settings
    recipe = Recipe(
        kind="report",
        inputs={artifact.kind: artifact.digest for artifact in (corpus_artifact, rankings)},
        config={**settings.lineage("evaluate"), "relevant_at": settings.data.relevant_at},
        seed=settings.seed,
    )
    corpus = Corpus(corpus_artifact.path, settings.data.relevant_at)

    def build(directory: Path) -> None:
        _build(directory, corpus, rankings, settings.evaluate, recipe)

    return produce(context, recipe, build, _summarise)


def _build(directory: Path, corpus: Corpus, rankings: Artifact, settings: EvaluateSettings, recipe: Recipe) -> None:
    described = files.read_json(rankings.path / "systems.json")
    systems = sorted(described["systems"], key=lambda name: (name != OURS, name))
    of_lists, of_rows = cells.split_names(settings.metrics)
    top_k = described["settings"]["top_k"]
    for name in of_lists:
        if (cutoff(name) or 0) > top_k:
            raise ConfigError(f"evaluate.metrics: {name} looks further than rank.top_k = {top_k}; raise top_k")
    by = _judged(corpus, rankings, settings)
    measured = Measured()
    protocols.impressions(measured, rankings.path / "impressions.parquet", systems, of_lists, of_rows, by)
    items = beyond.of_corpus(corpus, by.facts)
    shown = protocols.catalogue(measured, rankings.path / "catalogue.parquet", systems, of_lists, items, by)
    if (rankings.path / COLD_CATALOGUE).exists():
        protocols.cold_catalogue(measured, rankings.path / COLD_CATALOGUE, systems, of_lists, by)
    _write_figures(directory, measured, systems, by, settings.bootstrap, recipe.seed)
    exposure = beyond.exposure_rows(shown, by.facts.categories)
    _write_rows(directory / "exposure.parquet", exposure, schemas.EXPOSURE)
    metrics = files.read_json(directory / "metrics.json")
    comparisons = files.read_parquet(directory / "comparisons.parquet").to_pylist()
    said = verdicts.all_verdicts(metrics, comparisons, described["systems"].get(OURS, {}).get("alone", {}))
    files.write_json(directory / VERDICTS, said)
    shown_beside = _evidence(corpus, rankings, described, metrics, by.ids, recipe.seed)
    files.write_json(directory / AUDIT, [check.values for check in shown_beside.checks])
    page = html.page(
        metrics=metrics,
        comparisons=comparisons,
        gaps=files.read_parquet(directory / "gaps.parquet").to_pylist(),
        exposure=exposure,
        evidence=shown_beside,
        quality=files.read_json(corpus.path / QUALITY),
        systems=described,
        lineage={"config": dict(recipe.config), "inputs": dict(recipe.inputs), "seed": recipe.seed},
    )
    files.write_text(directory / "report.html", page)


def _evidence(
    corpus: Corpus,
    rankings: Artifact,
    described: dict[str, Any],
    metrics: list[dict[str, Any]],
    ids: Ids,
    seed: int,
) -> Evidence:
    """What the page shows beside figures; without our system only the audit of the corpus."""
    checks = audit.audit(corpus)
    if OURS not in described["systems"]:
        return Evidence(checks)
    impressions, catalogue = rankings.path / "impressions.parquet", rankings.path / "catalogue.parquet"
    if (check := audit.permuted(evidence.permuted_auc(impressions, ids, seed))) is not None:
        checks = [*checks, check]
    rival = verdicts.strongest_rival(metrics, cells.CATALOGUE, OURS)
    shown = list(dict.fromkeys(s for s in (OURS, rival, "popularity") if s is not None and s in described["systems"]))
    truth = files.read_parquet(rankings.path / "truth.parquet", schemas.TRUTH)
    log = rankings.path / "training_log.parquet"
    components = list(described["systems"][OURS].get("components", {}))
    return Evidence(
        checks=checks,
        reliability=evidence.reliability(impressions),
        found_by_rank=evidence.found_by_rank(catalogue, truth, shown, described["settings"]["top_k"]),
        training=evidence.training_curves(files.read_parquet(log, schemas.TRAINING_LOG)) if log.exists() else {},
        examples=evidence.examples(corpus, catalogue, truth, components, seed),
    )


def _judged(corpus: Corpus, rankings: Artifact, settings: EvaluateSettings) -> Judged:
    """By what the lists are judged. Users are those with a test impression, in the order of the corpus."""
    requests = histories.of_catalogue(corpus, histories.TEST)
    ids = Ids(
        user=corpus.users["user_id"].take(pa.array(requests.user)).combine_chunks(),
        item=corpus.items["item_id"].combine_chunks(),
    )
    truth = protocols.truth_of(files.read_parquet(rankings.path / "truth.parquet", schemas.TRUTH), ids)
    known = facts.of_corpus(corpus, requests.user, Past(requests.offsets, requests.item), truth.item[truth.relevant])
    return Judged(known, all_slices(known), truth, ids, graded=settings.gain == "graded")


def _write_figures(
    directory: Path, measured: Measured, systems: list[str], by: Judged, resamples: int, seed: int
) -> None:
    """The tables that need the bootstrap, which draws once for all of them, and the values behind."""
    found = measured.cells
    drawn = resampling.resampled_values(found, by.n_users, resamples, seed)
    metrics = statistics.metrics_rows(found, drawn, measured.singles, systems)
    _write_rows(directory / METRICS, metrics, schemas.METRICS)
    files.write_json(directory / "metrics.json", metrics)
    comparisons = statistics.comparison_rows(found, drawn, systems, OURS, by.n_users, resamples, seed)
    _write_rows(directory / "comparisons.parquet", comparisons, schemas.COMPARISONS)
    gaps = statistics.gap_rows(found, drawn, cells.by_family(by.slices), systems, OURS)
    _write_rows(directory / "gaps.parquet", gaps, schemas.GAPS)
    files.write_json(directory / SLICES, {"left_out": measured.left_out})
    per_user = statistics.per_user_table(found, systems, by.ids.user)
    files.write_parquet(directory / "per_user.parquet", per_user, schemas.PER_USER)


def _write_rows(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    files.write_parquet(path, pa.Table.from_pylist(rows, schema=schema), schema)


def _summarise(path: Path) -> dict[str, Any]:
    rows = files.read_parquet(path / METRICS, schemas.METRICS).to_pylist()
    left_out = files.read_json(path / SLICES)["left_out"]
    summary: dict[str, Any] = {
        "report": str(path / "report.html"),
        "slices_left_out": sum(len(names) for names in left_out.values()),
        "leaks": [check["check"] for check in files.read_json(path / AUDIT) if check["verdict"] == audit.LOOK],
        "verdicts": files.read_json(path / VERDICTS),
    }
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        summary[protocol] = by_system([row for row in rows if row["protocol"] == protocol and row["slice"] == ALL])
    return summary
