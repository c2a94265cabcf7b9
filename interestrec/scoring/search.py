"""SettingsSearch: selects settings of scorers on valid_select with an equal number of trials per scorer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.metrics import ranked_lists, ranking
from interestrec.metrics.topk import top_k
from interestrec.scorers import queries
from interestrec.scorers.definition import ScorerDefinition
from interestrec.scorers.requests import Scorer, request_blocks
from interestrec.scoring.blend import has_both_classes
from interestrec.scoring.impression_scores import impression_scores

_USERS = 2000  # maximum number of users whose catalogue lists measure a trial
_DEPTH = 10  # length of these lists


@dataclass(frozen=True)
class SearchGoal:
    """The metric on valid_select that compares trials, and whether lower is better."""

    metric: str
    lower: bool
    measure: Callable[[Scorer], float]  # NaN if valid_select has no data for the metric

    def describe(self, settings: Mapping[str, Any], value: float) -> dict[str, Any]:
        """Return a trial, its settings and metric, for systems.json."""
        return {**settings, self.metric: None if np.isnan(value) else round(value, 6)}


@dataclass(frozen=True)
class SearchResult:
    """The best settings, the scorer fitted with them, and all trials in order, each with settings and metric."""

    settings: dict[str, Any]
    scorer: Scorer
    trials: list[dict[str, Any]]


@dataclass(frozen=True)
class SettingsSearch:
    """Random search with an equal budget for every scorer."""

    ranking: SearchGoal
    intensity: SearchGoal  # for scorers that predict an intensity
    trials: int  # fits per scorer, including the configured settings; a smaller space is searched exhaustively
    has_times: bool  # whether any event has a time
    has_weak_events: bool  # whether any positive event is not relevant
    seed: int

    def run(
        self, scorer: ScorerDefinition, fit: Callable[[Mapping[str, Any]], Scorer], configured: Mapping[str, Any]
    ) -> SearchResult:
        """Fit with the configured settings and with others drawn from the scorer's space, and keep the best.

        Args:
            scorer: its space; a scorer without a space is fitted once.
            fit: returns the scorer fitted with settings.
            configured: the configured settings of the scorer.
        """
        goal = self.intensity if scorer.predicts_intensity else self.ranking
        first, *others = self._draw(scorer, configured)
        settings = {**configured, **first}
        best = fit(settings)
        if not others:
            return SearchResult(settings, best, [])
        best_value = goal.measure(best)
        trials = [goal.describe(first, best_value)]
        for draw in others:
            candidate = fit({**configured, **draw})
            value = goal.measure(candidate)
            trials.append(goal.describe(draw, value))
            if value < best_value if goal.lower else value > best_value:
                settings, best, best_value = {**configured, **draw}, candidate, value
        return SearchResult(settings, best, trials)

    def _draw(self, scorer: ScorerDefinition, configured: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return distinct points of the space, the configured one first."""
        from sklearn.model_selection import ParameterGrid, ParameterSampler

        idle = (() if self.has_times else scorer.time_settings) + (
            () if self.has_weak_events else scorer.evidence_settings
        )
        space: dict[str, Sequence[Any]] = {key: values for key, values in scorer.space.items() if key not in idle}
        start = {key: configured[key] for key in space}
        if not space or self.trials == 1:
            return [start]
        draws = ParameterSampler(space, min(self.trials, len(ParameterGrid(space))), random_state=self.seed)
        return [start, *[dict(sorted(draw.items())) for draw in draws if draw != start]][: self.trials]


def settings_search(
    corpus: Corpus, exclude_seen: bool, tie_order: np.ndarray, trials: int, seed: int
) -> SettingsSearch:
    """Return the search on a corpus.

    Args:
        exclude_seen: whether catalogue lists omit items of the history.
        tie_order: [items], distinct; among equal scores the lower value ranks first.
        trials: fits per scorer.
    """
    intensity = corpus.timelines.intensity
    return SettingsSearch(
        ranking=_ranking_goal(corpus, exclude_seen, tie_order, seed),
        intensity=_intensity_goal(corpus),
        trials=trials,
        has_times=bool((corpus.timelines.time != NO_TIME).any()),
        has_weak_events=bool(((intensity > 0) & ~corpus.relevant(intensity)).any()),
        seed=seed,
    )


def _ranking_goal(corpus: Corpus, exclude_seen: bool, tie_order: np.ndarray, seed: int) -> SearchGoal:
    """Return `auc` within impressions if any has both classes, otherwise `ndcg@10` over the catalogue."""
    shown, impression = corpus.impressions, queries.valid_impressions(corpus, select=True)
    query = queries.impression_queries(corpus, impression)
    relevant = corpus.relevant(shown.label[query.rows])
    if has_both_classes(query.offsets, relevant).any():

        def auc(scorer: Scorer) -> float:
            score = impression_scores(corpus, scorer, impression).astype(np.float64)
            return _mean(
                ranking.auc(ranked_lists.rank_lists(query.offsets, score, relevant, relevant.astype(np.float64)))
            )

        return SearchGoal("auc", lower=False, measure=auc)
    return SearchGoal(f"ndcg@{_DEPTH}", lower=False, measure=_catalogue_ndcg(corpus, exclude_seen, tie_order, seed))


def _intensity_goal(corpus: Corpus) -> SearchGoal:
    """Return `rmse` of the predicted intensities of candidates with a known label."""
    shown, impression = corpus.impressions, queries.valid_impressions(corpus, select=True)
    label = shown.label[queries.impression_queries(corpus, impression).rows].astype(np.float64)
    known = ~np.isnan(label)

    def rmse(scorer: Scorer) -> float:
        error = impression_scores(corpus, scorer, impression)[known] - label[known]
        return float(np.sqrt((error**2).mean())) if len(error) else np.nan

    return SearchGoal("rmse", lower=True, measure=rmse)


def _catalogue_ndcg(corpus: Corpus, exclude_seen: bool, tie_order: np.ndarray, seed: int) -> Callable[[Scorer], float]:
    users = queries.valid_users(corpus, select=True, most=_USERS, seed=seed)
    requests = queries.catalogue_requests(corpus, queries.VALID, users)
    truth = queries.request_truth(corpus, requests, queries.VALID)
    relevant = corpus.relevant(truth.label) & ~(truth.seen & exclude_seen)

    def ndcg(scorer: Scorer) -> float:
        values = [np.zeros(0)]
        for start, stop in request_blocks(len(requests), corpus.items.num_rows):
            block = requests.block(start, stop)
            score = scorer.score_catalogue(block)
            if exclude_seen:
                score[block.owner, block.item] = -np.inf
            targets = truth.matrix(relevant, start, stop, corpus.items.num_rows)
            top = top_k(score, _DEPTH, tie_order)
            row = np.arange(len(block))[:, None]
            hits = targets[row, top].ravel()
            offsets = np.arange(len(block) + 1) * top.shape[1]
            owner = np.nonzero(targets)[0]
            ones = np.ones(len(owner))
            ranked = ranked_lists.rank_with_truth(
                offsets, score[row, top].ravel().astype(np.float64), hits, hits * 1.0, owner, ones > 0, ones
            )
            values.append(ranking.ndcg(ranked, _DEPTH))
        return _mean(np.concatenate(values))

    return ndcg


def _mean(values: np.ndarray) -> float:
    return np.nan if np.isnan(values).all() else float(np.nanmean(values))
