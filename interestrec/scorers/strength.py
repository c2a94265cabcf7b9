"""Strength: how strong the interest is, the mean of the two-tower models' calibrated logits of strength, in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.scorers.definition import MODEL, ScorerDefinition
from interestrec.scorers.requests import Requests

if TYPE_CHECKING:
    from interestrec.metrics.calibration import LogitCalibration
    from interestrec.scorers.scorer_inputs import ScorerInputs
    from interestrec.scorers.two_tower_model import TwoTowerModel


class Strength:
    """Predicts graded intensities; the order of a list is the matter of `intensity`."""

    def __init__(self, models: Sequence[tuple[TwoTowerModel, LogitCalibration]]) -> None:
        """`models` are of one corpus, each with the calibration of its logits."""
        self.models = models
        self.items = len(models[0][0].items.texts)

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """See Scorer."""
        scores = np.empty((len(requests), self.items), np.float32)
        step = self.models[0][0].block_length
        for start in range(0, len(requests), step):
            block = requests.block(start, start + step)
            found = [calibrate(model.catalogue.strength(model.histories(block))) for model, calibrate in self.models]
            scores[start : start + step] = np.mean(found, axis=0)
        return scores

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """See Scorer."""
        found = [calibrate(model.candidate_strength(requests, offsets, item)) for model, calibrate in self.models]
        return np.mean(found, axis=0)


def fit(inputs: ScorerInputs) -> Strength:
    """Take the models that `finetune` trained, each with its calibration."""
    return Strength([(model, model.calibration) for model in inputs.two_towers])


DEFINITION = ScorerDefinition(
    fit=fit, scorer=None, fitted_on=MODEL, is_system=False, predicts_intensity=True, is_estimator=True
)
