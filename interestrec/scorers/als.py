"""Implicit-feedback matrix factorisation; users outside training are folded in from their history."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from interestrec.scorers.blas_threads import one_blas_thread
from interestrec.scorers.interactions import event_matrix, history_matrix, known_dots
from interestrec.scorers.requests import Events, Requests


@dataclass(frozen=True)
class Als:
    """Dot product of an item's factors and the factors that fit the request's history best."""

    model: Any  # implicit's AlternatingLeastSquares, fitted on `known` items only; None without any
    known: np.ndarray  # int64 [known items], their numbers in the corpus, ascending
    n_items: int
    relevant_from: float

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]; 0 for items without events and for histories without known items."""
        score = np.zeros((len(requests), self.n_items), dtype=np.float32)
        if self.model is not None:
            score[:, self.known] = self._factors(requests) @ self.model.item_factors.T
        return score

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        if self.model is None:
            return np.zeros(len(item), np.float32)
        return known_dots(self._factors(requests), offsets, self.model.item_factors, self.known, item)

    def _factors(self, requests: Requests) -> np.ndarray:
        positive = requests.intensity >= self.relevant_from
        history = history_matrix(requests, positive, self.n_items)[:, self.known]
        with one_blas_thread():
            return self.model.recalculate_user(np.arange(len(requests)), _damped(history))


def fit(
    events: Events,
    relevant_from: float,
    factors: int,
    regularization: float,
    iterations: int,
    alpha: float,
    seed: int,
) -> Als:
    """Hu, Koren and Volinsky 2008, with confidence 1 + alpha · log(1 + count) for each pair with events.

    Only users and items with events take part, so that the start values, and with them the result, do not
    depend on who and what else is in the corpus.

    Args:
        events: positive events.
        relevant_from: least intensity of a history entry that counts.
    """
    from implicit.cpu.als import AlternatingLeastSquares

    known = np.unique(events.item).astype(np.int64)
    if len(known) == 0:
        return Als(None, known, events.n_items, relevant_from)
    counts = event_matrix(events)[np.unique(events.user)][:, known]
    with one_blas_thread():
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=regularization,
            alpha=alpha,
            iterations=iterations,
            num_threads=1,
            random_state=seed,
        )
        model.fit(_damped(counts), show_progress=False)
    return Als(model, known, events.n_items, relevant_from)


def _damped(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """The hundredth purchase of a thing says less than the second."""
    return counts.log1p().tocsr()
