"""Intensity: the trained two-tower model as a scorer, by the logits of its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.scorers.definition import MODEL, ScorerDefinition
from interestrec.scorers.requests import Requests

if TYPE_CHECKING:
    from interestrec.scorers.scorer_inputs import ScorerInputs
    from interestrec.scorers.two_tower_model import TwoTowerModel


class Intensity:
    """Scores by the model's logits of order; how strong the interest is says `strength`."""

    def __init__(self, model: TwoTowerModel, retrieve: int | None = None) -> None:
        """`retrieve` is the number of items nearest to the user's vector that are scored in full; None: all items."""
        self.model = model
        self.retrieve = retrieve if retrieve is not None and retrieve < len(model.items.texts) else None

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """See Scorer. Items that are not retrieved rank below all retrieved items, by their nearness."""
        scores = np.empty((len(requests), len(self.model.items.texts)), np.float32)
        for rows, block, moments in self.model.blocks(requests):
            if self.retrieve is None:
                scores[rows] = self.model.catalogue.order(self.model.histories(block), moments)
            else:
                scores[rows] = self._in_two_steps(block, self.retrieve)
        return scores

    def _in_two_steps(self, requests: Requests, retrieve: int) -> np.ndarray:
        """Logits [requests, items]: full ones for the retrieved items; the other items receive lower values."""
        nearness = self.model.catalogue.nearness(self.model.histories(requests))
        first = np.argpartition(-nearness, retrieve - 1, axis=1)[:, :retrieve]
        logits, _ = self.model.score(requests, first)
        nearness -= np.take_along_axis(nearness, first, axis=1).min(axis=1, keepdims=True)
        nearness += logits.min(axis=1, keepdims=True)
        np.put_along_axis(nearness, first, logits, axis=1)
        return nearness

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """See Scorer."""
        return self.model.candidates(requests, offsets, item).order


def fit(inputs: ScorerInputs, retrieve: int | None) -> Intensity:
    """Take the model that `finetune` trained."""
    return Intensity(inputs.two_tower, retrieve)


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=None,
    fitted_on=MODEL,
    needs=("retrieve",),
    is_system=False,
    component="intensity",
)
