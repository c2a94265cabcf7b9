"""`rank`: fit every system, select settings and blend weights on validation, refit, and score."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interestrec.corpus.identities import user_id_mapper
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files, schemas
from interestrec.io.artifact_files import SYSTEMS, TRAINING_LOG
from interestrec.io.keys import read_key
from interestrec.io.pseudonyms import pseudonym
from interestrec.scorers import queries
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.fit_systems import fit_systems, reference_systems, train_data
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.rules import load_rules
from interestrec.scoring.shards import shard_impressions, shard_requests, upcoming_requests
from interestrec.scoring.write_lists import (
    cold_targets,
    list_builder,
    table_layout,
    write_impressions,
    write_lists,
    write_truth,
)
from interestrec.stages.run import RankRequest, RunContext, StageResult, produce
from interestrec.workspace.artifacts import Artifact, Recipe
from interestrec.workspace.reference_run import reference_decision

if TYPE_CHECKING:
    from interestrec.training.training_checkpoint import CheckpointStore


def run(context: RunContext) -> StageResult:
    """Fit and score all systems; the artifact is `rankings`, `lists` for a point in time, or `shard` for a part.

    Raises:
        ArtifactError: the model was built from another corpus or encoder.
        DataError: the corpus has no test impressions or no positive event, or the file of users has an unknown id.
    """
    corpus_artifact, encoder, model = (context.open(kind) for kind in ("corpus", "encoder", "model"))
    model.require_input(corpus_artifact)
    model.require_input(encoder)
    settings, request = context.settings, context.rank_request
    key = read_key(settings.preprocess.pseudonym_key, "preprocess.pseudonym_key")
    rules, reference_path = settings.rank.rules, settings.preprocess.split.verified
    config = {**settings.lineage("rank"), "relevant_at": settings.data.relevant_at, **request.lineage}
    reference_digest, reference = reference_decision(reference_path, config) if reference_path else (None, {})
    recipe = Recipe(
        kind=request.kind,
        inputs={
            **{artifact.kind: artifact.digest for artifact in (corpus_artifact, encoder, model)},
            **({"available": files.sha256_of(rules.available)} if rules.available else {}),
            **({"verified": reference_digest} if reference_digest else {}),
            # A plain digest of a few ids could be reversed by guessing.
            **{name: pseudonym(key, digest) if key else digest for name, digest in request.inputs.items()},
        },
        config=config,
        seed=settings.seed,
    )
    stage = _RankStage(
        corpus=Corpus(corpus_artifact.path, settings.data.relevant_at),
        model=model,
        encoder=encoder,
        workspace=settings.workspace,
        settings=settings.rank,
        seed=settings.seed,
        request=request,
        checkpoints=partial(_checkpoints, context.work(recipe), settings.runtime.checkpoint_seconds),
        reference=reference,
        to_corpus_id=user_id_mapper(key, corpus_artifact.manifest["config"]) if key and request.users else None,
    )
    return produce(context, recipe, stage.build, _summarise)


@dataclass(frozen=True)
class _RankStage:
    corpus: Corpus
    model: Artifact
    encoder: Artifact
    workspace: Path
    settings: RankSettings
    seed: int
    request: RankRequest
    checkpoints: "Callable[[str], CheckpointStore]"  # of a fit by name
    reference: Mapping[str, Any]  # systems.json of the reference run that decides here; empty: this run decides
    to_corpus_id: Callable[[str], str] | None  # from an id in the file of users to the corpus's

    def build(self, directory: Path) -> None:
        """Fit, score and write all files; for a point in time only the lists, without impressions and truth."""
        corpus, settings, request = self.corpus, self.settings, self.request
        is_test = request.as_of is None
        requests = shard_requests(corpus, request.shard, request.as_of, request.users, self.to_corpus_id)
        train = train_data(corpus)
        impressions = shard_impressions(corpus, request.shard) if is_test else np.zeros(0, np.int64)
        inputs = ScorerInputs(
            model=self.model.path,
            encoder=self.encoder.path,
            corpus=corpus,
            workspace=self.workspace,
            requests=upcoming_requests(corpus, impressions, requests),
            seed=self.seed,
            retrieve=settings.retrieve,
            checkpoints=self.checkpoints,
        )
        if self.reference:
            systems = reference_systems(self.reference, inputs, settings, request.as_of)
        else:
            systems = fit_systems(train, inputs, settings, request.as_of)
        rules = load_rules(corpus, settings, request.as_of)
        layout = table_layout(corpus, systems.ensemble, rules, list(settings.components), self.seed)
        truth = queries.request_truth(corpus, requests, queries.TEST) if is_test else None
        cold = None if truth is None else cold_targets(corpus, requests, truth, rules)
        builder = list_builder(layout, rules, settings.top_k, inputs)
        write_lists(directory, systems.ensemble, requests, builder, cold)
        counts = {
            "train_events": len(train.events.item),
            "catalogue_users": len(requests),
            "catalogue_users_without_history": int((np.diff(requests.offsets) == 0).sum()),
        }
        if truth is not None:
            write_impressions(directory, systems.ensemble, impressions, layout)
            pairs = write_truth(directory, corpus, requests, truth, rules)
            counts |= {"truth_pairs": pairs, "truth_pairs_seen_before": int(truth.seen.sum())}
            if (log := self.model.path / TRAINING_LOG).exists():  # for the HTML report
                files.write_parquet(directory / TRAINING_LOG, files.read_parquet(log), schemas.TRAINING_LOG)
        files.write_json(directory / SYSTEMS, systems.describe(settings, rules.reranks, counts))


def _checkpoints(work: Path, seconds: float, fit: str) -> "CheckpointStore":
    from interestrec.training.training_checkpoint import CheckpointStore

    return CheckpointStore(work / fit, seconds)


def _summarise(path: Path) -> dict[str, Any]:
    described = files.read_json(path / artifact_files.SYSTEMS)
    return {"systems": sorted(described["systems"]), **described["counts"]}
