"""How much each setting of a search mattered, and whether chance explains as much.

Trials are compared on the first rung, which all of them reached at the same cost. The importance is PED-ANOVA
(Watanabe, Bansal and Hutter 2023, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
Subspaces"): how differently a setting is distributed among the best third of the trials and among all of them. It goes
by the order of the trials alone, and by where they lie, so neither outliers nor a sampler that prefers some settings
mislead it; fANOVA fits a forest of regressions, which a few dozen trials do not carry.

Shares of importance add up to 1 even where no setting matters. So the same is computed of shuffled orders, and a
setting stands out only if few of them give it as much.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from interestrec.metrics.bootstrap import holm

if TYPE_CHECKING:
    import optuna

LEAST_TRIALS = 8  # fewer say nothing of several settings
_TOP = 1 / 3  # of the trials
_SHUFFLES, _LEVEL = 199, 0.05

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class SettingImportance:
    """The importance of one setting."""

    key: str  # dotted
    share: float  # of the importance of all settings
    by_chance: float  # what 95 % of the shuffled orders stay below, on the same scale
    p: float  # share of the orders that give it as much, after Holm's correction over the settings

    @property
    def stands_out(self) -> bool:
        """Whether chance does not explain it easily."""
        return self.p <= _LEVEL


@dataclass(frozen=True)
class SearchImportance:
    """The importance of all settings of a system, the largest first."""

    settings: list[SettingImportance]
    trials: int  # that it rests on
    rung: int  # on which they are compared


def setting_importance(
    space: Mapping[str, Mapping[str, Any]], trials: Rows, curves: Rows, lower: bool, seed: int = 0
) -> SearchImportance | None:
    """Return how much each setting mattered on the first rung; None with too few trials or nothing that differs.

    Args:
        space: dimensions by dotted key, as in tuning.json.
        trials: rows of report_schemas.TRIALS of one system. Those that failed, or whose settings lie outside of the
            space, as the configured ones may, are left out.
        curves: rows of report_schemas.CURVES of the same system.
        lower: whether a lower value of the metric is better.
        seed: of the shuffled orders.
    """
    measured = [trial for trial in trials if trial["value"] is not None]
    if not measured:
        return None
    rung = min(trial["rung"] for trial in measured)
    reached = _reached(curves, rung, lower)
    compared = {}
    for trial in measured:
        settings = json.loads(trial["settings"])
        if trial["trial"] in reached and all(_is_inside(space[key], settings[key]) for key in space):
            compared[trial["trial"]] = settings
    loss = np.array([reached[number] if lower else -reached[number] for number in compared])
    if len(compared) < LEAST_TRIALS or np.ptp(loss) == 0:
        return None
    found, shuffled = _of_orders(space, list(compared.values()), loss, seed)
    total = found.sum()
    if total <= 0:
        return None
    # An order with the same best trials gives as much, whatever rounding does.
    p = holm((1 + (shuffled >= found * (1 - 1e-9)).sum(axis=0)) / (1 + len(shuffled)))
    by_chance = np.quantile(shuffled, 1 - _LEVEL, axis=0)
    settings = [
        SettingImportance(key, float(found[n] / total), float(by_chance[n] / total), float(p[n]))
        for n, key in enumerate(space)
    ]
    return SearchImportance(sorted(settings, key=lambda one: (-one.share, one.key)), len(compared), rung)


def _reached(curves: Rows, rung: int, lower: bool) -> dict[int, float]:
    """Return the best value of each trial up to a rung."""
    best = min if lower else max
    reached: dict[int, float] = {}
    for point in curves:
        if point["rung"] <= rung:
            reached[point["trial"]] = best(point["value"], reached.get(point["trial"], point["value"]))
    return reached


def _is_inside(dimension: Mapping[str, Any], value: Any) -> bool:
    if "values" in dimension:
        return value in dimension["values"]
    return isinstance(value, int | float) and bool(dimension["low"] <= value <= dimension["high"])


def _of_orders(
    space: Mapping[str, Mapping[str, Any]], settings: Sequence[Mapping[str, Any]], loss: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the importance by key of trials with this loss, [keys], and with shuffled ones, [shuffles, keys]."""
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    evaluator = PedAnovaImportanceEvaluator(target_quantile=_TOP)
    study = _study(space, settings)
    random = np.random.default_rng(seed)

    def importance(values: np.ndarray) -> list[float]:
        by_key = evaluator.evaluate(study, list(space), target=lambda trial: values[trial.number])
        return [by_key[key] for key in space]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is experimental, and that low targets are the best: they are
        return np.array(importance(loss)), np.array([importance(random.permutation(loss)) for _ in range(_SHUFFLES)])


def _study(space: Mapping[str, Mapping[str, Any]], settings: Sequence[Mapping[str, Any]]) -> "optuna.Study":
    """Return a study in memory with these trials, all complete."""
    import optuna

    of_key = {key: _distribution(dimension) for key, dimension in space.items()}
    study = optuna.create_study()
    for values in settings:
        params = {key: values[key] for key in space}
        study.add_trial(optuna.trial.create_trial(value=0.0, params=params, distributions=of_key))
    return study


def _distribution(dimension: Mapping[str, Any]) -> "optuna.distributions.BaseDistribution":
    """Return the distribution of a dimension; whole numbers are compared like any others."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if "values" in dimension:
        return CategoricalDistribution(dimension["values"])
    return FloatDistribution(dimension["low"], dimension["high"], log=dimension["log"])
