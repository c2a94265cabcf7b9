"""The system `interestrec`: components standardised within the request, weighed by segment and summed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from interestrec.core import ragged
from interestrec.scorers.queries import ImpressionQueries
from interestrec.scorers.requests import Requests
from interestrec.scoring.blend import standardise_lists, standardise_rows
from interestrec.scoring.segments import SegmentBlend

Parts = Mapping[str, np.ndarray]  # scores of one block by scorer


@dataclass(frozen=True)
class Decision:
    """Components in a fixed order, and how they are weighed in either protocol."""

    components: Mapping[str, str]  # component -> the scorer behind it
    of_candidates: SegmentBlend
    of_catalogue: SegmentBlend
    known: np.ndarray  # bool [items], whose scores make the scale of a catalogue
    cold: np.ndarray  # bool [items], without positive events

    def refitted(self, cold: np.ndarray) -> "Decision":
        """The same choices over scorers that know more items."""
        return replace(self, cold=cold)

    def score_candidates(self, parts: Parts, asked: ImpressionQueries, item: np.ndarray) -> np.ndarray:
        """The blended float64 scores of the impressions' candidates `item`, from those of the scorers [len(item)]."""
        standardised = (standardise_lists(parts[scorer], asked.offsets) for scorer in self.components.values())
        new = ragged.repeat(asked.offsets, asked.without_history)
        return self.of_candidates(standardised, self.cold[item], new)

    def score_catalogue(self, parts: Parts, requests: Requests) -> np.ndarray:
        """The blended float64 scores [requests, items], from those of the scorers of that shape."""
        standardised = (standardise_rows(parts[scorer], self.known) for scorer in self.components.values())
        new = (np.diff(requests.offsets) == 0)[:, None]
        return self.of_catalogue(standardised, self.cold[None, :], new)
