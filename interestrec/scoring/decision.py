"""Decision: the system `interestrec`, a weighted sum of standardised voters with weights per segment."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from interestrec.core import ragged
from interestrec.scorers.queries import ImpressionQueries
from interestrec.scorers.requests import Requests
from interestrec.scoring.blend import standardise_lists
from interestrec.scoring.segments import SegmentBlend

LAST_VOTER = "popularity"  # the scorer that decides where no component tells candidates apart
ScorerParts = Mapping[str, np.ndarray]  # scores of a block by scorer


def voters(components: Mapping[str, str]) -> dict[str, str]:
    """Return the scorers whose scores are summed, by name: the components, then the last voter if it is none of them.

    Args:
        components: scorer by component.
    """
    others = {} if LAST_VOTER in components.values() else {LAST_VOTER: LAST_VOTER}
    return {**components, **others}


@dataclass(frozen=True)
class Decision:
    """Components in a fixed order and the weights for candidates of impressions and for the catalogue."""

    components: Mapping[str, str]  # component -> its scorer
    candidate_blend: SegmentBlend
    catalogue_blend: SegmentBlend
    known_items: np.ndarray  # bool [items], the items that define the scale of catalogue scores
    cold_items: np.ndarray  # bool [items], without positive events

    @property
    def weighs_cold_items(self) -> bool:
        """Whether the catalogue has items without events, whose scores are weighed in a way of their own."""
        blend = self.catalogue_blend
        return (blend.known.cold is not None or blend.new.cold is not None) and bool(self.cold_items.any())

    def with_cold_items(self, cold_items: np.ndarray) -> "Decision":
        """Return the decision with the same weights for scorers that were fitted on more events."""
        return replace(self, cold_items=cold_items)

    def score_candidates(self, parts: ScorerParts, query: ImpressionQueries, item: np.ndarray) -> np.ndarray:
        """Blend scores of the impressions' candidates `item`: float64 [len(item)], from scores of that shape."""
        standardised = [standardise_lists(parts[name], query.offsets) for name in voters(self.components).values()]
        new = ragged.repeat(query.offsets, query.without_history)
        return self.candidate_blend(standardised, self.cold_items[item], new)

    def score_catalogue(self, parts: ScorerParts, requests: Requests) -> np.ndarray:
        """Blend catalogue scores: float64 [requests, items], from scores of that shape."""
        scores = [parts[name] for name in voters(self.components).values()]
        new = np.diff(requests.offsets) == 0
        return self.catalogue_blend.of_rows(scores, self.known_items, self.cold_items, new)
