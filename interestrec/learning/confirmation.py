"""The found settings beside the configured ones on valid_blend, which the search has not seen.

The best of many trials on valid_select looks better there than it is: it won by chance, too. Its gain on other users
has no such flattery, so it decides whether the found settings or the configured ones stay.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from interestrec.metrics.bootstrap import UserValues, interval, resample
from interestrec.scorers.requests import Scorer
from interestrec.scoring.search_goals import SearchGoal

_RESAMPLES = 1000
_CAUTION = 0.5  # standard errors that a gain must exceed, as for weights of the blend


@dataclass(frozen=True)
class HalfOfValid:
    """Metrics of the configured and of the found settings on one half of valid."""

    configured: float
    found: float
    gain: float  # positive where the found settings are better
    ci_low: float
    ci_high: float
    deviation: float  # of the gain over resampled users
    users: int


@dataclass(frozen=True)
class Confirmation:
    """The found settings of a system beside the configured ones."""

    metric: str
    select: HalfOfValid
    blend: HalfOfValid

    @property
    def optimism(self) -> float:
        """By how much valid_select flatters the gain of the found settings."""
        return self.select.gain - self.blend.gain

    @property
    def is_confirmed(self) -> bool:
        """Whether the found settings are better on valid_blend by more than chance explains easily."""
        return self.blend.gain > _CAUTION * self.blend.deviation

    def describe(self) -> dict[str, Any]:
        """Return JSON values."""
        halves = {"select": asdict(self.select), "blend": asdict(self.blend)}
        return {"metric": self.metric, **halves, "optimism": self.optimism, "confirmed": self.is_confirmed}


def confirm(goals: tuple[SearchGoal, SearchGoal], configured: Scorer, found: Scorer, seed: int) -> Confirmation:
    """Compare two fits on both halves of valid.

    Args:
        goals: on valid_select and on valid_blend.
    """
    select, blend = (compare_scorers(goal, configured, found, seed) for goal in goals)
    return Confirmation(goals[0].metric, select, blend)


def compare_scorers(goal: SearchGoal, configured: Scorer, found: Scorer, seed: int) -> HalfOfValid:
    """Compare two scorers on the same lists; the interval is the percentile bootstrap over users, paired."""
    values = np.stack([goal.values(configured), goal.values(found)], axis=1).astype(np.float64)  # [lists, 2]
    known = ~np.isnan(values).any(axis=1)
    users, owner = np.unique(goal.user[known], return_inverse=True)
    columns = np.zeros((len(users), 3))  # sums of both, and lists
    np.add.at(columns, owner, np.column_stack([values[known], np.ones(int(known.sum()))]))
    if not len(users):
        return HalfOfValid(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, 0)
    gain = _gain(goal, columns.sum(axis=0)[None, :])
    draws = _gain(goal, resample([UserValues(np.arange(len(users)), columns)], len(users), _RESAMPLES, seed)[0])
    low, high = interval(draws[:, None])
    means = goal.of_mean(values[known].mean(axis=0))
    return HalfOfValid(
        configured=float(means[0]),
        found=float(means[1]),
        gain=float(gain[0]),
        ci_low=float(low[0]),
        ci_high=float(high[0]),
        deviation=float(draws.std(ddof=1)),
        users=len(users),
    )


def _gain(goal: SearchGoal, sums: np.ndarray) -> np.ndarray:
    """Return the gain of the found settings, float64 [draws], from sums of both and numbers of lists, [draws, 3]."""
    configured, found = (goal.of_mean(sums[:, n] / sums[:, 2]) for n in (0, 1))
    return configured - found if goal.lower else found - configured
