"""How much of the exact lists of the decision lists of candidates hold, on a sample of validation users."""

from dataclasses import replace

import numpy as np

from interestrec.core.progress import log
from interestrec.io.schemas import OURS
from interestrec.metrics.topk import top_k
from interestrec.scoring.candidate_scores import CandidateCatalogue
from interestrec.scoring.catalogue_lists import CatalogueLists
from interestrec.scoring.ensemble import Ensemble

_LISTS = 100  # whose exact form is made, about the time of 1,000 lists of candidates
_LEAST = 0.99  # recall below which there is a warning


def with_candidate_recall(ensemble: Ensemble, lists: CatalogueLists) -> Ensemble:
    """Return the ensemble with the measured recall in the description of `interestrec`, and log it.

    The recall of a list is the share of the items of the exact list that are in the list of candidates of equal length.
    Where every item is scored, or there are no lists, nothing is measured.
    """
    if lists.candidates is None or OURS not in ensemble.systems or not len(lists):
        return ensemble
    shares = candidate_recall(ensemble.only(OURS), lists, lists.candidates)
    recall = float(np.mean(shares))
    said = f"lists of {lists.candidates} candidates per component hold {recall:.2%} of {len(shares)} exact lists"
    if recall < _LEAST:
        log.warning("rank: %s; a larger rank.candidates finds more, and rank.exact: true misses none", said)
    else:
        log.info("rank: %s", said)
    measured = {"per_component": lists.candidates, "recall": round(recall, 6), "lists": len(shares)}
    return replace(ensemble, description={**ensemble.description, "candidates": measured})


def candidate_recall(ensemble: Ensemble, lists: CatalogueLists, candidates: int) -> np.ndarray:
    """Return the recall of the lists of evenly spaced requests, float64 [lists].

    Args:
        ensemble: of `interestrec` alone.
        candidates: best items of each component.
    """
    step = -(-len(lists) // _LISTS)
    shares = []
    for row in range(0, len(lists), step):
        requests, limits = lists.requests.block(row, row + 1), lists.limits(row, row + 1)
        (whole,) = ensemble.score_catalogue(requests)
        limits.apply(whole.score)
        exact = top_k(whole.score, lists.length, lists.tie_order)
        exact = exact[np.take_along_axis(whole.score, exact, axis=1) > -np.inf]
        found = CandidateCatalogue(ensemble, requests, limits, candidates).scores(OURS, lists.length)
        assert found.item is not None
        best = top_k(found.score, lists.length, np.arange(found.score.shape[1]))
        shares.append(np.isin(exact, np.take_along_axis(found.item, best, axis=1)).mean())
    return np.array(shares)
