"""`rank`: fit every system, or take the fitted ones, and write the lists and rankings that they make."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.answering.deletions import measure_deletions, sampled_requests
from interestrec.answering.recommender import Recommender
from interestrec.config.settings import Settings
from interestrec.core.errors import ConfigError
from interestrec.corpus.identities import user_id_mapper
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files, schemas
from interestrec.io.artifact_files import SYSTEMS, TASK_PREDICTIONS, TRAINING_LOG
from interestrec.io.keys import read_key
from interestrec.io.pseudonyms import pseudonym
from interestrec.io.schemas import OURS
from interestrec.model.two_tower_files import CONFIG
from interestrec.scorers import queries
from interestrec.scorers.device_placement import place_on_device
from interestrec.scorers.requests import Requests
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.decision_files import ITEM_VECTORS, open_log, read_context, read_shared, read_systems
from interestrec.scoring.fit_systems import FittedSystems
from interestrec.scoring.merge_shards import merge_shards
from interestrec.scoring.rules import Rules, load_rules
from interestrec.scoring.shards import ShardedRequests, upcoming_requests
from interestrec.scoring.task_predictions import task_predictions
from interestrec.scoring.write_lists import (
    ColdTargets,
    ListBuilder,
    cold_targets,
    list_builder,
    table_layout,
    write_impressions,
    write_lists,
    write_truth,
)
from interestrec.stages.fit_decision import fit
from interestrec.stages.placed_work import PARTS, placed_parts
from interestrec.stages.run import DryRun, RunContext, StageResult, produce
from interestrec.workspace.artifacts import Artifact, Recipe
from interestrec.workspace.plan import current_version
from interestrec.workspace.work_parts import take_part


def run(context: RunContext) -> StageResult:
    """Score all systems of the decision, which is fitted if need be.

    The artifact is `rankings`, `lists` for a point in time, or `shard` for a part.

    Raises:
        ArtifactError: the model was built from another corpus or encoder.
        DataError: the corpus has no test impressions or no positive event, or the file of users has an unknown id.
        DeviceError: `runtime.device` is `gpu` and there is none.
        ConfigError: the split has no test, and the request is not for a point in time.
    """
    settings, request = context.settings, context.rank_request
    if request.as_of is None and settings.preprocess.split.test == 0:
        raise ConfigError(
            "preprocess.split.test is 0, so there is no test split to rank; ask for lists with `interestrec rank "
            "--as-of TIME`, or give test a share"
        )
    _require_device(settings)
    try:
        decision = fit(context).artifact
    except DryRun as planned:
        version = current_version(settings.workspace, request.kind)
        raise DryRun(replace(planned.plan, kind=request.kind, version=version)) from None
    recipe, stage = _prepared(context, decision)
    build = stage.build
    if context.placement is not None and request.shard[1] == 1:
        build = partial(stage.build_on_workers, recipe)
    return produce(context, recipe, build, _summarise)


def part_writer(context: RunContext) -> Callable[..., None]:
    """Return what writes a shard, or what is made of all requests at once, into a directory, on a worker."""
    _, stage = _prepared(context, context.open("decision"))

    def write(directory: Path, shard: int, shards: int) -> None:
        """Write a shard by its number from 1; shard 0 is what is made of all requests at once."""
        if shard == 0:
            stage.write_undivided(directory, stage.opened((1, 1)))
        else:
            opened = stage.opened((shard, shards), keeps_blocks=True)
            write_lists(directory, opened.systems.ensemble, opened.requests, opened.builder, opened.cold)
            stage.write_rest(directory, opened)

    return write


def _prepared(context: RunContext, decision: Artifact) -> tuple[Recipe, "_RankStage"]:
    """Return the recipe of the lists, and what builds them."""
    settings, request = context.settings, context.rank_request
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
    return recipe, stage


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
        opened = self.opened(self.context.rank_request.shard)
        write_lists(directory, opened.systems.ensemble, opened.requests, opened.builder, opened.cold)
        self.write_rest(directory, opened)
        if self.context.rank_request.shard[1] == 1:
            self.write_undivided(directory, opened)

    def build_on_workers(self, recipe: Recipe, directory: Path) -> None:
        """Let workers write shards, and merge them: the files are those of `build`."""
        shards = self._asked.shards
        numbers = range(0 if self._has_undivided() else 1, shards + 1)  # first what takes longest
        parts = {f"shard-{number}-of-{shards}": {"shard": number, "shards": shards} for number in numbers}
        inputs = {artifact.kind: artifact.path for artifact in (self.encoder, self.model, self.decision)}
        pinned = replace(self.context, paths={"corpus": self.corpus.path, **inputs})
        made = placed_parts(pinned, "rank", self.context.work(recipe) / PARTS, parts)
        if numbers[0] == 0:
            take_part(made.pop(0), directory)
        merge_shards(made, list(self.context.settings.rank.components), directory)

    def opened(self, shard: tuple[int, int], keeps_blocks: bool = False) -> "_OpenedSystems":
        """Return the fitted systems for the requests and impressions of a shard."""
        settings, request = self.context.settings.rank, self.context.rank_request
        decided, corpus = read_context(self.decision.path), self._log
        requests, impressions = self._asked.requests(shard), self._asked.impressions(shard)
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
        runtime = self.context.settings.runtime
        if runtime.device == "gpu":
            place_on_device(systems.ensemble.scorers.values(), "GPU:0", runtime.precision)
        rules = load_rules(corpus, settings, request.as_of)
        layout = table_layout(corpus, systems.ensemble, rules, list(settings.components), decided.seed)
        vectors = read_shared(self.decision.path, ITEM_VECTORS) if rules.diversity > 0 else None
        builder = list_builder(replace(layout, keeps_blocks=keeps_blocks), rules, settings, vectors)
        builder = replace(builder, one_thread=runtime.threads == 1)
        truth = queries.request_truth(corpus, requests, queries.TEST) if request.as_of is None else None
        cold = None if truth is None else cold_targets(corpus, requests, truth, rules)
        return _OpenedSystems(corpus, requests, impressions, truth, cold, inputs, systems, rules, builder)

    def write_rest(self, directory: Path, opened: "_OpenedSystems") -> None:
        """Write what can be divided by requests beside the lists; for a point in time only the counts."""
        settings, decided = self.context.settings.rank, read_context(self.decision.path)
        requests, rules, systems, truth = opened.requests, opened.rules, opened.systems, opened.truth
        counts = {
            "train_events": decided.train_events,
            "catalogue_users": len(requests),
            "catalogue_users_without_history": int((np.diff(requests.offsets) == 0).sum()),
        }
        if (every := self._asked.test_users) is not None:
            counts["test_users"] = every
        if truth is not None:
            write_impressions(directory, systems.ensemble, opened.impressions, opened.builder.layout)
            pairs = write_truth(directory, opened.corpus, requests, truth, rules)
            counts |= {"truth_pairs": pairs, "truth_pairs_seen_before": int(truth.seen.sum())}
            if (log := self.model.path / TRAINING_LOG).exists():  # for the HTML report
                files.write_parquet(directory / TRAINING_LOG, files.read_parquet(log), schemas.TRAINING_LOG)
        files.write_json(directory / SYSTEMS, systems.describe(settings, rules.reranks, counts))

    def write_undivided(self, directory: Path, opened: "_OpenedSystems") -> None:
        """Write what is made of all requests at once: predictions of tasks, and deletions."""
        if self.context.rank_request.as_of is not None:
            return
        if opened.inputs.model_has_tasks:
            seed = read_context(self.decision.path).seed
            tables = task_predictions(opened.corpus, opened.inputs.two_towers, opened.impressions, seed)
            files.write_parquet_batches(directory / TASK_PREDICTIONS, tables, schemas.TASK_PREDICTIONS)
        ensemble = opened.systems.ensemble
        if self.context.settings.rank.deletion_users and OURS in ensemble.systems:
            recommender = Recommender(opened.corpus, ensemble, opened.rules, opened.builder)
            self._write_deletions(directory, recommender, opened.requests)

    def _has_undivided(self) -> bool:
        """Return whether `write_undivided` may write anything."""
        if self.context.rank_request.as_of is not None:
            return False
        has_tasks = bool(files.read_json(self.model.path / CONFIG).get("tasks"))
        return has_tasks or bool(self.context.settings.rank.deletion_users)

    @cached_property
    def _log(self) -> Corpus:
        """The log that lists are made from: the corpus, or for a point in time that of the decision."""
        if self.context.rank_request.as_of is None:
            return self.corpus
        return open_log(self.decision.path, read_context(self.decision.path).relevant_at)

    @cached_property
    def _asked(self) -> ShardedRequests:
        settings, request = self.context.settings, self.context.rank_request
        sample = settings.rank.users.sample
        return ShardedRequests(self._log, request.as_of, request.users, self.to_corpus_id, sample, settings.seed)

    def _write_deletions(self, directory: Path, recommender: Recommender, requests: Requests) -> None:
        seed = self.context.settings.seed
        sample = sampled_requests(requests, self.context.settings.rank.deletion_users, seed)
        ours = replace(recommender, ensemble=recommender.ensemble.only(OURS))
        table = measure_deletions(ours, sample, seed)
        files.write_parquet(directory / artifact_files.DELETIONS, table, schemas.DELETIONS)


@dataclass(frozen=True)
class _OpenedSystems:
    """Fitted systems and what they answer."""

    corpus: Corpus
    requests: Requests  # for lists
    impressions: np.ndarray  # int64, rows of the test impressions
    truth: queries.RequestTruth | None  # None for a point in time
    cold: ColdTargets | None
    inputs: ScorerInputs
    systems: FittedSystems
    rules: Rules
    builder: ListBuilder


def _summarise(path: Path) -> dict[str, Any]:
    described = files.read_json(path / artifact_files.SYSTEMS)
    return {"systems": sorted(described["systems"]), **described["counts"]}
