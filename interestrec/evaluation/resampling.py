"""What cells need of the bootstrap: every cell of a report in one drawing of users."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from interestrec.evaluation.metric_sums import MetricSums
from interestrec.metrics import bootstrap
from interestrec.metrics.bootstrap import UserValues


@dataclass(frozen=True)
class Randomisation:
    """A cell's differences between one system and others, the two swapped at random user by user."""

    differences: np.ndarray  # float64 [resamples, others]
    balance: np.ndarray  # float64 [resamples], share of lists or rows that were not swapped minus that of the others


@dataclass
class _Columns:
    """The distinct columns of the cells of one protocol and slice: many metrics have the same counts."""

    user: np.ndarray
    places: dict[bytes, int] = field(default_factory=dict)
    columns: list[np.ndarray] = field(default_factory=list)

    def place(self, values: np.ndarray) -> np.ndarray:
        """The places of columns, int64 [...] for float64 [users, ...]."""
        flat = values.reshape(len(values), math.prod(values.shape[1:]))
        return np.array([self._place(column) for column in flat.T], dtype=np.int64).reshape(values.shape[1:])

    def _place(self, column: np.ndarray) -> int:
        key = column.tobytes()
        if key not in self.places:
            self.places[key] = len(self.columns)
            self.columns.append(column)
        return self.places[key]

    def table(self) -> UserValues:
        return UserValues(self.user, np.stack(self.columns, axis=1) if self.columns else np.zeros((len(self.user), 0)))


def resampled_values(cells: Sequence[MetricSums], n_users: int, resamples: int, seed: int) -> list[np.ndarray]:
    """Each cell's metric on the same draws of users; float64 [resamples, systems], NaN where none was drawn."""
    packed, places = _packed(cells, [(cell.sums, cell.counts) for cell in cells])
    drawn = bootstrap.resample([columns.table() for columns in packed.values()], n_users, resamples, seed)
    found = dict(zip(packed, drawn, strict=True))
    values = []
    for cell, (sums, counts) in zip(cells, places, strict=True):
        here = found[cell.protocol, cell.slice]
        values.append(cell.of(here[:, sums], here[:, counts]))
    return values


def randomisations(
    cells: Sequence[MetricSums], us: int, others: Sequence[int], n_users: int, resamples: int, seed: int
) -> list[Randomisation]:
    """What the differences between system `us` and the others are by chance, cell by cell; of each user, the systems
    have equally many lists or rows."""
    halves = [((cell.sums[:, [us]] - cell.sums[:, others]) / 2, cell.counts[:, us]) for cell in cells]
    packed, places = _packed(cells, halves)
    signed = bootstrap.swap_signs([columns.table() for columns in packed.values()], n_users, resamples, seed)
    found = dict(zip(packed, signed, strict=True))
    randomised = []
    for cell, (sums, counts) in zip(cells, places, strict=True):
        middle = ((cell.sums[:, [us]] + cell.sums[:, others]) / 2).sum(axis=0)
        here, count = found[cell.protocol, cell.slice], cell.counts[:, us].sum()
        each = np.full((len(here), len(others)), count)
        differences = cell.of(middle + here[:, sums], each) - cell.of(middle - here[:, sums], each)
        randomised.append(Randomisation(differences, here[:, counts] / count))
    return randomised


def _packed(
    cells: Sequence[MetricSums], arrays: Sequence[tuple[np.ndarray, ...]]
) -> tuple[dict[tuple[str, str], _Columns], list[tuple[np.ndarray, ...]]]:
    """Arrays [users, ...] as columns of one table a protocol and slice, and where each array's columns are."""
    packed: dict[tuple[str, str], _Columns] = {}
    places = []
    for cell, several in zip(cells, arrays, strict=True):
        columns = packed.setdefault((cell.protocol, cell.slice), _Columns(cell.user))
        places.append(tuple(columns.place(array) for array in several))
    return packed, places
