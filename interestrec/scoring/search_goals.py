"""What trials of settings are compared by: a metric on one half of valid, with its values by user."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.metrics import ranked_lists, ranking
from interestrec.scorers import queries
from interestrec.scorers.requests import Scorer
from interestrec.scoring.catalogue_lists import METRIC, CatalogueLists
from interestrec.scoring.impression_scores import impression_scores


@dataclass(frozen=True)
class SearchGoal:
    """A metric on half of valid: the mean of values of lists, or the root of the mean of squared errors."""

    metric: str
    values: Callable[[Scorer], np.ndarray]  # float64 [values], NaN for lists without a value
    user: np.ndarray  # int64 [values], whose they are
    lower: bool = False  # whether lower is better
    root: bool = False  # whether the metric is the root of the mean

    def measure(self, scorer: Scorer) -> float:
        """Return the metric; NaN if valid has no data for it."""
        return self.mean(self.values(scorer))

    def mean(self, values: np.ndarray) -> float:
        """Return the metric of values, NaN if none is a number."""
        if np.isnan(values).all():
            return np.nan
        return float(self.of_mean(np.nanmean(values)))

    def of_mean(self, mean: Any) -> Any:
        """Return the metric of a mean of values, or of many means."""
        return np.sqrt(mean) if self.root else mean

    def describe(self, settings: Mapping[str, Any], share: float, value: float) -> dict[str, Any]:
        """Return a trial, its settings, the share of users that it was fitted on, and its metric, for systems.json."""
        return {**settings, "share_of_users": share, self.metric: None if np.isnan(value) else round(value, 6)}


def ranking_goal(corpus: Corpus, lists: CatalogueLists, *, select: bool) -> SearchGoal:
    """Return `auc` within impressions if any has both classes, otherwise `ndcg@10` over the catalogue.

    Args:
        lists: those of the users of the same half.
        select: whether the half is valid_select or valid_blend.
    """
    shown, impression = corpus.impressions, queries.valid_impressions(corpus, select=select)
    query = queries.impression_queries(corpus, impression)
    relevant = corpus.relevant(shown.label[query.rows])
    positives = np.bincount(ragged.owner(query.offsets)[relevant], minlength=len(query.offsets) - 1)
    if ((positives > 0) & (positives < np.diff(query.offsets))).any():

        def auc(scorer: Scorer) -> np.ndarray:
            score = impression_scores(corpus, scorer, impression).astype(np.float64)
            return ranking.auc(ranked_lists.rank_lists(query.offsets, score, relevant, relevant.astype(np.float64)))

        return SearchGoal("auc", auc, shown.user[impression].astype(np.int64))
    return SearchGoal(METRIC, lists.scorer_values, lists.requests.user.astype(np.int64))


def intensity_goal(corpus: Corpus, *, select: bool) -> SearchGoal:
    """Return `rmse` of the predicted intensities of candidates with a known label; `select`: see `ranking_goal`."""
    shown, impression = corpus.impressions, queries.valid_impressions(corpus, select=select)
    query = queries.impression_queries(corpus, impression)
    label = shown.label[query.rows].astype(np.float64)
    known = ~np.isnan(label)

    def squared_errors(scorer: Scorer) -> np.ndarray:
        return (impression_scores(corpus, scorer, impression)[known] - label[known]) ** 2

    users = shown.user[impression][ragged.owner(query.offsets)][known]
    return SearchGoal("rmse", squared_errors, users.astype(np.int64), lower=True, root=True)
