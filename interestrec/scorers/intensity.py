"""Intensity: the trained two-tower model as a scorer of calibrated interest intensities in [0, 1]."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.core.errors import ArtifactError
from interestrec.scorers.definition import MODEL, ScorerDefinition
from interestrec.scorers.requests import Requests

if TYPE_CHECKING:
    from interestrec.metrics.calibration import LogitCalibration
    from interestrec.model.two_tower import TowerSide, TwoTower
    from interestrec.scorers.scorer_inputs import ScorerInputs
    from interestrec.scorers.user_inputs import UserInputs

_CELLS = 1 << 22  # requests × items, or × history × candidates, of one block


class Intensity:
    """Scores by the calibrated logits of the two-tower model; the artifact contains the item vectors."""

    def __init__(
        self,
        model: TwoTower,
        vectors: np.ndarray,
        categories: np.ndarray,
        calibration: LogitCalibration,
        user_inputs: UserInputs,
        retrieve: int | None = None,
    ) -> None:
        """`retrieve` is the number of items nearest to the user's vector that are scored in full; None: all items."""
        from interestrec.model.catalogue_logits import CatalogueLogits

        self.model = model
        self.vectors = vectors
        self.categories = categories
        self.calibration = calibration
        self.histories = user_inputs
        self.retrieve = retrieve if retrieve is not None and retrieve < len(vectors) else None
        self._scores = model.scorer()
        self._catalogue = CatalogueLogits(model, vectors, categories)

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """See Scorer. Items that are not retrieved rank below all retrieved items, by their dot product."""
        scores = np.empty((len(requests), len(self.vectors)), np.float32)
        step = max(_CELLS // len(self.vectors), 1)
        for start in range(0, len(requests), step):
            history, intensity = self.histories(requests.block(start, start + step))
            if self.retrieve is None:
                logits = self._catalogue(history, intensity)
            else:
                logits = self._in_two_steps(history, intensity, self.retrieve)
            scores[start : start + step] = self.calibration(logits)
        return scores

    def _in_two_steps(self, history: TowerSide, intensity: np.ndarray, retrieve: int) -> np.ndarray:
        """Logits [requests, items]: full ones for the retrieved items; the other items receive lower values."""
        nearness = self._catalogue.dot_products(history, intensity)
        first = np.argpartition(-nearness, retrieve - 1, axis=1)[:, :retrieve]
        logits = self._scores(history, intensity, self._side(first))
        nearness -= np.take_along_axis(nearness, first, axis=1).min(axis=1, keepdims=True)
        nearness += logits.min(axis=1, keepdims=True)
        np.put_along_axis(nearness, first, logits, axis=1)
        return nearness

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """See Scorer."""
        scores = np.zeros(len(item), np.float32)
        if len(item) == 0:
            return scores
        width = max(int(np.diff(offsets).max(initial=0)), 1)
        step = max(_CELLS // (self.histories.length * width), 1)
        for start in range(0, len(requests), step):
            block = requests.block(start, start + step)
            stop = start + len(block)
            source, inside = ragged.padded(offsets[start:stop], offsets[start + 1 : stop + 1], width)
            candidates = np.where(inside, item[source], 0)
            history, intensity = self.histories(block)
            logits = self._scores(history, intensity, self._side(candidates))
            scores[offsets[start] : offsets[stop]] = logits[inside]
        return self.calibration(scores)

    def _side(self, items: np.ndarray) -> TowerSide:
        from interestrec.model.two_tower import TowerSide

        return TowerSide(self.vectors[items], self.categories[items])


def fit(inputs: ScorerInputs, retrieve: int | None) -> Intensity:
    """Load the model that `finetune` trained."""
    return load_intensity(inputs.model, inputs, retrieve)


def load_intensity(model_path: Path, inputs: ScorerInputs | None = None, retrieve: int | None = None) -> Intensity:
    """Load the scorer of a `model` artifact.

    Args:
        inputs: required if the model represents users by texts.
        retrieve: see Intensity.

    Raises:
        InputMissingError: a file of an artifact is missing.
        ArtifactError: a file of an artifact is invalid or does not match the model.
    """
    from interestrec.io import artifact_files, files
    from interestrec.model.two_tower import load_two_tower
    from interestrec.scorers.user_inputs import user_inputs

    arrays = files.read_safetensors(model_path / artifact_files.ITEM_VECTORS)
    calibration = _calibration(model_path / artifact_files.CALIBRATION)
    model = load_two_tower(model_path)
    _require_fitting(arrays, model, model_path)
    histories = user_inputs(model, arrays["item"], arrays["category"], inputs)
    return Intensity(model, arrays["item"], arrays["category"], calibration, histories, retrieve)


def _calibration(path: Path) -> LogitCalibration:
    from interestrec.io import files
    from interestrec.metrics.calibration import LogitCalibration

    try:
        calibration = LogitCalibration.of(files.read_json(path))
        if not np.isfinite([calibration.scale, calibration.shift]).all():
            raise ValueError("not finite")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path}: not a valid calibration ({error}); run finetune again") from error
    return calibration


def _require_fitting(arrays: dict[str, np.ndarray], model: TwoTower, model_path: Path) -> None:
    """Raise an ArtifactError unless vectors and category codes have equal lengths and the widths of the model."""
    nothing = np.zeros(0)
    vectors, categories = arrays.get("item", nothing), arrays.get("category", nothing)
    expected = (len(vectors), model.config.width), (len(vectors), model.config.levels)
    right_types = vectors.dtype == np.float32 and categories.dtype.kind == "i"
    if (vectors.shape, categories.shape) != expected or not right_types or not np.isfinite(vectors).all():
        raise ArtifactError(f"{model_path / 'item_vectors.safetensors'}: does not match the model; run finetune again")


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=None,
    fitted_on=MODEL,
    needs=("retrieve",),
    is_system=False,
    component="intensity",
    predicts_intensity=True,
    is_estimator=True,
)
