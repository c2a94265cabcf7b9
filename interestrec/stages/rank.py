"""`rank`: fit every system, or take the fitted ones, and write the lists and rankings that they make."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.answering.deletions import measure_deletions, sampled_requests
from interestrec.answering.recommender import Recommender
from interestrec.config.settings import Settings
from interestrec.corpus.identities import user_id_mapper
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files, schemas
from interestrec.io.artifact_files import SYSTEMS, TASK_PREDICTIONS, TRAINING_LOG
from interestrec.io.keys import read_key
from interestrec.io.pseudonyms import pseudonym
from interestrec.io.schemas import OURS
from interestrec.scorers import queries
from interestrec.scorers.device_placement import place_on_device
from interestrec.scorers.requests import Requests
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.decision_files import ITEM_VECTORS, open_log, read_context, read_shared, read_systems
from interestrec.scoring.rules import load_rules
from interestrec.scoring.shards import shard_impressions, shard_requests, upcoming_requests
from interestrec.scoring.task_predictions import task_predictions
from interestrec.scoring.write_lists import (
    cold_targets,
    list_builder,
    table_layout,
    write_impressions,
    write_lists,
    write_truth,
)
from interestrec.stages.fit_decision import fit
from interestrec.stages.run import DryRun, RunContext, StageResult, produce
from interestrec.workspace.artifacts import Artifact, Recipe
from interestrec.workspace.plan import current_version


def run(context: RunContext) -> StageResult:
    """Score all systems of the decision, which is fitted if need be.

    The artifact is `rankings`, `lists` for a point in time, or `shard` for a part.

    Raises:
        ArtifactError: the model was built from another corpus or encoder.
        DataError: the corpus has no test impressions or no positive event, or the file of users has an unknown id.
        DeviceError: `runtime.device` is `gpu` and there is none.
    """
    settings, request = context.settings, context.rank_request
    _require_device(settings)
    try:
        decision = fit(context).artifact
    except DryRun as planned:
        version = current_version(settings.workspace, request.kind)
        raise DryRun(replace(planned.plan, kind=request.kind, version=version)) from None
    corpus, encoder, model = (context.open(kind) for kind in ("corpus", "encoder", "model"))
    key = read_key(settings.preprocess.pseudonym_key, "preprocess.pseudonym_key")
    available = settings.rank.rules.available
    recipe = Recipe(
        kind=request.kind,
        inputs={
            **{artifact.kind: artifact.digest for artifact in (corpus, encoder, model, decision)},
            **({"available": files.sha256_of(available)} if available else {}),
            # A plain digest of a few ids could be reversed by guessing.
            **{name: pseudonym(key, digest) if key else digest for name, digest in request.inputs.items()},
        },
        config={
            **settings.lineage("rank"),
            "relevant_at": settings.data.relevant_at,
            **settings.runtime.scoring_mode,
            **request.lineage,
        },
        seed=settings.seed,
    )
    stage = _RankStage(
        corpus=Corpus(corpus.path, settings.data.relevant_at),
        decision=decision,
        model=model,
        encoder=encoder,
        context=context,
        to_corpus_id=user_id_mapper(key, corpus.manifest["config"]) if key and request.users else None,
    )
    return produce(context, recipe, stage.build, _summarise)


def _require_device(settings: Settings) -> None:
    """Prepare the GPU if one is asked for; otherwise lists are scored by NumPy, and TensorFlow is not loaded."""
    runtime = settings.runtime
    if runtime.device == "gpu":
        from interestrec.training import device

        device.prepare(runtime.device, runtime.threads, settings.seed, tensor_float_32=runtime.tensor_float_32)


@dataclass(frozen=True)
class _RankStage:
    corpus: Corpus
    decision: Artifact
    model: Artifact
    encoder: Artifact
    context: RunContext
    to_corpus_id: Callable[[str], str] | None  # from an id in the file of users to the corpus's

    def build(self, directory: Path) -> None:
        """Score and write all files; for a point in time only the lists, without impressions and truth."""
        settings, request = self.context.settings.rank, self.context.rank_request
        decided = read_context(self.decision.path)
        is_test = request.as_of is None
        corpus = self.corpus if is_test else open_log(self.decision.path, decided.relevant_at)
        requests = shard_requests(corpus, request.shard, request.as_of, request.users, self.to_corpus_id)
        impressions = shard_impressions(corpus, request.shard) if is_test else np.zeros(0, np.int64)
        inputs = ScorerInputs(
            model=self.model.path,
            encoder=self.encoder.path,
            corpus=self.corpus,
            workspace=self.context.settings.workspace,
            requests=upcoming_requests(self.corpus, impressions, requests),
            seed=decided.seed,
            retrieve=settings.retrieve,
        )
        systems = read_systems(self.decision.path, inputs)
        if (runtime := self.context.settings.runtime).device == "gpu":
            place_on_device(systems.ensemble.scorers.values(), "GPU:0", runtime.precision)
        rules = load_rules(corpus, settings, request.as_of)
        layout = table_layout(corpus, systems.ensemble, rules, list(settings.components), decided.seed)
        truth = queries.request_truth(corpus, requests, queries.TEST) if is_test else None
        cold = None if truth is None else cold_targets(corpus, requests, truth, rules)
        vectors = read_shared(self.decision.path, ITEM_VECTORS) if rules.diversity > 0 else None
        builder = list_builder(layout, rules, settings, vectors)
        write_lists(directory, systems.ensemble, requests, builder, cold)
        counts = {
            "train_events": decided.train_events,
            "catalogue_users": len(requests),
            "catalogue_users_without_history": int((np.diff(requests.offsets) == 0).sum()),
        }
        if truth is not None:
            write_impressions(directory, systems.ensemble, impressions, layout)
            pairs = write_truth(directory, corpus, requests, truth, rules)
            counts |= {"truth_pairs": pairs, "truth_pairs_seen_before": int(truth.seen.sum())}
            if (log := self.model.path / TRAINING_LOG).exists():  # for the HTML report
                files.write_parquet(directory / TRAINING_LOG, files.read_parquet(log), schemas.TRAINING_LOG)
            if inputs.model_has_tasks and request.shard[1] == 1:
                tables = task_predictions(corpus, inputs.two_towers, impressions, decided.seed)
                files.write_parquet_batches(directory / TASK_PREDICTIONS, tables, schemas.TASK_PREDICTIONS)
            if settings.deletion_users and request.shard[1] == 1 and OURS in systems.ensemble.systems:
                self._write_deletions(directory, Recommender(corpus, systems.ensemble, rules, builder), requests)
        files.write_json(directory / SYSTEMS, systems.describe(settings, rules.reranks, counts))

    def _write_deletions(self, directory: Path, recommender: Recommender, requests: Requests) -> None:
        seed = self.context.settings.seed
        sample = sampled_requests(requests, self.context.settings.rank.deletion_users, seed)
        ours = replace(recommender, ensemble=recommender.ensemble.only(OURS))
        table = measure_deletions(ours, sample, seed)
        files.write_parquet(directory / artifact_files.DELETIONS, table, schemas.DELETIONS)


def _summarise(path: Path) -> dict[str, Any]:
    described = files.read_json(path / artifact_files.SYSTEMS)
    return {"systems": sorted(described["systems"]), **described["counts"]}
