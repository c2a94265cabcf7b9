"""Strength: how strong the interest is, the mean of the two-tower models' calibrated logits of strength, in [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from interestrec.core.deferred_import import np
from interestrec.scorers.definition import KEPT, MODEL, ScorerDefinition
from interestrec.scorers.requests import Requests
from interestrec.scorers.two_tower_model import TwoTowerModel, mean_of_models, model_arrays, restored_models

if TYPE_CHECKING:
    from interestrec.scorers.scorer_inputs import ScorerInputs


class Strength:
    """Predicts graded intensities; the order of a list is the matter of `intensity`.

    Models that represent users by texts (`needs_encoder`) are no arrays: open them from the `model` artifact.
    """

    def __init__(self, models: Sequence[TwoTowerModel]) -> None:
        """`models` are of one corpus, each with the calibration of its logits."""
        self.models = models
        self.items = len(models[0].items.texts)

    @property
    def needs_encoder(self) -> bool:
        """See TwoTowerModel."""
        return self.models[0].needs_encoder

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """See Scorer."""
        scores = np.empty((len(requests), self.items), np.float32)
        step = self.models[0].block_length
        for start in range(0, len(requests), step):
            block = requests.block(start, start + step)
            found = [model.calibration(model.catalogue.strength(model.histories(block))) for model in self.models]
            scores[start : start + step] = mean_of_models(found)
        return scores

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """See Scorer."""
        found = [model.calibration(model.candidate_strength(requests, offsets, item)) for model in self.models]
        return mean_of_models(found)

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer; they are the objects that `Intensity.arrays` returns for the same models.

        Raises:
            ArtifactError: the models need an encoder.
        """
        return model_arrays(self.models)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(restored_models(arrays))


def fit(inputs: ScorerInputs) -> Strength:
    """Take the models that `finetune` trained, each with its calibration."""
    return Strength(inputs.two_towers)


DEFINITION = ScorerDefinition(
    fit=fit, scorer=Strength, fitted_on=MODEL, follows=KEPT, is_system=False, predicts_intensity=True, is_estimator=True
)
