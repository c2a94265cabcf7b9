"""Intensity: the trained two-tower models as a scorer, by the mean of what they rank by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from interestrec.core.deferred_import import np
from interestrec.model.rank_formula import ORDER
from interestrec.scorers.definition import KEPT, MODEL, ScorerDefinition
from interestrec.scorers.requests import Requests
from interestrec.scorers.stored_arrays import pack_optional, unpack_optional
from interestrec.scorers.two_tower_model import TwoTowerModel, mean_of_models, model_arrays, restored_models

if TYPE_CHECKING:
    from interestrec.scorers.scorer_inputs import ScorerInputs


class Intensity:
    """Scores by the models' mean logits of order, or by their tasks if they say so (`finetune.rank_by`); how strong the
    interest is says `strength`.

    Models that represent users by texts (`needs_encoder`) are no arrays: open them from the `model` artifact.
    """

    def __init__(self, models: Sequence[TwoTowerModel], retrieve: int | None = None) -> None:
        """
        Args:
            models: of one corpus.
            retrieve: number of items nearest to the user's vector, by the first model, that are scored in full; None:
                all items.
        """
        self.models = models
        self.items = len(models[0].items.texts)
        rank_by = models[0].model.config.rank_by
        reads_order = not rank_by or ORDER in dict(rank_by)  # without it, one product per pair and task is all there is
        self.retrieve = retrieve if retrieve is not None and retrieve < self.items and reads_order else None

    @property
    def needs_encoder(self) -> bool:
        """See TwoTowerModel."""
        return self.models[0].needs_encoder

    @property
    def history_length(self) -> int:
        """See ReadsLatest."""
        return max(model.model.config.max_history for model in self.models)

    def history_attention(self, requests: Requests) -> np.ndarray | None:
        """See AttendsToHistory: the mean over the models."""
        if self.needs_encoder:
            return None
        return np.mean([model.history_attention(requests) for model in self.models], axis=0)

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """See Scorer. Items that are not retrieved rank below all retrieved items, by their nearness."""
        scores = np.empty((len(requests), self.items), np.float32)
        for rows, block, moments in self.models[0].blocks(requests):
            if self.retrieve is None:
                logits = [model.catalogue_ranking(model.histories(block), moments) for model in self.models]
                scores[rows] = mean_of_models(logits)
            else:
                scores[rows] = self._in_two_steps(block, self.retrieve)
        return scores

    def _in_two_steps(self, requests: Requests, retrieve: int) -> np.ndarray:
        """Logits [requests, items]: full ones for the retrieved items; the other items receive lower values."""
        nearness = self.models[0].catalogue.nearness(self.models[0].histories(requests))
        first = np.argpartition(-nearness, retrieve - 1, axis=1)[:, :retrieve]
        offsets = np.arange(len(requests) + 1) * retrieve
        logits = self.score_candidates(requests, offsets, first.ravel()).reshape(first.shape)
        nearness -= np.take_along_axis(nearness, first, axis=1).min(axis=1, keepdims=True)
        nearness += logits.min(axis=1, keepdims=True)
        np.put_along_axis(nearness, first, logits, axis=1)
        return nearness

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """See Scorer."""
        return mean_of_models([model.candidate_ranking(requests, offsets, item) for model in self.models])

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer; those of the models are the objects that `Strength.arrays` returns for the same models.

        Raises:
            ArtifactError: the models need an encoder.
        """
        return {**model_arrays(self.models), "retrieve": pack_optional(self.retrieve)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        retrieve = unpack_optional(arrays["retrieve"])
        return cls(restored_models(arrays), None if retrieve is None else int(retrieve))


def fit(inputs: ScorerInputs, retrieve: int | None) -> Intensity:
    """Take the models that `finetune` trained."""
    return Intensity(inputs.two_towers, retrieve)


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=Intensity,
    fitted_on=MODEL,
    follows=KEPT,
    needs=("retrieve",),
    is_system=False,
    component="intensity",
)
