"""Fits systems: selected on train → valid or taken from a reference run, then fitted on all available events."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from interestrec.core.errors import DataError
from interestrec.corpus.store import Corpus
from interestrec.io.schemas import BEFORE_RULES, OURS
from interestrec.scorers import queries
from interestrec.scorers.intensity import Intensity
from interestrec.scorers.modality_intensity import modality_names
from interestrec.scorers.random import id_hashes
from interestrec.scorers.registry import component_scorer, required_scorers, scorer_definition
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.candidate_recall import with_candidate_recall
from interestrec.scoring.catalogue_lists import CatalogueLists, catalogue_lists
from interestrec.scoring.decision import voters
from interestrec.scoring.ensemble import Ensemble
from interestrec.scoring.fit_blend import LEAST
from interestrec.scoring.fit_ensemble import fit_ensemble, reference_ensemble
from interestrec.scoring.fit_scorers import FitData, FittedScorers, fit_scorers, fit_static, refit_scorers
from interestrec.scoring.intensity_estimate import CONSTANT
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.rules import load_rules
from interestrec.scoring.search import settings_search

_STAND_INS = 500  # users with a history who are asked without it, where validation has few new users


@dataclass(frozen=True)
class FittedSystems:
    """The ensemble that ranks, and the scorers with the settings selected on valid."""

    ensemble: Ensemble
    selection: FittedScorers

    def describe(self, settings: RankSettings, reranks: bool, counts: Mapping[str, int]) -> dict[str, Any]:
        """Return the content of systems.json: settings and fits of every system, and the counts of the run.

        Args:
            reranks: whether the lists before reranking are written as a system of their own.
        """
        systems: dict[str, Any] = {name: self.selection.settings.get(name, {}) for name in self.ensemble.systems}
        if OURS in systems:
            systems[OURS] = dict(self.ensemble.description)
        if reranks:
            systems[BEFORE_RULES] = {}
        shared = settings.model_dump(mode="json", include={"refit", "rules", "top_k", "trials"})
        shared["rules"].pop("available")  # a machine-dependent path; the inputs of the artifact identify its content
        intensity = self.ensemble.scorers.get("intensity")
        recall = intensity.search_recall if isinstance(intensity, Intensity) else None
        return {
            "systems": systems,
            "scorers": self.selection.settings,
            "tried": self.selection.trials,
            "settings": shared,
            "counts": dict(counts),
            **({} if recall is None else {"search": {"recall": recall}}),
        }


def tie_order(corpus: Corpus, seed: int) -> np.ndarray:
    """uint64 [items]: the tie-break order, which depends only on ids and seed; lower values rank first."""
    return id_hashes(corpus.items["item_id"].to_pylist(), seed)


def train_data(corpus: Corpus) -> FitData:
    """Return the events and labels of train.

    Raises:
        DataError: no event is relevant.
    """
    data = FitData.before_split(corpus, queries.VALID)
    if not corpus.relevant(data.events.intensity).any():
        raise DataError(f"{corpus.path}: no train event is relevant; check data.relevant_at and event weights")
    return data


def select_systems(train: FitData, inputs: ScorerInputs, settings: RankSettings) -> FittedSystems:
    """Fit on train, and select settings and weights on valid."""
    corpus = inputs.corpus
    names = [name for name in settings.systems if name != OURS]
    if OURS in settings.systems:
        components = {name: component_scorer(name) for name in settings.components}
        names += [*voters(components).values(), *settings.estimators]
        if settings.ablation != "none" and "intensity" in names:
            names += modality_names(inputs.model_modalities)
    lists = partial(validation_lists, corpus, settings, seed=inputs.seed)
    search = settings_search(corpus, lists(select=True), settings.trials, inputs.seed)
    names = required_scorers(names)
    configured = {name: settings.scorer_settings(name) for name in names}
    selection = fit_scorers(names, train, inputs, configured, search)
    judges = _with_enough_new_users(lists(select=False))
    ensemble = fit_ensemble(corpus, settings, selection.scorers, judges)
    return FittedSystems(with_candidate_recall(ensemble, judges), selection)


def refit_systems(
    selected: FittedSystems, inputs: ScorerInputs, settings: RankSettings, known_before: int | None
) -> FittedSystems:
    """Fit the scorers again, with the settings and weights that were selected.

    Args:
        known_before: microseconds, fits on all that is known before this time; None = on train and valid.
    """
    names = required_scorers(list(selected.ensemble.scorers))
    chosen = {name: selected.selection.settings[name] for name in names if not scorer_definition(name).is_static}
    if known_before is None:
        static = {name: scorer for name, scorer in selected.ensemble.scorers.items() if name not in chosen}
    else:
        inputs = replace(inputs, corpus=queries.as_known_before(inputs.corpus, known_before))
        static = fit_static(names, inputs, {name: settings.scorer_settings(name) for name in names})
    data = FitData.before_split(inputs.corpus, queries.TEST)
    scorers = refit_scorers(static, chosen, data, inputs)
    ensemble = selected.ensemble.with_scorers(scorers, _cold_items(inputs.corpus, data))
    return FittedSystems(ensemble, selected.selection)


def validation_start(corpus: Corpus) -> int:
    """Time of the lists that choices are made by: the start of the validation split, in microseconds."""
    shown = corpus.impressions
    return int(shown.time[shown.split == queries.VALID].min(initial=np.iinfo(np.int64).max))


def validation_lists(corpus: Corpus, settings: RankSettings, *, select: bool, seed: int) -> CatalogueLists:
    """Return the lists of users of one half of valid that choices are made by; see `catalogue_lists`."""
    rules = load_rules(corpus, settings.without_files(), validation_start(corpus))
    return catalogue_lists(corpus, rules, tie_order(corpus, seed), settings, select=select, seed=seed)


def _with_enough_new_users(lists: CatalogueLists) -> CatalogueLists:
    """Return the lists; where few are of new users, some of the others are also asked without their history."""
    return lists if lists.new.sum() >= LEAST else lists.with_new_users(_STAND_INS)


def reference_systems(
    reference: Mapping[str, Any], inputs: ScorerInputs, settings: RankSettings, known_before: int | None
) -> FittedSystems:
    """Fit `interestrec` alone with the settings and weights of a reference run.

    Args:
        reference: systems.json of the reference run.
        known_before: see `refit_systems`.
    """
    if known_before is not None:
        inputs = replace(inputs, corpus=queries.as_known_before(inputs.corpus, known_before))
    description = reference["systems"][OURS]
    components = {name: component_scorer(name) for name in description["components"]}
    names = required_scorers(
        [*voters(components).values(), *(name for name in description["intensity"] if name != CONSTANT)]
    )
    static = fit_static(names, inputs, {name: settings.scorer_settings(name) for name in names})
    selected = {name: reference["scorers"][name] for name in names if not scorer_definition(name).is_static}
    data = FitData.before_split(inputs.corpus, queries.TEST)
    scorers = refit_scorers(static, selected, data, inputs)
    ensemble = reference_ensemble(inputs.corpus, description, scorers, _cold_items(inputs.corpus, data))
    return FittedSystems(ensemble, FittedScorers(scorers, selected))


def _cold_items(corpus: Corpus, data: FitData) -> np.ndarray:
    """bool [items]: the item has no positive event before the test split or in `data`."""
    cold = corpus.cold_items(queries.TEST)
    cold[data.events.item] = False
    return cold
