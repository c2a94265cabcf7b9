"""Blend weights and calibrations, fitted on the valid_blend half of the validation split."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from interestrec.corpus.store import Corpus
from interestrec.metrics import lists, ranking
from interestrec.scoring import histories
from interestrec.scoring.blend import Fitted, fit_weights, standardise_lists, standardise_rows
from interestrec.scoring.blocks import blocks
from interestrec.scoring.decision import System, score_asked
from interestrec.scoring.requests import Scorer

_CELLS = 1 << 24  # rows × components of the catalogue's features held at one time


@dataclass(frozen=True)
class BlendFit:
    """Fitted weights and, of each component alone and of the blend, the mean metric on the same lists."""

    fitted: Fitted
    metric: str
    quality: dict[str, float]


def blend_impressions(corpus: Corpus) -> np.ndarray:
    """int64: rows of the validation impressions whose user is in valid_blend."""
    shown = corpus.impressions
    return np.flatnonzero((shown.split == histories.VALID) & ~corpus.in_valid_select[shown.user])


def score_impressions(corpus: Corpus, system: System, impression: np.ndarray) -> np.ndarray:
    """Scores of the impressions' candidates, one impression after another; float64 [candidates]."""
    scores = [np.zeros(0)]
    for start, stop in blocks(len(impression), corpus.items.num_rows):
        asked = histories.of_impressions(corpus, impression[start:stop])
        item = corpus.impressions.item[asked.rows]
        scores.append(score_asked(system, asked, item)[0])
    return np.concatenate(scores)


def fit_on_impressions(corpus: Corpus, components: Mapping[str, Scorer]) -> BlendFit:
    """Weights for ranking within impressions, from impressions of at least two candidates."""
    impression = blend_impressions(corpus)
    impression = impression[np.diff(corpus.impressions.offsets)[impression] > 1]
    asked = histories.of_impressions(corpus, impression)
    scores = [score_impressions(corpus, scorer, impression) for scorer in components.values()]
    features = np.stack([standardise_lists(score, asked.offsets) for score in scores], axis=1)
    relevant = corpus.relevant(corpus.impressions.label[asked.rows])
    return _fit(list(components), features, asked.offsets, relevant, "auc")


def fit_on_catalogue(corpus: Corpus, components: Mapping[str, Scorer], exclude_seen: bool, seed: int) -> BlendFit:
    """Weights for ranking the catalogue, from users' relevant validation items among all known ones.

    Users without a history are left out, because for them only what is the same for everyone tells items
    apart, whatever it weighs; users beyond what memory holds are left out at random.
    """
    known = histories.known_items(corpus)
    users = _within_memory(corpus, ~corpus.in_valid_select, int(known.sum()) * len(components), seed)
    requests = histories.of_catalogue(corpus, histories.VALID, users)
    truth = histories.truth_of(corpus, requests, histories.VALID)
    features, sizes, relevant = [np.zeros((0, len(components)))], [np.zeros(0, np.int64)], [np.zeros(0, bool)]
    for start, stop in blocks(len(requests), corpus.items.num_rows):
        block = requests.block(start, stop)
        eligible = np.repeat(known[None, :], len(block), axis=0)
        eligible[np.diff(block.offsets) == 0] = False
        if exclude_seen:
            eligible[np.repeat(np.arange(len(block)), np.diff(block.offsets)), block.item] = False
        wanted = np.zeros(eligible.shape, dtype=bool)
        here = (truth.request >= start) & (truth.request < stop) & corpus.relevant(truth.label)
        wanted[truth.request[here] - start, truth.item[here]] = True
        parts = [standardise_rows(scorer.score_catalogue(block), known)[eligible] for scorer in components.values()]
        features.append(np.stack(parts, axis=1))
        sizes.append(eligible.sum(axis=1)[np.diff(block.offsets) > 0])
        relevant.append(wanted[eligible])
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64)
    return _fit(list(components), np.concatenate(features), offsets, np.concatenate(relevant), "ndcg@10")


def _fit(names: list[str], features: np.ndarray, offsets: np.ndarray, relevant: np.ndarray, metric: str) -> BlendFit:
    fitted = fit_weights(features, offsets, relevant)
    columns = {name: features[:, index] for index, name in enumerate(names)}
    columns["interestrec"] = np.einsum("rc,c->r", features, fitted.weights)
    quality = {}
    for name, score in columns.items():
        values = ranking.metric(metric)(lists.ranked(offsets, score, relevant, relevant.astype(np.float64)))
        if not np.isnan(values).all():
            quality[name] = round(float(np.nanmean(values)), 6)
    return BlendFit(fitted, metric, quality)


def _within_memory(corpus: Corpus, users: np.ndarray, cells_per_user: int, seed: int) -> np.ndarray:
    """The users with a validation impression, thinned at random to as many as fit."""
    shown = corpus.impressions
    asking = np.unique(shown.user[shown.split == histories.VALID])
    asking = asking[users[asking]]
    most = max(1, _CELLS // max(cells_per_user, 1))
    chosen = np.zeros(len(users), dtype=bool)
    chosen[np.random.default_rng(seed).permutation(asking)[:most]] = True
    return chosen
