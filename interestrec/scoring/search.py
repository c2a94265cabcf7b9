"""SettingsSearch: selects settings of scorers on valid_select with an equal budget per scorer."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import ceil
from typing import Any, Protocol

import numpy as np

from interestrec.core.prefetch import prefetch
from interestrec.core.row_products import one_blas_thread
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.scorers.definition import EVENTS, GRADED_EVENTS, ScorerDefinition
from interestrec.scorers.requests import Scorer
from interestrec.scoring.catalogue_lists import CatalogueLists
from interestrec.scoring.search_goals import SearchGoal, intensity_goal, ranking_goal

_SHARE = 0.25  # of the users, on which the first rung fits
_LEAST_TRIALS = 4  # budget of a search in rungs
_DRAWS = 64  # points of the sequence per distinct point of the grid


@dataclass(frozen=True)
class SearchResult:
    """The best settings, the scorer fitted with them, and all trials in order, each with settings and metric."""

    settings: dict[str, Any]
    scorer: Scorer
    trials: list[dict[str, Any]]


class SearchedFits(Protocol):
    """The fits of one scorer that a search makes."""

    def shared_settings(self, settings: Mapping[str, Any]) -> Hashable:
        """Return what is equal for trials that share a part of their fits; these are cheapest one after the other."""

    def prepare(self, settings: Mapping[str, Any], share: float) -> Callable[[], Scorer]:
        """Compute what trials share, and return the rest of the fit on a share of the users, to be run in a thread."""


@dataclass(frozen=True)
class SettingsSearch:
    """Successive halving over users with an equal budget for every scorer (Jamieson and Talwalkar 2016).

    The budget is `trials` fits on all users. A small space is searched exhaustively. Otherwise the first rung fits many
    settings on a quarter of the users, for half of the budget, and the second rung fits the best of these, and the
    configured ones, on all users. All trials are measured on the same users. Scorers that learn something of each user
    that they do not take from the request, those of labels, have no first rung.

    Trials of a rung do not depend on each other: two are fitted at once while a third is measured.
    """

    ranking: SearchGoal
    intensity: SearchGoal  # for scorers that predict an intensity
    trials: int  # budget per scorer in fits on all users, including one of the configured settings
    has_times: bool  # whether any event has a time
    has_weak_events: bool  # whether any positive event is not relevant
    seed: int

    def run(self, scorer: ScorerDefinition, fits: SearchedFits, configured: Mapping[str, Any]) -> SearchResult:
        """Fit with the configured settings and with others from the scorer's space, and keep the best.

        Args:
            scorer: its space; a scorer without a space is fitted once.
            configured: the configured settings of the scorer.
        """
        space = self.effective_space(scorer)
        start = {key: configured[key] for key in space}
        if not space or self.trials == 1:
            return SearchResult({**configured}, fits.prepare(configured, 1.0)(), [])
        goal = self.goal(scorer)
        measure = partial(_measure, goal, scorer.per_user_settings, fits, configured)
        has_first_rung = scorer.fitted_on in (EVENTS, GRADED_EVENTS) and self.trials >= _LEAST_TRIALS
        first_rung = round(self.trials / 2 / _SHARE) if has_first_rung else 0
        points = low_discrepancy_points(space, start, max(first_rung, self.trials), self.seed)
        trials: list[dict[str, Any]] = []
        if len(points) > self.trials:
            rung = measure(points, _SHARE)
            trials += rung.trials
            others = [int(n) for n in np.argsort(rung.losses, kind="stable") if n != 0]  # NaN comes last
            points = [start, *(points[n] for n in others[: self.trials - ceil(len(points) * _SHARE) - 1])]
        rung = measure(points, 1.0)
        return SearchResult({**configured, **points[rung.best]}, rung.scorer, [*trials, *rung.trials])

    def goal(self, scorer: ScorerDefinition) -> SearchGoal:
        """Return what trials of a scorer are compared by."""
        return self.intensity if scorer.predicts_intensity else self.ranking

    def effective_space(self, scorer: ScorerDefinition) -> dict[str, Sequence[Any]]:
        """Return the scorer's space without the settings that have no effect on this log."""
        without_effect = {
            *(() if self.has_times else scorer.time_settings),
            *(() if self.has_weak_events else scorer.evidence_settings),
        }
        return {key: values for key, values in scorer.space.items() if key not in without_effect}


@dataclass(frozen=True)
class _Rung:
    """What was measured of the points of one rung."""

    losses: list[float]  # by point; lower is better
    trials: list[dict[str, Any]]  # by point
    best: int  # the point with the lowest loss, the first of equal ones, and the first of all unless another is better
    scorer: Scorer  # of the best point


@one_blas_thread()  # see fit_scorer
def _measure(
    goal: SearchGoal,
    per_user_settings: Sequence[str],
    fits: SearchedFits,
    configured: Mapping[str, Any],
    points: Sequence[Mapping[str, Any]],
    share: float,
) -> _Rung:
    """Fit and measure each point on a share of the users, those that share a part of their fits one after the other."""
    settings = [{**configured, **point} for point in points]
    alike: dict[Hashable, list[int]] = {}
    for number, chosen in enumerate(settings):
        alike.setdefault(fits.shared_settings(chosen), []).append(number)
    order = [number for group in alike.values() for number in group]
    scaled = ({**settings[n], **{key: settings[n][key] * share for key in per_user_settings}} for n in order)
    tasks = (fits.prepare(chosen, share) for chosen in scaled)
    values = [np.nan] * len(points)
    best: tuple[float, int, Scorer] | None = None
    for number, fitted in zip(order, prefetch(tasks, lambda task: task()), strict=True):
        values[number] = goal.measure(fitted)
        loss = values[number] if goal.lower else -values[number]
        if best is None or (loss, number) < best[:2]:  # the first point comes first; NaN is not lower than anything
            best = (loss, number, fitted)
    assert best is not None  # there is at least one point
    return _Rung(
        losses=values if goal.lower else [-value for value in values],
        trials=[goal.describe(point, share, value) for point, value in zip(points, values, strict=True)],
        best=best[1],
        scorer=best[2],
    )


def low_discrepancy_points(
    space: Mapping[str, Sequence[Any]], start: Mapping[str, Any], most: int, seed: int
) -> list[dict[str, Any]]:
    """Return at most `most` distinct points that cover a grid evenly: `start`, then a scrambled Halton sequence.

    A grid of at most `most` points, with `start`, is returned whole.

    Args:
        space: values by key.
        start: a point, within the grid or not.
    """
    from scipy.stats import qmc

    whole = [dict(zip(space, values, strict=True)) for values in product(*space.values())]
    if len(others := [point for point in whole if point != start]) < most:
        return [dict(start), *others]
    sizes = [len(values) for values in space.values()]
    sequence = qmc.Halton(len(space), rng=np.random.default_rng(seed))
    cells = np.floor(sequence.random(_DRAWS * most) * sizes).astype(np.int64)
    drawn = dict.fromkeys(
        np.ravel_multi_index(tuple(cells.T), sizes).tolist()
    )  # distinct, in the order of the sequence
    return [dict(start), *[whole[n] for n in drawn if whole[n] != start][: most - 1]]


def settings_search(corpus: Corpus, lists: CatalogueLists, trials: int, seed: int) -> SettingsSearch:
    """Return the search on a corpus.

    Args:
        lists: the lists of valid_select users over the catalogue.
        trials: budget per scorer in fits on all users.
    """
    intensity = corpus.timelines.intensity
    return SettingsSearch(
        ranking=ranking_goal(corpus, lists, select=True),
        intensity=intensity_goal(corpus, select=True),
        trials=trials,
        has_times=bool((corpus.timelines.time != NO_TIME).any()),
        has_weak_events=bool(((intensity > 0) & ~corpus.relevant(intensity)).any()),
        seed=seed,
    )
