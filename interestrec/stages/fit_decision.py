"""The first step of `rank`: fit every system and keep it as the artifact `decision`, which all lists are made from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interestrec.corpus.identities import PSEUDONYMS
from interestrec.corpus.log_merge import KnownLog
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.corpus.timeline_files import latest_before
from interestrec.io import artifact_files, files
from interestrec.io.schemas import OURS
from interestrec.scorers import queries
from interestrec.scorers.content import unit_rows
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.decision_files import (
    AFTER,
    ITEM_VECTORS,
    DecisionContext,
    read_context,
    read_systems,
    write_log,
    write_systems,
)
from interestrec.scoring.fit_systems import (
    FittedSystems,
    reference_systems,
    refit_systems,
    select_systems,
    train_data,
)
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.shards import upcoming_requests
from interestrec.stages.placed_work import placed_whole
from interestrec.stages.run import RunContext, StageResult, produce, produce_in_turn
from interestrec.workspace.artifacts import Artifact, Recipe, open_artifact
from interestrec.workspace.reference_run import reference_decision

if TYPE_CHECKING:
    from interestrec.training.training_checkpoint import CheckpointStore

_KNOWN_BEFORE = "known_before"  # key of the configuration of a decision for a time


def fit(context: RunContext) -> StageResult:
    """Fit all systems on train and valid, or on all events before the time of the request; the artifact is `decision`.

    Decisions for two times between which nothing happened are the same one.

    Raises:
        ArtifactError: the model was built from another corpus or encoder.
        DataError: the corpus has no positive event.
    """
    recipe, of_decision = _prepared(context)
    if (kept := _updated_decision(context, recipe)) is not None:
        return StageResult(kept, False, {})
    return _produce(context, recipe, of_decision)


def part_writer(context: RunContext) -> Callable[[Path], None]:
    """Return what fits the systems and writes the files of the decision into a directory, on a worker."""
    _, of_decision = _prepared(context)
    return of_decision.build


def _prepared(context: RunContext) -> tuple[Recipe, "_DecisionFit"]:
    """Return the recipe of the decision, and what builds it."""
    corpus_artifact, encoder, model = (context.open(kind) for kind in ("corpus", "encoder", "model"))
    model.require_input(corpus_artifact)
    model.require_input(encoder)
    settings = context.settings
    corpus = Corpus(corpus_artifact.path, settings.data.relevant_at)
    as_of = context.rank_request.as_of
    # Times between which nothing happened have the same decision.
    known_before = None if as_of is None else latest_before(corpus.path / artifact_files.TIMELINES, as_of) + 1
    config = {**settings.lineage("rank"), "relevant_at": settings.data.relevant_at}
    for measures in ("deletion_users", "users"):  # the decision, and are no part of it
        del config["rank"][measures]
    reference_path = settings.preprocess.split.verified
    reference_digest, reference = reference_decision(reference_path, config) if reference_path else (None, {})
    inputs = {artifact.kind: artifact.digest for artifact in (corpus_artifact, encoder, model)}
    inputs |= {"verified": reference_digest} if reference_digest else {}
    of_test = Recipe("decision", inputs, config, settings.seed)
    recipe = of_test if known_before is None else replace(of_test, config={**config, _KNOWN_BEFORE: known_before})
    of_decision = _DecisionFit(
        corpus=corpus,
        model=model,
        encoder=encoder,
        context=context,
        rank_config=config["rank"],
        known_before=known_before,
        reference=reference,
        chosen=of_test.version_path(settings.workspace) if known_before is not None else None,
        work=context.work(recipe),
        pseudonyms=corpus_artifact.manifest["config"].get(PSEUDONYMS),
    )
    return recipe, of_decision


def _updated_decision(context: RunContext, recipe: Recipe) -> Artifact | None:
    """Return the decision to take where the current one was updated after it was fitted; None = that of the recipe.

    Lists for a time after all events of an updated decision are made from it. The test split is ranked by the decision
    that was fitted for it, while the link stays at the updated one, so that answers keep what came after.
    """
    link, as_of = context.settings.workspace / "decision", context.rank_request.as_of
    if context.force or context.dry_run or not link.exists():
        return None
    current = open_artifact(link, "decision")
    made_of, config = current.manifest["inputs"], current.manifest["config"]
    if AFTER not in config or any(made_of[kind] != recipe.inputs[kind] for kind in ("corpus", "model")):
        return None
    if as_of is None:
        version = recipe.version_path(context.settings.workspace)
        return open_artifact(version, "decision") if version.exists() else None
    known_before = read_context(current.path).known_before
    settings, other = (
        {name: value for name, value in part.items() if name not in (AFTER, _KNOWN_BEFORE)}
        for part in (config, recipe.config)
    )
    return current if known_before is not None and as_of >= known_before and settings == other else None


def _produce(context: RunContext, recipe: Recipe, fit: "_DecisionFit") -> StageResult:
    """Produce the decision; a shard waits while the process of another one fits it."""
    build = fit.build if context.placement is None else partial(placed_whole, context, "fit_decision", recipe)
    is_shard = context.rank_request.shard[1] > 1
    return (produce_in_turn if is_shard else produce)(context, recipe, build, _summarise)


@dataclass(frozen=True)
class _DecisionFit:
    corpus: Corpus
    model: Artifact
    encoder: Artifact
    context: RunContext
    rank_config: Mapping[str, Any]  # the section `rank` in the recipe
    known_before: int | None
    reference: Mapping[str, Any]  # systems.json of the reference run that decides here; empty: this run decides
    chosen: Path | None  # where the decision of the test split is, if there is one, whose choices are taken
    work: Path  # of checkpoints
    pseudonyms: str | None  # see DecisionContext

    def build(self, directory: Path) -> None:
        """Fit all systems and write them, with the log that they answer from."""
        corpus, settings = self.corpus, self.context.settings
        rank = self._rank_settings(settings.rank)
        nobody = queries.requests_as_of(corpus, NO_TIME, np.zeros(0, np.int64))
        inputs = ScorerInputs(
            model=self.model.path,
            encoder=self.encoder.path,
            corpus=corpus,
            workspace=settings.workspace,
            requests=upcoming_requests(corpus, np.zeros(0, np.int64), nobody),
            seed=settings.seed,
            retrieve=settings.rank.retrieve,
            search=settings.rank.search,
            checkpoints=partial(_checkpoints, self.work, settings.runtime.checkpoint_seconds),
        )
        train = train_data(corpus)
        if self.reference:
            systems = reference_systems(self.reference, inputs, rank, self.known_before)
        else:
            systems = self._chosen(inputs) or select_systems(train, inputs, rank)
            if rank.refit:
                systems = refit_systems(systems, inputs, rank, self.known_before)
        context = DecisionContext(
            settings=self.rank_config,
            relevant_at=settings.data.relevant_at,
            seed=settings.seed,
            known_before=self.known_before,
            train_events=len(train.events.item),
            events_are_labels=corpus.requests_are_events,
            value_maps=files.read_json(corpus.path / artifact_files.QUALITY).get("value_maps", {}),
            pseudonyms=self.pseudonyms,
        )
        vectors = unit_rows(inputs.text_vectors) if rank.rules.diversity > 0 else None
        write_systems(directory, systems, context, {ITEM_VECTORS: vectors})
        write_log(directory, KnownLog.read(corpus.path))

    def _rank_settings(self, settings: RankSettings) -> RankSettings:
        """Return the settings; lists for a time are not compared with baselines."""
        if self.known_before is None or OURS not in settings.systems:
            return settings
        return settings.model_copy(update={"systems": [OURS], "ablation": "none"})

    def _chosen(self, inputs: ScorerInputs) -> FittedSystems | None:
        """Return the systems of the test split's decision, if it exists; their choices are those of this one."""
        if self.chosen is None or not self.chosen.exists():
            return None
        only = OURS if OURS in self.context.settings.rank.systems else None
        path = open_artifact(self.chosen, "decision").path
        return read_systems(path, inputs, only)


def _checkpoints(work: Path, seconds: float, fit: str) -> "CheckpointStore":
    from interestrec.training.training_checkpoint import CheckpointStore

    return CheckpointStore(work / fit, seconds)


def _summarise(path: Path) -> dict[str, Any]:
    return {"systems": sorted(name for name, _ in files.read_json(path / artifact_files.DECISION)["systems"])}
