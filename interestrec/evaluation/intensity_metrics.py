"""Sums per user of the errors of a system's predicted intensities."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from interestrec.metrics import intensity_errors
from interestrec.metrics.intensity_errors import ECE, SPEARMAN


@dataclass(frozen=True)
class PredictedRows:
    """Sums per user over a system's rows."""

    sums: dict[str, np.ndarray]  # float64 [users, parts] by metric
    counts: np.ndarray  # float64 [users], number of rows with a label and a prediction
    undefined: np.ndarray  # int64 [users], number of rows without
    spearman: float | None  # over all rows; None if the metric is not configured


@dataclass
class IntensityRows:
    """One system's rows, added block by block; 12 bytes per row are kept until `summed`."""

    names: Sequence[str]
    n_users: int
    _label: list[np.ndarray] = field(default_factory=list)
    _predicted: list[np.ndarray] = field(default_factory=list)
    _user: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sums = {name: np.zeros(self.n_users) for name in self.names if name in intensity_errors.INTENSITY_ERRORS}
        self._counts, self._undefined = np.zeros(self.n_users), np.zeros(self.n_users, dtype=np.int64)

    def add(self, user: np.ndarray, label: np.ndarray, relevant: np.ndarray, predicted: np.ndarray) -> None:
        """Add a block of rows.

        Args:
            user: int [rows].
            label, predicted: float32 [rows], NaN where unknown.
            relevant: bool [rows].
        """
        defined = ~(np.isnan(label) | np.isnan(predicted))
        self._undefined += np.bincount(user[~defined], minlength=self.n_users)
        if not defined.all():
            user, label, relevant, predicted = user[defined], label[defined], relevant[defined], predicted[defined]
        self._counts += np.bincount(user, minlength=self.n_users)
        for name, total in self._sums.items():
            metric = intensity_errors.INTENSITY_ERRORS[name]
            loss = metric.loss(label if metric.target == "label" else relevant, predicted)
            total += np.bincount(user, loss, minlength=self.n_users)
        if ECE in self.names or SPEARMAN in self.names:
            self._label.append(label)
            self._predicted.append(predicted)
            self._user.append(user.astype(np.int32))

    def summed(self) -> PredictedRows:
        """Return the sums and free the rows."""
        label = np.concatenate([np.zeros(0, np.float32), *self._label])
        predicted = np.concatenate([np.zeros(0, np.float32), *self._predicted])
        user = np.concatenate([np.zeros(0, np.int32), *self._user])
        self._label, self._predicted, self._user = [], [], []
        sums = {name: total[:, None] for name, total in self._sums.items()}
        if ECE in self.names:
            sums[ECE] = intensity_errors.calibration_sums(label, predicted, user, self.n_users)
        correlation = intensity_errors.spearman(label, predicted) if SPEARMAN in self.names else None
        return PredictedRows(sums, self._counts, self._undefined, correlation)
