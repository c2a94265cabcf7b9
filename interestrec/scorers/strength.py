"""Strength: how strong the interest is, the two-tower model's calibrated logits of strength in [0, 1]."""

from __future__ import annotations

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

    def __init__(self, model: TwoTowerModel, calibration: LogitCalibration) -> None:
        self.model = model
        self.calibration = calibration

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """See Scorer."""
        scores = np.empty((len(requests), len(self.model.items.texts)), np.float32)
        for rows, block, _ in self.model.blocks(requests):
            scores[rows] = self.calibration(self.model.catalogue.strength(self.model.histories(block)))
        return scores

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """See Scorer."""
        return self.calibration(self.model.candidates(requests, offsets, item).strength)


def fit(inputs: ScorerInputs) -> Strength:
    """Take the model that `finetune` trained, and its calibration."""
    from interestrec.scorers.two_tower_model import read_calibration

    return Strength(inputs.two_tower, read_calibration(inputs.model))


DEFINITION = ScorerDefinition(
    fit=fit, scorer=None, fitted_on=MODEL, is_system=False, predicts_intensity=True, is_estimator=True
)
