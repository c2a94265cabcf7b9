"""The score of an item as a sum: what each component adds, the shift of items without events, and the seen penalty."""

from collections.abc import Mapping

import numpy as np

from interestrec.answering.asked import Asked
from interestrec.answering.recommender import Recommender
from interestrec.answering.removals import decision_of, decision_parts
from interestrec.core.errors import NumericError
from interestrec.scorers.catalogue_rows import centred_rows
from interestrec.scorers.requests import Requests
from interestrec.scoring.blend import raise_to
from interestrec.scoring.decision import Decision, voters
from interestrec.scoring.segments import ItemWeights, SegmentWeights

COLD_ITEM, SEEN = "cold_item", "seen"  # terms that are no component
_TOLERANCE = 1e-9  # of the sum of the terms, per unit of the score


def split_scores(recommender: Recommender, asked: Asked, item: np.ndarray) -> dict[str, np.ndarray]:
    """Return the terms of the scores of items, float64 [requests, items of a request] by name.

    With the standardised score z of each voter v and the weights w and the power p of the request's segment, a term is
    w_v · sign(z_v) |z_v|^p. For items without events whose weights are their own, all of these are multiplied by the
    scale of the segment, and its offset is the term `cold_item`. The penalty of `seen: down` is the term `seen`. The
    terms sum to the score of `Recommender.recommend` (additive by construction; no approximation as in SHAP is needed).

    Args:
        item: int64 [requests, items of a request].

    Raises:
        NumericError: the terms do not sum to the score.
    """
    requests = asked.requests
    decision = decision_of(recommender.ensemble)
    parts = decision_parts(recommender.ensemble, requests)
    score = decision.score_catalogue(parts, requests)
    rows = np.arange(len(requests))[:, None]
    terms = _terms(decision, parts, requests, item)
    ruled = score.copy()
    recommender.apply_rules(ruled, asked)
    if recommender.rules.seen == "down" and asked.exclude is None:
        penalty = ruled[rows, item] - score[rows, item]
        terms[SEEN] = np.where(np.isfinite(penalty), penalty, 0.0)
        score[rows, item] += terms[SEEN]
    total = np.sum(list(terms.values()), axis=0)
    error = np.abs(total - score[rows, item]) / np.maximum(np.abs(score[rows, item]), 1.0)
    if (error > _TOLERANCE).any():
        raise NumericError(f"the terms of a score do not sum to it; they differ by up to {error.max():.2e}")
    return terms


def _terms(
    decision: Decision, parts: Mapping[str, np.ndarray], requests: Requests, item: np.ndarray
) -> dict[str, np.ndarray]:
    rows = np.arange(len(requests))[:, None]
    new = (np.diff(requests.offsets) == 0)[:, None]
    cold = decision.cold_items[item]
    blend = decision.catalogue_blend
    terms: dict[str, np.ndarray] = {}
    for voter, (name, scorer) in enumerate(voters(decision.components).items()):
        centred, _, deviation = centred_rows(parts[scorer], decision.known_items)
        z = centred[rows, item] / deviation[:, None]
        of_known, of_new = (_term(weights, voter, z, cold) for weights in (blend.known, blend.new))
        terms[name] = np.where(new, of_new, of_known)
    offsets = [0.0 if weights.cold is None else weights.offset for weights in (blend.known, blend.new)]
    if any(offsets):
        terms[COLD_ITEM] = np.where(cold, np.where(new, offsets[1], offsets[0]), 0.0)
    return terms


def _term(weights: SegmentWeights, voter: int, z: np.ndarray, cold: np.ndarray) -> np.ndarray:
    """Return what a voter adds, float64 in the shape of its standardised scores `z`."""
    warm = _weighted(weights.warm, voter, z)
    if weights.cold is None:
        return warm
    return np.where(cold, weights.scale * _weighted(weights.cold, voter, z), warm)


def _weighted(weights: ItemWeights, voter: int, z: np.ndarray) -> np.ndarray:
    return weights.values[voter] * raise_to(z, weights.power)
