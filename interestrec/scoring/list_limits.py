"""ListLimits: what the lists of requests may hold, for scores of all items and for the search of candidates."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from interestrec.core import ragged
from interestrec.scorers.permitted_items import Excluded, PermittedItems
from interestrec.scorers.requests import Requests
from interestrec.scoring.rules import Rules


@dataclass(frozen=True)
class ItemChoice:
    """The items that one request permits."""

    among: np.ndarray | None  # int64, no others; None: all
    without: np.ndarray  # int64

    def apply(self, score: np.ndarray) -> None:
        """Set the scores of items that are not permitted to −∞; float64 [items], in place."""
        if self.among is not None:
            permitted = score[self.among]
            score[:] = -np.inf
            score[self.among] = permitted
        score[self.without] = -np.inf


@dataclass(frozen=True)
class ListLimits:
    """The rules as they apply to some requests, and what else these ask for."""

    rules: Rules
    owned: Requests  # the requests with what counts as seen
    permitted: PermittedItems  # among them no item that the rules exclude for everyone
    choices: Sequence[ItemChoice | None] | None = None  # of each request; None: none has any

    def apply(self, score: np.ndarray) -> None:
        """Change scores, float64 [requests, items], in place: lower seen items, set −inf for what is not permitted."""
        self.rules.apply(score, self.owned)
        if self.permitted.items is not self.rules.eligible:
            score[:, ~self.permitted.items] = -np.inf
        for row, choice in enumerate(self.choices or ()):
            if choice is not None:
                choice.apply(score[row])

    @cached_property
    def excluded(self) -> Excluded:
        """The items that single requests exclude: those seen, where the rules say so, and those that they name."""
        seen = self.owned if self.rules.seen == "out" else self.owned.without_history()
        if self.choices is None:
            return Excluded(seen.offsets, seen.item)
        named = [np.zeros(0, np.int64) if choice is None else choice.without for choice in self.choices]
        ranges = zip(pairwise(seen.offsets.tolist()), named, strict=True)
        parts = [np.append(seen.item[start:stop], own) for (start, stop), own in ranges]
        offsets = ragged.from_lengths(np.array([len(part) for part in parts], np.int64))
        return Excluded(offsets, np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64))
