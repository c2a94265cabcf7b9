"""`evaluate`: metrics, intervals and comparisons of ranked lists; fits nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import files, schemas
from interestrec.core.artifacts import Artifact, Recipe
from interestrec.core.context import Context, Result, produce
from interestrec.core.errors import ConfigError
from interestrec.core.settings import EvaluateSettings
from interestrec.corpus.store import QUALITY, Corpus
from interestrec.metrics.ranking import cutoff
from interestrec.report import cells, html, statistics
from interestrec.report.cells import ALL, WARM, Cell, Scored
from interestrec.report.table import OURS, by_system
from interestrec.scoring import histories
from interestrec.scoring.requests import Requests

METRICS = "metrics.parquet"


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
    graded = settings.gain == "graded"
    measured = [
        *_impression_cells(corpus, rankings, systems, of_lists, of_rows, graded),
        *_catalogue_cells(corpus, rankings, systems, of_lists, graded, described["settings"]["top_k"]),
    ]
    metrics = statistics.metrics_rows(measured, systems, settings.bootstrap, recipe.seed)
    comparisons = statistics.comparison_rows(measured, systems, OURS, settings.bootstrap, recipe.seed)
    files.write_parquet(directory / METRICS, _table(metrics, schemas.METRICS), schemas.METRICS)
    files.write_json(directory / "metrics.json", metrics)
    files.write_parquet(
        directory / "comparisons.parquet", _table(comparisons, schemas.COMPARISONS), schemas.COMPARISONS
    )
    per_user = statistics.per_user_table(measured, systems, corpus.users["user_id"].combine_chunks())
    files.write_parquet(directory / "per_user.parquet", per_user, schemas.PER_USER)
    page = html.page(
        metrics=metrics,
        comparisons=comparisons,
        quality=files.read_json(corpus.path / QUALITY),
        systems=described,
        lineage={"config": dict(recipe.config), "inputs": dict(recipe.inputs), "seed": recipe.seed},
    )
    files.write_text(directory / "report.html", page)


def _impression_cells(
    corpus: Corpus, rankings: Artifact, systems: list[str], of_lists: list[str], of_rows: list[str], graded: bool
) -> list[Cell]:
    """Cells of the protocols `impressions`, where any impression offers a choice, and `intensity`."""
    columns = ["system", "impression_id", "user_id", "label", "relevant", "score", "intensity"]
    table = files.read_parquet(rankings.path / "impressions.parquet", columns=columns)
    n_users = corpus.users.num_rows
    scored, predicted, label, user = [], [], np.zeros(0), np.zeros(0, dtype=np.int64)
    for system in systems:
        rows = _of_system(table, system)
        label, user = rows["label"].to_numpy(), _numbers(rows["user_id"], corpus.users["user_id"])
        impression = rows["impression_id"].combine_chunks().dictionary_encode().indices.to_numpy()
        first = np.flatnonzero((np.diff(impression, prepend=-1) != 0) | (np.diff(user, prepend=-1) != 0))
        offsets = np.append(first, len(impression))
        relevant = rows["relevant"].fill_null(False).to_numpy()
        ranked = cells.shown_lists(offsets, rows["score"].to_numpy(), label, relevant, graded)
        scored.append(Scored(ranked, user[first]))
        predicted.append(rows["intensity"].to_numpy())
    measured = []
    if any((system.lists.length > 1).any() for system in scored):
        everyone = {ALL: np.ones(n_users, dtype=bool)}
        measured = cells.ranking_cells(cells.IMPRESSIONS, of_lists, scored, n_users, everyone)
    return measured + cells.intensity_cells(of_rows, label, np.stack(predicted, axis=1), user, n_users)


def _catalogue_cells(
    corpus: Corpus, rankings: Artifact, systems: list[str], names: list[str], graded: bool, top_k: int
) -> list[Cell]:
    """Cells of the protocol `catalogue`, over the users with a test impression.

    Relevant items beyond the stored list count as missed, so `mrr` and `rr` give them 0.
    """
    for name in names:
        if (cutoff(name) or 0) > top_k:
            raise ConfigError(f"evaluate.metrics: {name} looks further than rank.top_k = {top_k}; raise top_k")
    names = [name for name in names if name != "auc"]  # needs the whole list, which is not stored
    truth = files.read_parquet(rankings.path / "truth.parquet", schemas.TRUTH)
    table = files.read_parquet(rankings.path / "catalogue.parquet", columns=["system", "user_id", "item_id", "score"])
    requests = histories.of_catalogue(corpus, histories.TEST)
    asked = requests.user
    number = np.full(corpus.users.num_rows, -1, dtype=np.int64)
    number[asked] = np.arange(len(asked))
    user_ids, item_ids = corpus.users["user_id"], corpus.items["item_id"]
    scored = []
    for system in systems:
        rows = _of_system(table, system)
        ranked = cells.cut_lists(
            row_user=number[_numbers(rows["user_id"], user_ids)],
            item=_numbers(rows["item_id"], item_ids),
            score=rows["score"].to_numpy(),
            truth_user=number[_numbers(truth["user_id"], user_ids)],
            truth_item=_numbers(truth["item_id"], item_ids),
            truth_label=truth["label"].to_numpy(),
            truth_relevant=truth["relevant"].to_numpy(),
            n_users=len(asked),
            n_items=len(item_ids),
            graded=graded,
        )
        scored.append(Scored(ranked, asked))
    warm = _warm_users(corpus, requests)
    slices = {ALL: np.ones(len(warm), dtype=bool)}
    if not warm[asked].all():
        slices[WARM] = warm
    return cells.ranking_cells(cells.CATALOGUE, names, scored, len(warm), slices)


def _warm_users(corpus: Corpus, requests: Requests) -> np.ndarray:
    """bool [users]: has a train or valid event, or a history when asking."""
    warm = np.zeros(corpus.users.num_rows, dtype=bool)
    warm[corpus.timelines.user[corpus.timelines.split < histories.TEST]] = True
    warm[requests.user[np.diff(requests.offsets) > 0]] = True
    return warm


def _of_system(table: pa.Table, system: str) -> pa.Table:
    return table.filter(pc.equal(table["system"].cast(pa.string()), system))


def _numbers(ids: pa.ChunkedArray, known: pa.ChunkedArray) -> np.ndarray:
    """int64: the row of each id among the known ones."""
    return pc.index_in(ids, value_set=known.combine_chunks()).to_numpy().astype(np.int64)


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


def _summarise(path: Path) -> dict[str, Any]:
    rows = files.read_parquet(path / METRICS, schemas.METRICS).to_pylist()
    summary: dict[str, Any] = {"report": str(path / "report.html")}
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        summary[protocol] = by_system([row for row in rows if row["protocol"] == protocol and row["slice"] == ALL])
    return summary
