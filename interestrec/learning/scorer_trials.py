"""Trials of scorers: fits on train with settings of a search, measured on one half of valid."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from interestrec.core.errors import ConfigError
from interestrec.core.row_products import one_blas_thread
from interestrec.learning.trial_search import TrialScore
from interestrec.learning.tuned_systems import WHOLE
from interestrec.scorers.random import id_hashes
from interestrec.scorers.registry import SCORERS, scorer_definition
from interestrec.scorers.requests import Scorer
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.catalogue_lists import CatalogueLists
from interestrec.scoring.fit_scorers import FitData, TrialFits, fit_scorer
from interestrec.scoring.fit_systems import train_data, validation_lists
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.search import SettingsSearch, settings_search
from interestrec.scoring.search_goals import SearchGoal, intensity_goal, ranking_goal


@dataclass
class ScorerTrials:
    """The fits that a search makes; what they share is computed once.

    Args:
        inputs: of scorers, with the configured model.
        rank: the configured settings.
        chosen: settings by scorer that is searched already, which others may be fitted on.
    """

    inputs: ScorerInputs
    rank: RankSettings
    chosen: dict[str, dict[str, Any]] = field(default_factory=dict)
    _fits: dict[str, TrialFits] = field(default_factory=dict)
    _bases: dict[str, Scorer] = field(default_factory=dict)

    @cached_property
    def train(self) -> FitData:
        """Events and labels of train."""
        return train_data(self.inputs.corpus)

    @cached_property
    def search(self) -> SettingsSearch:
        """The goals on valid_select, and the settings that have an effect on the log."""
        return settings_search(self.inputs.corpus, self._lists(select=True), self.rank.trials, self.inputs.seed)

    def goals(self, name: str) -> tuple[SearchGoal, SearchGoal]:
        """Return what a scorer is measured by on valid_select and on valid_blend."""
        definition, corpus = scorer_definition(name), self.inputs.corpus
        if definition.predicts_intensity:
            return self.search.intensity, intensity_goal(corpus, select=False)
        return self.search.ranking, self._blend_goal

    @cached_property
    def _blend_goal(self) -> SearchGoal:
        return ranking_goal(self.inputs.corpus, self._lists(select=False), select=False)

    def _lists(self, select: bool) -> CatalogueLists:
        return validation_lists(self.inputs.corpus, self.rank, select=select, seed=self.inputs.seed)

    def measure(self, name: str, values: Mapping[str, Any], rung: int) -> TrialScore:
        """Fit a scorer on a share of the users and measure it on valid_select.

        Args:
            values: by dotted key.
            rung: percent of the users.

        Raises:
            ConfigError: the scorer does not take the values.
        """
        goal = self.search.goal(scorer_definition(name))
        value = goal.measure(self._fitted(name, self.settings(name, values), rung / WHOLE))
        return TrialScore(-value if goal.lower else value)

    def settings(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return all settings of a scorer, the configured ones and these values by dotted key.

        Raises:
            ConfigError: see `measure`.
        """
        section = scorer_definition(name).settings
        assert section is not None  # only scorers with settings are searched
        own = {key.removeprefix(f"rank.{name}."): value for key, value in values.items()}
        try:
            return section.model_validate({**self.rank.scorer_settings(name), **own}).model_dump()
        except ValidationError as error:
            raise ConfigError(f"rank.{name}: {error.errors()[0]['msg']}") from None

    def fitted(self, name: str, values: Mapping[str, Any]) -> Scorer:
        """Return a scorer that is fitted on train with the configured settings and these values."""
        return self._fitted(name, self.settings(name, values), 1.0)

    @one_blas_thread()  # see fit_scorer
    def _fitted(self, name: str, settings: Mapping[str, Any], share: float) -> Scorer:
        if name not in self._fits:
            user_rank = id_hashes(self.inputs.user_ids, self.inputs.seed) / 2.0**64
            self._fits = {name: TrialFits(name, self.train, user_rank, self.inputs, self._fitted_base(name))}
        grown = scorer_definition(name).per_user_settings
        scaled = {**settings, **{key: settings[key] * share for key in grown}}
        return self._fits[name].prepare(scaled, share)()

    def _fitted_base(self, name: str) -> dict[str, Scorer]:
        """Return the scorer that another one is fitted on, with the chosen settings; empty for most scorers."""
        base = scorer_definition(name).fitted_on
        if base in SCORERS and base not in self._bases:
            settings = self.chosen.get(base, self.rank.scorer_settings(base))
            self._bases[base] = fit_scorer(base, self.train, self.inputs, self._fitted_base(base), settings)
        return self._bases

    def model_scorer(self, model: Path) -> Scorer:
        """Return the scorer of a trained model by its directory."""
        return fit_scorer("intensity", None, replace(self.inputs, model=model), {}, {})
