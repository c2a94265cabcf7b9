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
    positions: dict[bytes, int] = field(default_factory=dict)
    columns: list[np.ndarray] = field(default_factory=list)

    def position(self, values: np.ndarray) -> np.ndarray:
        """The places of columns, int64 [...] for float64 [users, ...]."""
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
    """Each cell's metric on the same draws of users; float64 [resamples, systems], NaN where none was drawn."""
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
    """What the differences between system `us` and the others are by chance, cell by cell; of each user, the systems
    have equally many lists or rows."""
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
    """Arrays [users, ...] as columns of one table a protocol and slice, and where each array's columns are."""
    packed: dict[tuple[str, str], _Columns] = {}
    positions = []
    for cell, columns_of_cell in zip(cells, arrays, strict=True):
        columns = packed.setdefault((cell.protocol, cell.slice), _Columns(cell.user))
        positions.append(tuple(columns.position(array) for array in columns_of_cell))
    return packed, positions
