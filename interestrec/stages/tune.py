"""`tune`: search the settings of the model and of scorers, and keep those that other users confirm."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.config.loading import changed_settings, changed_yaml
from interestrec.config.settings import Settings
from interestrec.core.errors import ConfigError
from interestrec.core.progress import log
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files, report_schemas
from interestrec.learning.budget import Budget
from interestrec.learning.confirmation import Confirmation, confirm
from interestrec.learning.halving import CONFIGURED, Brackets
from interestrec.learning.scorer_trials import ScorerTrials
from interestrec.learning.trial_search import TrialScore, TrialSearch
from interestrec.learning.tuned_systems import MODEL, TunedSystem, tuned_model, tuned_scorers
from interestrec.learning.tuning_sentences import system_sentence
from interestrec.learning.tuning_tables import curve_rows, trial_rows
from interestrec.report import tuning_page
from interestrec.scorers.requests import Scorer
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.search_goals import SearchGoal
from interestrec.stages.run import RunContext, StageResult, TrialRequest, produce_in_turn
from interestrec.training.training_log import TrainingPaused
from interestrec.workspace.artifacts import Recipe

Train = Callable[[Settings, TrialRequest], StageResult]


def check_search(settings: Settings) -> None:
    """Check that settings can be searched, before anything is built.

    Raises:
        ConfigError: there is no valid split, trials would not begin alike, or the extra `tune` is missing.
    """
    if settings.finetune.warm_start:
        raise ConfigError(
            "finetune.warm_start: the configured model would begin where an earlier one ended, and other trials from "
            "nothing; search with `--set finetune.warm_start=false`"
        )
    if settings.preprocess.split.method == "none":
        raise ConfigError("preprocess.split.method is none, so nothing is held out that settings could be chosen by")
    try:
        import cmaes  # noqa: F401
        import optuna  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"tune needs the package {error.name}; run: pip install 'interestrec[tune]'") from None


def run(context: RunContext, budget: Budget, train: Train) -> StageResult:
    """Search until the budget is spent, alone or beside processes with the same command; the artifact is `tuning`.

    Args:
        context: with the paths of the artifacts of the configured settings.
        train: trains the model of a trial beside the workspace's current one.

    Raises:
        ConfigError: there is nothing to search.
        NumericError: the configured settings cannot be trained with.
    """
    settings = context.settings
    inputs = {kind: context.open(kind).digest for kind in ("corpus", "encoder", "model")}
    config = {
        **settings.lineage("items", "users", "encoders", "finetune", "rank", "tune"),
        "relevant_at": settings.data.relevant_at,
        "numeric": settings.runtime.numeric_mode,
    }
    study = Recipe("tuning", inputs, config, settings.seed)
    recipe = replace(study, config={**config, "budget": str(budget)})
    tuning = _Tuning(context, budget, train, context.work(study))
    if context.force:
        shutil.rmtree(tuning.directory, ignore_errors=True)
    if context.force or not recipe.version_path(settings.workspace).exists():
        tuning.search()
    return produce_in_turn(context, recipe, tuning.build, _summarise)


@dataclass
class _Tuning:
    context: RunContext
    budget: Budget
    train: Train
    directory: Path  # of the journals, one directory per system
    found: dict[str, "_Found"] = field(default_factory=dict)

    def search(self) -> None:
        """Search the settings of all systems, each by its own budget."""
        if not self.systems:
            raise ConfigError(
                "tune: no system has settings to search and enough users in valid; see tune.systems and tune.space"
            )
        for system in self.systems:
            search = self.search_of(system)
            log.info("tune: %s, %d settings, %s", system.name, len(system.space), search.budget)
            search.run(partial(self.measure, system.name))
            self.found[system.name] = self.result(system)

    def is_measured(self, system: TunedSystem) -> bool:
        """Return whether both halves of valid have users who measure a system, by the same metric; warn if not.

        Figures of fewer users than `evaluate.min_users` may not be told, so nothing is chosen by them either.
        """
        select, blend = self.goals(system)
        users = min(len(np.unique(goal.user)) for goal in (select, blend))
        if select.metric == blend.metric and users >= self.context.settings.evaluate.min_users:
            return True
        log.warning("tune: %s is left out, because valid has too few users who measure it", system.name)
        return False

    @cached_property
    def systems(self) -> list[TunedSystem]:
        """What is searched and can be measured: scorers, each after the one that it is fitted on, then the model."""
        settings = self.context.settings
        found = tuned_scorers(settings.rank, settings.tune, self.trials.search)
        model = tuned_model(settings.finetune, settings.tune)
        if model.space and model.rungs[-1] and "intensity" in settings.rank.components:
            found.append(model)
        return [system for system in found if self.is_measured(system)]

    @cached_property
    def trials(self) -> ScorerTrials:
        """Trials of scorers."""
        settings = self.context.settings
        corpus = Corpus(self.context.open("corpus").path, settings.data.relevant_at)
        inputs = ScorerInputs(
            model=self.context.open("model").path,
            encoder=self.context.open("encoder").path,
            corpus=corpus,
            workspace=settings.workspace,
            requests=(),
            seed=settings.seed,
            retrieve=settings.rank.retrieve,
            search=settings.rank.search,
        )
        return ScorerTrials(inputs, settings.rank)

    @property
    def checkpoints(self) -> Path:
        """Where trainings that paused are kept, until the search ends."""
        return self.directory / "checkpoints"

    def search_of(self, system: TunedSystem) -> TrialSearch:
        """Return the search of a system."""
        tune, goal = self.context.settings.tune, self.goals(system)[0]
        return TrialSearch(
            name=system.name,
            directory=self.directory / system.name,
            space=system.space,
            configured=system.configured,
            brackets=Brackets(system.rungs, tune.bracket, tune.reduction),
            budget=self.budget.per_system(len(self.systems)),
            sampler=tune.sampler,
            seed=self.context.settings.seed,
            unit=system.unit,
            told=lambda score: f"{goal.metric} {-score if goal.lower else score:.4f}",
        )

    def goals(self, system: TunedSystem) -> tuple[SearchGoal, SearchGoal]:
        """Return what a system is measured by on valid_select and on valid_blend."""
        return self.trials.goals("intensity" if system.name == MODEL else system.name)

    def measure(self, name: str, values: dict[str, Any], rung: int) -> TrialScore:
        """Measure settings of a system on a rung."""
        if name != MODEL:
            return self.trials.measure(name, values, rung)
        settings = changed_settings(self.context.settings, values)
        try:
            curve = _curve(self.train(settings, TrialRequest(self.checkpoints, rung)).artifact.path)
        except TrainingPaused as paused:
            curve = dict(paused.curve)
        first = 1 if settings.finetune.tasks else 0  # of tasks an untrained model knows nothing
        reached = {epoch: score for epoch, score in curve.items() if first <= epoch <= rung}
        return TrialScore(max(reached.values()), reached)

    def result(self, system: TunedSystem) -> "_Found":
        """Return the best settings of a system, confirmed or not."""
        search = self.search_of(system)
        journal = search.journal()
        trials = search.trials(journal)
        best = search.brackets.best(trials)
        number = CONFIGURED if best is None else best.number
        values = journal.settings(number)
        goals = self.goals(system)
        before = self.scorer(system, system.configured)
        after = before if values == system.configured else self.scorer(system, values)
        told = confirm(goals, before, after, self.context.settings.seed)
        chosen = values if told.is_confirmed else dict(system.configured)
        if system.name != MODEL:
            self.trials.chosen[system.name] = self.trials.settings(system.name, chosen)
        tables = (
            trial_rows(system.name, goals[0].metric, goals[0].lower, search.brackets, trials, journal),
            curve_rows(system.name, goals[0].lower, trials, journal),
        )
        return _Found(system, number, values, chosen, told, *tables)

    def scorer(self, system: TunedSystem, values: Any) -> Scorer:
        """Return the scorer of a system with these settings."""
        if system.name != MODEL:
            return self.trials.fitted(system.name, values)
        settings = changed_settings(self.context.settings, values)
        return self.trials.model_scorer(self.train(settings, TrialRequest(self.checkpoints)).artifact.path)

    def build(self, directory: Path) -> None:
        """Write the tables, the configuration with the chosen settings, and the page."""
        found = list(self.found.values())
        chosen = {key: value for one in found for key, value in one.chosen.items()}
        document = {"budget": str(self.budget), "systems": {one.system.name: one.describe() for one in found}}
        trials = [row for one in found for row in one.trials]
        curves = [row for one in found for row in one.curves]
        for name, rows, schema in (
            (artifact_files.TRIALS, trials, report_schemas.TRIALS),
            (artifact_files.CURVES, curves, report_schemas.CURVES),
        ):
            files.write_parquet(directory / name, pa.Table.from_pylist(rows, schema=schema), schema)
        files.write_json(directory / artifact_files.TUNING, document)
        text = changed_yaml(self.context.settings, {**chosen, "rank.trials": 1})
        files.write_text(directory / artifact_files.TUNED, f"{_HEADER}{text}")
        files.write_text(directory / artifact_files.REPORT_PAGE, tuning_page.page(document, trials, curves))
        shutil.rmtree(self.checkpoints, ignore_errors=True)


_HEADER = "# Settings that `interestrec tune` chose; the scorers are not searched again (rank.trials: 1).\n"


@dataclass(frozen=True)
class _Found:
    system: TunedSystem
    best: int  # number of the best trial
    values: dict[str, Any]  # its settings by dotted key
    chosen: dict[str, Any]  # these or the configured ones
    confirmation: Confirmation
    trials: list[dict[str, Any]]
    curves: list[dict[str, Any]]

    def describe(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "unit": self.system.unit,
            "space": {key: dimension.describe() for key, dimension in self.system.space.items()},
            "configured": dict(self.system.configured),
            "found": self.values,
            "best_trial": self.best,
            "trials": len(self.trials),
            "seconds": round(sum(row["seconds"] for row in self.trials), 3),
            "chosen": self.chosen,
            **self.confirmation.describe(),
        }


def _curve(model: Path) -> dict[int, float]:
    """Return the validation score of a trained model by epoch."""
    decided = files.read_json(model / artifact_files.OUTCOME)["decided_by"]
    table = files.read_parquet(model / artifact_files.TRAINING_LOG)
    rows = zip(table["epoch"].to_pylist(), table["name"].to_pylist(), table["value"].to_pylist(), strict=True)
    return {epoch: value for epoch, name, value in rows if name == decided}


def _summarise(path: Path) -> dict[str, Any]:
    systems = files.read_json(path / artifact_files.TUNING)["systems"]
    return {
        "configuration": str(path / artifact_files.TUNED),
        "report": str(path / artifact_files.REPORT_PAGE),
        "findings": [
            {"sentence": system_sentence(name, one), "better": one["confirmed"] or None}
            for name, one in systems.items()
        ],
    }
