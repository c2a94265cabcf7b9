"""Bootstrap and randomisation of cells: all cells of a report share the same draws of users."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from interestrec.evaluation.metric_sums import MetricSums
from interestrec.metrics import bootstrap
from interestrec.metrics.bootstrap import UserValues


@dataclass(frozen=True)
class Randomisation:
    """A cell's differences between one system and others, with the two systems swapped at random per user."""

    differences: np.ndarray  # float64 [resamples, others]
    balance: np.ndarray  # float64 [resamples], share of lists or rows that were not swapped minus that of the others


@dataclass
class _Columns:
    """The distinct columns of the cells of one protocol and slice; many metrics share their counts."""

    user: np.ndarray
    positions: dict[bytes, int] = field(default_factory=dict)
    columns: list[np.ndarray] = field(default_factory=list)

    def position(self, values: np.ndarray) -> np.ndarray:
        """Return the positions of columns, int64 [...] for float64 [users, ...]."""
        flat = values.reshape(len(values), math.prod(values.shape[1:]))
        return np.array([self._position(column) for column in flat.T], dtype=np.int64).reshape(values.shape[1:])

    def _position(self, column: np.ndarray) -> int:
        key = column.tobytes()
        if key not in self.positions:
            self.positions[key] = len(self.columns)
            self.columns.append(column)
        return self.positions[key]

    def table(self) -> UserValues:
        return UserValues(self.user, np.stack(self.columns, axis=1) if self.columns else np.zeros((len(self.user), 0)))


def resampled_values(cells: Sequence[MetricSums], n_users: int, resamples: int, seed: int) -> list[np.ndarray]:
    """Return each cell's metric on the same draws of users; float64 [resamples, systems], NaN for empty draws."""
    packed, positions = _packed(cells, [(cell.sums, cell.counts) for cell in cells])
    resampled = bootstrap.resample([columns.table() for columns in packed.values()], n_users, resamples, seed)
    draws_by_slice = dict(zip(packed, resampled, strict=True))
    values = []
    for cell, (sums, counts) in zip(cells, positions, strict=True):
        draws = draws_by_slice[cell.protocol, cell.slice]
        values.append(cell.evaluate(draws[:, sums], draws[:, counts]))
    return values


def randomisations(
    cells: Sequence[MetricSums], our_column: int, other_columns: Sequence[int], n_users: int, resamples: int, seed: int
) -> list[Randomisation]:
    """Return the differences by chance between one system and others, cell by cell.

    The systems must have equally many lists or rows of each user.

    Args:
        our_column: column of the system that is compared with the others.
    """
    halves = [
        ((cell.sums[:, [our_column]] - cell.sums[:, other_columns]) / 2, cell.counts[:, our_column]) for cell in cells
    ]
    packed, positions = _packed(cells, halves)
    signed = bootstrap.swap_signs([columns.table() for columns in packed.values()], n_users, resamples, seed)
    draws_by_slice = dict(zip(packed, signed, strict=True))
    randomised = []
    for cell, (sums, counts) in zip(cells, positions, strict=True):
        middle = ((cell.sums[:, [our_column]] + cell.sums[:, other_columns]) / 2).sum(axis=0)
        draws, count = draws_by_slice[cell.protocol, cell.slice], cell.counts[:, our_column].sum()
        counts_of_others = np.full((len(draws), len(other_columns)), count)
        differences = cell.evaluate(middle + draws[:, sums], counts_of_others) - cell.evaluate(
            middle - draws[:, sums], counts_of_others
        )
        randomised.append(Randomisation(differences, draws[:, counts] / count))
    return randomised


def _packed(
    cells: Sequence[MetricSums], arrays: Sequence[tuple[np.ndarray, ...]]
) -> tuple[dict[tuple[str, str], _Columns], list[tuple[np.ndarray, ...]]]:
    """Pack arrays [users, ...] as columns of one table per protocol and slice; also return each array's columns."""
    packed: dict[tuple[str, str], _Columns] = {}
    positions = []
    for cell, columns_of_cell in zip(cells, arrays, strict=True):
        columns = packed.setdefault((cell.protocol, cell.slice), _Columns(cell.user))
        positions.append(tuple(columns.position(array) for array in columns_of_cell))
    return packed, positions
