"""Features of items or users as arrays: small integer codes, and dense values.

A code is a row of a table of learned vectors. Code 0 stands for a value that is missing or unknown, also for one that
is first seen at ranking; a missing value is never imputed. Dense values are 0 where they are missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class FeatureShape(NamedTuple):
    """How many codes and dense values a feature has; it determines the weights that read them."""

    name: str
    sizes: tuple[int, ...]  # numbers of codes, one per table of vectors
    shared: int = 1  # columns of codes that share each table: above 1 for tags
    dense: int = 0  # dense values

    @property
    def columns(self) -> int:
        """Number of columns of codes."""
        return len(self.sizes) * self.shared

    @classmethod
    def of(cls, name: str, sizes: Sequence[int], shared: int = 1, dense: int = 0) -> "FeatureShape":
        """Return a shape from JSON values."""
        return cls(str(name), tuple(map(int, sizes)), int(shared), int(dense))


def packed_width(shapes: Sequence[FeatureShape]) -> int:
    """Return the number of columns of packed features: codes, then dense values."""
    return sum(shape.columns + shape.dense for shape in shapes)


class FeatureCodes(NamedTuple):
    """Codes and dense values of one feature, with its fitted parameters as JSON values."""

    shape: FeatureShape
    codes: np.ndarray  # int32 [rows, columns]
    fitted: dict[str, Any]
    dense: np.ndarray | None = None  # float32 [rows, dense values]; None = no dense values

    def is_known(self, rows: np.ndarray) -> bool:
        """Whether a row, of bool [rows], has a value that is neither missing nor unknown."""
        return bool(self.codes[rows].any()) or (self.dense is not None and bool(self.dense[rows].any()))


@dataclass(frozen=True)
class FittedFeatures:
    """Features of all items or all users."""

    codes: np.ndarray  # int32 [rows, columns], feature after feature
    dense: np.ndarray  # float32 [rows, dense values], feature after feature
    sizes: tuple[FeatureShape, ...]
    fitted: dict[str, Any]  # by feature, as JSON values

    @classmethod
    def joined(cls, features: Sequence[FeatureCodes], rows: int) -> "FittedFeatures":
        """Return features side by side, in order."""
        dense = [feature.dense for feature in features if feature.dense is not None]
        return cls(
            np.concatenate([np.zeros((rows, 0), np.int32), *(feature.codes for feature in features)], axis=1),
            np.concatenate([np.zeros((rows, 0), np.float32), *dense], axis=1),
            tuple(feature.shape for feature in features),
            {feature.shape.name: feature.fitted for feature in features},
        )

    @property
    def packed(self) -> np.ndarray:
        """int32 [rows, columns + dense values]: the codes, then the bits of the dense values.

        One array goes through batches and towers, whatever the features are. Zeros stand for an entity of which nothing
        is known, because the bits of 0.0 are 0.
        """
        return np.concatenate([self.codes, np.ascontiguousarray(self.dense).view(np.int32)], axis=1)
