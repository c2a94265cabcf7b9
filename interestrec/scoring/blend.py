"""Blend: standardised component scores, and the transformation by which they enter a weighted sum."""

from collections.abc import Sequence

import numpy as np

from interestrec.core import ragged
from interestrec.scorers.catalogue_rows import centred_rows

POWERS = (1.0, 0.5)
_FLAT = 1e-6  # of the largest score of a list: deviations up to it are rounding errors


def standardise_lists(score: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Scale scores to zero mean and unit deviation within each list; float32, 0 if all scores of a list are equal.

    Args:
        score: float [rows].
        offsets: int64 [lists + 1]; no list is empty.
    """
    size, owner = np.diff(offsets), ragged.owner(offsets)
    flat = _FLAT * np.maximum.reduceat(np.abs(score), offsets[:-1])[owner]
    centred = score.astype(np.float64)
    centred -= (np.bincount(owner, centred, minlength=len(size)) / size)[owner]
    deviation = np.sqrt(np.bincount(owner, centred**2, minlength=len(size)) / size)[owner]
    scaled = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > flat)
    return scaled.astype(np.float32)


def standardise_rows(score: np.ndarray, over: np.ndarray) -> np.ndarray:
    """Scale each row of a matrix by the mean and deviation of the columns `over`; float32, 0 if all scores are equal.

    Args:
        score: float [requests, items].
        over: bool [items], at least one; items of train and valid, so that further items of the catalogue do not
            change the scale.
    """
    centred, _, deviation = centred_rows(score, over)
    return np.divide(centred, deviation[:, None], out=np.empty(score.shape, np.float32), casting="same_kind")


class Powers:
    """Standardised components z as sign(z) |z|^p, each power computed once.

    A power below 1 tames components such as EASE, whose few sure items are far above all others.
    """

    def __init__(self, standardised: Sequence[np.ndarray]) -> None:
        self.standardised = standardised
        self._powers: dict[float, list[np.ndarray]] = {}

    def __getitem__(self, power: float) -> list[np.ndarray]:
        """Return the components in their order, float64 in their shapes."""
        if power not in self._powers:
            self._powers[power] = [raise_to(part.astype(np.float64), power) for part in self.standardised]
        return self._powers[power]


def raise_to(scores: np.ndarray, power: float) -> np.ndarray:
    """sign(z) |z|^power."""
    if power == 1.0:
        return scores
    found = np.abs(scores)
    found **= power
    return np.copysign(found, scores, out=found)
