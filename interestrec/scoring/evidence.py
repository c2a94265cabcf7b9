"""Evidence for blend weights: lists of valid_blend users, and the metric of any weights on them.

Weights are fitted on the items that any component ranks among its first, and compared by the metric of lists over the
real candidates: all of an impression, or all of the catalogue that the rules permit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from interestrec.corpus.store import NO_TIME
from interestrec.scoring.blend import Powers
from interestrec.scoring.blend_lists import BlendLists
from interestrec.scoring.segments import SegmentWeights

WHOLE, WARM, COLD = "all items", "items with events", "items without events"  # what the lists consist of
FOLDS = 3


@dataclass(frozen=True)
class Contest:
    """Alternative weights that are compared on the same lists; those of a fold were fitted on the other folds."""

    lists: np.ndarray  # bool [lists]
    among: str  # WHOLE, WARM or COLD
    alternatives: Sequence[Sequence[SegmentWeights]]  # [folds][alternatives]

    def scores(self, fold: np.ndarray, parts: Sequence[np.ndarray], cold: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the scores by each alternative, float64 in the shape of the parts; 0 outside the contest.

        Args:
            fold: int [rows], −1 outside the contest.
            parts: standardised scores of each voter, [rows, …].
            cold: bool, in the shape of the parts.
        """
        rows = {number: fold == number for number in range(len(self.alternatives)) if (fold == number).any()}
        powers = {number: Powers([part[at] for part in parts]) for number, at in rows.items()}
        for alternative in range(len(self.alternatives[0])):
            score = np.zeros(parts[0].shape)
            for number, at in rows.items():
                score[at] = self.alternatives[number][alternative](powers[number], cold[at])
            yield score


class Evidence(Protocol):
    """Lists of valid_blend users; all lists of a user are of one fold."""

    @property
    def metric(self) -> str:
        """Name of the metric."""

    @property
    def new(self) -> np.ndarray:
        """bool [lists], of users without a history."""

    @property
    def stand_in(self) -> np.ndarray:
        """bool [lists], of users with a history who are asked without it, where few users are new."""

    @property
    def user(self) -> np.ndarray:
        """int [lists]"""

    @property
    def weight(self) -> np.ndarray:
        """float64 [lists], > 0; later lists count more."""

    def proposals(self, among: str) -> BlendLists:
        """Return the lists that weights are fitted on, of WHOLE, WARM or COLD items."""

    def compare(self, contests: Sequence[Contest]) -> list[np.ndarray]:
        """Return the metric by each alternative; float64 [alternatives, lists] of each contest, NaN without a value."""


def folds(user: np.ndarray) -> np.ndarray:
    """The fold of each list by its user; int64 [lists]."""
    return np.unique(user, return_inverse=True)[1] % FOLDS


def time_weights(time: np.ndarray) -> np.ndarray:
    """float64 [lists]: 2^(−age / span of all times), so that the latest lists count twice as much as the earliest.

    What comes next resembles the latest lists most; where little drifts, such weights cost little.

    Args:
        time: int64 [lists], microseconds; lists without a time count like the latest.
    """
    known = time != NO_TIME
    if not known.any() or time[known].max() == time[known].min():
        return np.ones(len(time))
    span = float(time[known].max() - time[known].min())
    return np.exp2(np.where(known, time - time[known].max(), 0) / span)
