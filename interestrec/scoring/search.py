"""Settings of the scorers that are fitted here, chosen on valid_select with the same number of trials for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.metrics import ranked_lists, ranking
from interestrec.metrics.topk import top_k
from interestrec.scorers import queries
from interestrec.scorers.request_blocks import blocks
from interestrec.scorers.requests import Scorer
from interestrec.scoring.blend import has_both_classes
from interestrec.scoring.impression_scores import impression_scores

_USERS = 2000  # whose catalogue lists a trial is judged by
_DEPTH = 10  # of these lists
_HALF_LIVES = [None, 14.0, 45.0, 90.0, 365.0]

# what is tried beside the configured settings: scorer -> setting -> values
SPACES: dict[str, dict[str, list[Any]]] = {
    "trending": {"half_life": [0.25, 1.0, 2.0, 4.0, 7.0, 14.0, 30.0, 90.0]},
    "item_knn": {
        "similarity": ["cosine", "jaccard"],
        "neighbours": [20, 50, 100, 200, 400],
        "shrinkage": [0.0, 3.0, 10.0, 30.0, 100.0],
        "half_life": _HALF_LIVES,
    },
    "als": {
        "factors": [16, 32, 64, 128, 256],
        "regularization": [0.01, 0.05, 0.2, 1.0, 5.0],
        "alpha": [0.5, 1.0, 4.0, 16.0, 64.0],
    },
    "ease": {"regularization": [5.0, 20.0, 50.0, 100.0, 200.0, 400.0, 800.0], "half_life": _HALF_LIVES},
    "bpr": {
        "factors": [16, 32, 64, 128],
        "learning_rate": [0.01, 0.03, 0.1],
        "regularization": [0.001, 0.01, 0.05],
        "iterations": [50, 100, 200],
        "fold_steps": [0, 3],
    },
    "bias": {"item_regularization": [1.0, 3.0, 5.0, 10.0, 25.0], "user_regularization": [1.0, 3.0, 5.0, 10.0, 25.0]},
    "mf": {
        "factors": [2, 4, 8, 12],
        "regularization": [0.03, 0.05, 0.07, 0.1, 0.2],
        "item_regularization": [3.0, 5.0, 10.0],
        "user_regularization": [3.0, 5.0, 10.0],
    },
}


@dataclass(frozen=True)
class SearchGoal:
    """What a scorer is judged by: a metric on valid_select, and whether less of it is better."""

    metric: str
    lower: bool
    value: Callable[[Scorer], float]  # NaN where there is nothing to judge by

    def told(self, chosen: Mapping[str, Any], value: float) -> dict[str, Any]:
        """A trial for systems.json."""
        return {**chosen, self.metric: None if np.isnan(value) else round(value, 6)}


@dataclass(frozen=True)
class SearchResult:
    """The best settings, the scorer fitted with them, and all that was tried: settings and metric, in order."""

    settings: dict[str, Any]
    scorer: Scorer
    tried: list[dict[str, Any]]


def search_settings(
    name: str,
    fit: Callable[..., Scorer],
    configured: Mapping[str, Any],
    goal: SearchGoal,
    trials: int,
    timed: bool,
    seed: int,
) -> SearchResult:
    """Fit with the configured settings and with others drawn from the scorer's space, and keep the best.

    Args:
        name: of the scorer; one without a space is fitted once.
        fit: makes the scorer of keyword arguments.
        trials: how often it may be fitted, the configured settings included; a smaller space is tried whole.
        timed: whether events have times; without, half-lives mean nothing.
    """
    first, *others = _draws(SPACES.get(name, {}), configured, trials, timed, seed)
    settings = {**configured, **first}
    best = fit(**settings)
    if not others:
        return SearchResult(settings, best, [])
    best_value = goal.value(best)
    tried = [goal.told(first, best_value)]
    for chosen in others:
        scorer = fit(**{**configured, **chosen})
        value = goal.value(scorer)
        tried.append(goal.told(chosen, value))
        if value < best_value if goal.lower else value > best_value:
            settings, best, best_value = {**configured, **chosen}, scorer, value
    return SearchResult(settings, best, tried)


def ranking_goal(corpus: Corpus, exclude_seen: bool, precedence: np.ndarray, seed: int) -> SearchGoal:
    """`auc` within impressions where they offer a choice, else `ndcg@10` over the catalogue.

    Args:
        precedence: [items], who comes first among equal scores.
    """
    shown, impression = corpus.impressions, queries.valid_impressions(corpus, select=True)
    asked = queries.impression_queries(corpus, impression)
    relevant = corpus.relevant(shown.label[asked.rows])
    if has_both_classes(asked.offsets, relevant).any():

        def auc(scorer: Scorer) -> float:
            score = impression_scores(corpus, scorer, impression).astype(np.float64)
            return _mean(
                ranking.auc(ranked_lists.rank_lists(asked.offsets, score, relevant, relevant.astype(np.float64)))
            )

        return SearchGoal("auc", lower=False, value=auc)
    return SearchGoal(f"ndcg@{_DEPTH}", lower=False, value=_catalogue_value(corpus, exclude_seen, precedence, seed))


def intensity_goal(corpus: Corpus) -> SearchGoal:
    """`rmse` of predicted intensities of the candidates with a known label."""
    shown, impression = corpus.impressions, queries.valid_impressions(corpus, select=True)
    label = shown.label[queries.impression_queries(corpus, impression).rows].astype(np.float64)
    known = ~np.isnan(label)

    def rmse(scorer: Scorer) -> float:
        error = impression_scores(corpus, scorer, impression)[known] - label[known]
        return float(np.sqrt((error**2).mean())) if len(error) else np.nan

    return SearchGoal("rmse", lower=True, value=rmse)


def _catalogue_value(
    corpus: Corpus, exclude_seen: bool, precedence: np.ndarray, seed: int
) -> Callable[[Scorer], float]:
    users = queries.valid_users(corpus, select=True, most=_USERS, seed=seed)
    requests = queries.catalogue_requests(corpus, queries.VALID, users)
    truth = queries.request_truth(corpus, requests, queries.VALID)
    judged = corpus.relevant(truth.label) & ~(truth.seen & exclude_seen)

    def ndcg(scorer: Scorer) -> float:
        found = [np.zeros(0)]
        for start, stop in blocks(len(requests), corpus.items.num_rows):
            block = requests.block(start, stop)
            score = scorer.score_catalogue(block)
            if exclude_seen:
                score[block.owner, block.item] = -np.inf
            wanted = truth.marked(judged, start, stop, corpus.items.num_rows)
            chosen = top_k(score, _DEPTH, precedence)
            row = np.arange(len(block))[:, None]
            hits = wanted[row, chosen].ravel()
            offsets = np.arange(len(block) + 1) * chosen.shape[1]
            owner = np.nonzero(wanted)[0]
            ones = np.ones(len(owner))
            ranked = ranked_lists.rank_with_truth(
                offsets, score[row, chosen].ravel().astype(np.float64), hits, hits * 1.0, owner, ones > 0, ones
            )
            found.append(ranking.ndcg(ranked, _DEPTH))
        return _mean(np.concatenate(found))

    return ndcg


def _mean(values: np.ndarray) -> float:
    return np.nan if np.isnan(values).all() else float(np.nanmean(values))


def _draws(
    space: Mapping[str, Sequence[Any]], configured: Mapping[str, Any], trials: int, timed: bool, seed: int
) -> list[dict[str, Any]]:
    """The configured values first, then others, none twice."""
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    space = {key: values for key, values in space.items() if timed or key != "half_life"}
    own = {key: configured[key] for key in space}
    if not space or trials == 1:
        return [own]
    others = ParameterSampler(space, min(trials, len(ParameterGrid(space))), random_state=seed)
    return [own, *[dict(sorted(chosen.items())) for chosen in others if chosen != own]][:trials]


def has_times(corpus: Corpus) -> bool:
    """Whether any event has a time."""
    return bool((corpus.timelines.time != NO_TIME).any())
