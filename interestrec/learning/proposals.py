"""Proposals of settings: a function of the space, the seed and what was measured, made by samplers of Optuna.

Optuna's samplers keep random numbers of their own, which a killed process loses. Here a sampler lives for one
proposal: its seed is derived from that of the search and the number of the trial, and its history is what earlier
brackets measured. So the same search proposes the same settings, whoever asks and how often it was killed.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from interestrec.learning.search_space import Dimension

if TYPE_CHECKING:
    import optuna

_FIRST = 5  # trials that are drawn at random before `tpe` learns from them


@dataclass(frozen=True)
class PastTrial:
    """A trial as a sampler sees it."""

    settings: Mapping[str, Any]  # by dimension
    scores: Mapping[int, float]  # by rung, without those that could not be measured; empty: begun in this bracket
    is_complete: bool = False  # whether it was measured on the last rung
    notes: Mapping[str, Any] = field(default_factory=dict)  # what the sampler stored


@dataclass(frozen=True)
class Proposal:
    """Settings of a trial that is to begin."""

    settings: dict[str, Any]  # by dimension
    notes: dict[str, Any]  # what the sampler stores with the trial


def propose(
    space: Mapping[str, Dimension], past: Sequence[PastTrial], number: int, sampler: str, seed: int
) -> Proposal:
    """Return the settings of the trial `number`.

    Args:
        past: earlier trials whose settings lie within the space, by number.
        sampler: `tune.sampler`.
        seed: of the search.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a sampler is experimental
        drawn = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        study = optuna.create_study(direction="maximize", sampler=_sampler(sampler, drawn))
        for trial in past:
            study.add_trial(_frozen(space, trial))
        number_here = study.ask({name: dimension.distribution() for name, dimension in space.items()}).number
    asked = study.get_trials(deepcopy=False)[number_here]
    return Proposal(dict(asked.params), dict(asked.system_attrs))


def _sampler(name: str, seed: int) -> "optuna.samplers.BaseSampler":
    from optuna import samplers

    if name == "tpe":
        return samplers.TPESampler(seed=seed, n_startup_trials=_FIRST, multivariate=True)
    if name == "cma_es":
        return samplers.CmaEsSampler(
            seed=seed, n_startup_trials=_FIRST, consider_pruned_trials=True, warn_independent_sampling=False
        )
    return samplers.RandomSampler(seed=seed)


def _frozen(space: Mapping[str, Dimension], trial: PastTrial) -> "optuna.trial.FrozenTrial":
    from optuna.trial import TrialState, create_trial

    last = max(trial.scores, default=None)
    state = TrialState.RUNNING if last is None else TrialState.COMPLETE if trial.is_complete else TrialState.PRUNED
    return create_trial(
        state=state,
        value=trial.scores[last] if last is not None and trial.is_complete else None,
        params={name: trial.settings[name] for name in space},
        distributions={name: dimension.distribution() for name, dimension in space.items()},
        system_attrs=dict(trial.notes),
        intermediate_values=dict(trial.scores),
    )
