"""The system `interestrec`: components standardised within the request, weighed by segment and summed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from interestrec.core import ragged
from interestrec.scorers.queries import ImpressionQueries
from interestrec.scorers.requests import Requests
from interestrec.scoring.blend import standardise_lists, standardise_rows
from interestrec.scoring.segments import SegmentBlend

ScorerParts = Mapping[str, np.ndarray]  # scores of one block by scorer


@dataclass(frozen=True)
class Decision:
    """Components in a fixed order, and how they are weighed within impressions and over the catalogue."""

    components: Mapping[str, str]  # component -> the scorer behind it
    candidate_blend: SegmentBlend
    catalogue_blend: SegmentBlend
    known_items: np.ndarray  # bool [items], whose scores make the scale of a catalogue
    cold_items: np.ndarray  # bool [items], without positive events

    def with_cold_items(self, cold_items: np.ndarray) -> "Decision":
        """The same weights over scorers that were fitted on more events."""
        return replace(self, cold_items=cold_items)

    def score_candidates(self, parts: ScorerParts, query: ImpressionQueries, item: np.ndarray) -> np.ndarray:
        """The blended float64 scores of the impressions' candidates `item`, from those of the scorers [len(item)]."""
        standardised = (standardise_lists(parts[scorer], query.offsets) for scorer in self.components.values())
        new = ragged.repeat(query.offsets, query.without_history)
        return self.candidate_blend(standardised, self.cold_items[item], new)

    def score_catalogue(self, parts: ScorerParts, requests: Requests) -> np.ndarray:
        """The blended float64 scores [requests, items], from those of the scorers of that shape."""
        standardised = (standardise_rows(parts[scorer], self.known_items) for scorer in self.components.values())
        new = (np.diff(requests.offsets) == 0)[:, None]
        return self.catalogue_blend(standardised, self.cold_items[None, :], new)
