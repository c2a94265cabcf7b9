"""Intensity: the trained two-tower models as a scorer, by the mean of their logits of order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.scorers.definition import MODEL, ScorerDefinition
from interestrec.scorers.requests import Requests

if TYPE_CHECKING:
    from interestrec.scorers.scorer_inputs import ScorerInputs
    from interestrec.scorers.two_tower_model import TwoTowerModel


class Intensity:
    """Scores by the models' mean logits of order; how strong the interest is says `strength`."""

    def __init__(self, models: Sequence[TwoTowerModel], retrieve: int | None = None) -> None:
        """
        Args:
            models: of one corpus.
            retrieve: number of items nearest to the user's vector, by the first model, that are scored in full; None:
                all items.
        """
        self.models = models
        self.items = len(models[0].items.texts)
        self.retrieve = retrieve if retrieve is not None and retrieve < self.items else None

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """See Scorer. Items that are not retrieved rank below all retrieved items, by their nearness."""
        scores = np.empty((len(requests), self.items), np.float32)
        for rows, block, moments in self.models[0].blocks(requests):
            if self.retrieve is None:
                logits = [model.catalogue.order(model.histories(block), moments) for model in self.models]
                scores[rows] = np.mean(logits, axis=0)
            else:
                scores[rows] = self._in_two_steps(block, self.retrieve)
        return scores

    def _in_two_steps(self, requests: Requests, retrieve: int) -> np.ndarray:
        """Logits [requests, items]: full ones for the retrieved items; the other items receive lower values."""
        nearness = self.models[0].catalogue.nearness(self.models[0].histories(requests))
        first = np.argpartition(-nearness, retrieve - 1, axis=1)[:, :retrieve]
        logits = np.mean([model.order(requests, first) for model in self.models], axis=0)
        nearness -= np.take_along_axis(nearness, first, axis=1).min(axis=1, keepdims=True)
        nearness += logits.min(axis=1, keepdims=True)
        np.put_along_axis(nearness, first, logits, axis=1)
        return nearness

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """See Scorer."""
        return np.mean([model.candidate_order(requests, offsets, item) for model in self.models], axis=0)


def fit(inputs: ScorerInputs, retrieve: int | None) -> Intensity:
    """Take the models that `finetune` trained."""
    return Intensity(inputs.two_towers, retrieve)


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=None,
    fitted_on=MODEL,
    needs=("retrieve",),
    is_system=False,
    component="intensity",
)
