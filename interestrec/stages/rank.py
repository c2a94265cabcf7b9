"""`rank`: fit every system, choose blend weights on validation, refit, score the test split."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.core import files, schemas
from interestrec.core.artifacts import Artifact, Recipe
from interestrec.core.context import Context, Result, produce
from interestrec.core.errors import ArtifactError, DataError
from interestrec.core.progress import track
from interestrec.core.rank_settings import RankSettings
from interestrec.corpus.store import Corpus
from interestrec.scoring import content, histories, tables, tfidf
from interestrec.scoring.blocks import blocks
from interestrec.scoring.decision import score_asked, score_whole_catalogue
from interestrec.scoring.fit_blend import blend_impressions
from interestrec.scoring.lineup import OURS, Lineup
from interestrec.scoring.lineup import fit as fit_lineup
from interestrec.scoring.random import Random, id_hashes
from interestrec.scoring.requests import Reading, Requests, Scorer
from interestrec.scoring.systems import fit_counts, fit_labels, needed

IMPRESSIONS = "impressions.parquet"
CATALOGUE = "catalogue.parquet"
TRUTH = "truth.parquet"
SYSTEMS = "systems.json"
_ASKED_TOGETHER = 1 << 14  # requests


def run(context: Context) -> Result:
    """Fit and score all configured systems; the artifact is `rankings`.

    Raises:
        ArtifactError: the model was built from another corpus or encoder.
        DataError: the corpus has no test impressions, or no positive event to fit on.
    """
    corpus_artifact, encoder, model = (context.open(kind) for kind in ("corpus", "encoder", "model"))
    model.require_input(corpus_artifact)
    model.require_input(encoder)
    settings = context.settings
    recipe = Recipe(
        kind="rankings",
        inputs={artifact.kind: artifact.digest for artifact in (corpus_artifact, encoder, model)},
        config={**settings.lineage("rank"), "relevant_at": settings.data.relevant_at},
        seed=settings.seed,
    )
    corpus = Corpus(corpus_artifact.path, settings.data.relevant_at)

    def build(directory: Path) -> None:
        reading = Reading(model.path, encoder.path, corpus, settings.workspace, _asking(corpus))
        _build(directory, corpus, model, reading, settings.rank, settings.seed)

    return produce(context, recipe, build, _summarise)


def _build(
    directory: Path, corpus: Corpus, model: Artifact, reading: Reading, settings: RankSettings, seed: int
) -> None:
    if not (corpus.impressions.split == histories.TEST).any():
        raise DataError(f"{corpus.path}: the test split is empty, so there is nothing to rank; check preprocess.split")
    train = histories.positive_events(corpus, before=histories.VALID)
    if len(train.item) == 0:
        raise DataError(f"{corpus.path}: no train event is relevant; check data.relevant_at and event weights")
    names = needed(list(settings.systems), list(settings.components))
    options = _options(corpus, settings, seed)
    fixed = _fixed_scorers(corpus, model, reading, names, options, seed)
    inputs = _inputs(corpus, model, names, options)
    fitted = _fitted(corpus, names, inputs, before=histories.VALID)
    systems, components = list(settings.systems), list(settings.components)
    lineup = fit_lineup(corpus, systems, components, {**fixed, **fitted}, settings.seen == "out", seed)
    if settings.refit:
        lineup = lineup.over({**fixed, **_fitted(corpus, names, inputs, before=histories.TEST)})
    layout = tables.Layout(
        corpus=corpus,
        systems=systems,
        components=list(dict.fromkeys(["intensity", *(components if OURS in systems else [])])),
        precedence=id_hashes(corpus.items["item_id"].to_pylist(), seed),
    )
    schema = schemas.with_components(schemas.RANKED_IMPRESSIONS, layout.components)
    files.write_parquet_batches(directory / IMPRESSIONS, _impressions(layout, lineup), schema)
    requests = histories.of_catalogue(corpus, histories.TEST)
    schema = schemas.with_components(schemas.RANKED_CATALOGUE, layout.components)
    files.write_parquet_batches(directory / CATALOGUE, _catalogue(layout, lineup, requests, settings), schema)
    truth = histories.truth_of(corpus, requests, histories.TEST)
    judged = tables.truth_table(corpus, requests, truth, exclude_seen=settings.seen == "out")
    files.write_parquet(directory / TRUTH, judged, schemas.TRUTH)
    description = _describe(
        lineup,
        settings,
        options,
        {
            "train_events": len(train.item),
            "catalogue_users": len(requests),
            "catalogue_users_without_history": int((np.diff(requests.offsets) == 0).sum()),
            "truth_pairs": judged.num_rows,
            "truth_pairs_seen_before": int(truth.seen.sum()),
        },
    )
    files.write_json(directory / SYSTEMS, description)


def _asking(corpus: Corpus) -> Iterator[Requests]:
    """Blocks of all requests that scorers will see, and of some more."""
    impressions = np.sort(
        np.concatenate([blend_impressions(corpus), np.flatnonzero(corpus.impressions.split == histories.TEST)])
    )
    for start in range(0, len(impressions), _ASKED_TOGETHER):
        yield histories.of_impressions(corpus, impressions[start : start + _ASKED_TOGETHER]).requests
    for split in (histories.VALID, histories.TEST):
        users = ~corpus.in_valid_select if split == histories.VALID else None
        requests = histories.of_catalogue(corpus, split, users)
        for start in range(0, len(requests), _ASKED_TOGETHER):
            yield requests.block(start, start + _ASKED_TOGETHER)


def _fitted(corpus: Corpus, names: list[str], options: dict[str, dict[str, Any]], before: int) -> dict[str, Scorer]:
    counted = fit_counts(names, histories.positive_events(corpus, before), options)
    return {**counted, **fit_labels(names, histories.known_labels(corpus, before), options)}


def _inputs(
    corpus: Corpus, model: Artifact, names: list[str], options: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The options, and beside them the vectors that item_item reads."""
    if "item_item" not in names:
        return options
    return {**options, "item_item": {**options["item_item"], "unit": content.unit_rows(_frozen(corpus, model))}}


def _frozen(corpus: Corpus, model: Artifact) -> np.ndarray:
    vectors = files.read_safetensors(model.path / "item_vectors.safetensors").get("frozen")
    if vectors is None or len(vectors) != corpus.items.num_rows:
        raise ArtifactError(f"{model.path}: item_vectors.safetensors does not fit the corpus; run finetune again")
    return vectors


def _fixed_scorers(
    corpus: Corpus, model: Artifact, reading: Reading, names: list[str], options: dict[str, dict[str, Any]], seed: int
) -> dict[str, Scorer]:
    """Those of the named scorers that are not fitted here."""

    def intensity() -> Scorer:
        from interestrec.scoring.intensity import load_intensity  # TensorFlow only where it is asked for

        return load_intensity(model.path, reading)

    def frozen() -> Scorer:
        return content.fit(_frozen(corpus, model))

    def words() -> Scorer:
        titles, texts = (corpus.items[name].to_pylist() for name in ("title", "text"))
        both = [f"{title} {text}" for title, text in zip(titles, texts, strict=True)]
        return tfidf.fit(both, histories.known_items(corpus, before=histories.VALID), **options["tfidf"])

    def chance() -> Scorer:
        users, items = corpus.users["user_id"].to_pylist(), corpus.items["item_id"].to_pylist()
        return Random(id_hashes(users, seed), id_hashes(items, seed))

    makers: dict[str, Callable[[], Scorer]] = {
        "intensity": intensity,
        "content": frozen,
        "tfidf": words,
        "random": chance,
    }
    return {name: makers[name]() for name in names if name in makers}


def _options(corpus: Corpus, settings: RankSettings, seed: int) -> dict[str, dict[str, Any]]:
    """Keyword arguments of the scorers that are fitted here, as systems.json tells them."""
    relevant, seeded = {"relevant_from": corpus.relevant_from}, {"seed": seed}
    return {
        "trending": settings.trending.model_dump(),
        "item_knn": {**settings.item_knn.model_dump(), **relevant},
        "item_item": {**settings.item_item.model_dump(), **relevant},
        "als": {**settings.als.model_dump(), **relevant, **seeded},
        "ease": {**settings.ease.model_dump(), **relevant},
        "bpr": {**settings.bpr.model_dump(), **relevant, **seeded},
        "tfidf": settings.tfidf.model_dump(),
        "bias": settings.bias.model_dump(),
        "mf": {**settings.mf.model_dump(), **seeded},
    }


def _describe(
    lineup: Lineup, settings: RankSettings, options: dict[str, dict[str, Any]], counts: dict[str, int]
) -> dict[str, Any]:
    """The content of systems.json: settings and fits of every system, and what was counted."""
    systems: dict[str, Any] = {name: options.get(name, {}) for name in lineup.systems}
    if OURS in systems:
        systems[OURS] = lineup.blend
    shared = settings.model_dump(mode="json", include={"refit", "seen", "top_k"})
    return {"systems": systems, "settings": shared, "counts": counts}


def _impressions(layout: tables.Layout, lineup: Lineup) -> Iterator[pa.Table]:
    """Blocks of the test impressions' candidates, system by system."""
    corpus = layout.corpus
    test = np.flatnonzero(corpus.impressions.split == histories.TEST)
    for name, system in track(lineup.systems.items(), "rank impressions", unit="systems"):
        for start, stop in blocks(len(test), corpus.items.num_rows):
            impression = test[start:stop]
            asked = histories.of_impressions(corpus, impression)
            item = corpus.impressions.item[asked.rows]
            score, components = score_asked(system, asked, item)
            if name in lineup.calibrations:
                components["intensity"] = lineup.calibrations[name](score)
            yield tables.impression_block(layout, name, impression, asked, score, components)


def _catalogue(layout: tables.Layout, lineup: Lineup, asked: Requests, settings: RankSettings) -> Iterator[pa.Table]:
    """Blocks of the test users' lists over the whole catalogue, system by system."""
    for name, system in track(lineup.systems.items(), "rank catalogue", unit="systems"):
        for start, stop in blocks(len(asked), layout.corpus.items.num_rows):
            requests = asked.block(start, stop)
            score, components = score_whole_catalogue(system, requests)
            if name in lineup.calibrations:
                components["intensity"] = lineup.calibrations[name](score)
            yield tables.catalogue_block(
                layout, name, requests, score, components, settings.top_k, exclude_seen=settings.seen == "out"
            )


def _summarise(path: Path) -> dict[str, Any]:
    described = files.read_json(path / SYSTEMS)
    return {"systems": sorted(described["systems"]), **described["counts"]}
