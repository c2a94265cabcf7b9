"""The system `interestrec`: components scored, standardised within the request, weighed and summed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np

from interestrec.scoring.blend import standardise_lists, standardise_rows
from interestrec.scoring.histories import Asked
from interestrec.scoring.requests import Requests, Scorer

Scores = dict[str, np.ndarray]


@dataclass(frozen=True)
class Decision:
    """Components in a fixed order with a weight each, one set of weights a protocol."""

    components: Mapping[str, Scorer]
    candidate_weights: np.ndarray  # float64 [components]
    catalogue_weights: np.ndarray  # float64 [components]
    known: np.ndarray  # bool [items], whose scores make the scale of a catalogue

    def over(self, components: Mapping[str, Scorer]) -> "Decision":
        """The same weights over refitted components."""
        return Decision(components, self.candidate_weights, self.catalogue_weights, self.known)

    def parts_of_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> Scores:
        """Each component's float32 scores [len(item)]."""
        return {name: part.score_candidates(requests, offsets, item) for name, part in self.components.items()}

    def parts_of_catalogue(self, requests: Requests) -> Scores:
        """Each component's float32 scores [requests, items]."""
        return {name: part.score_catalogue(requests) for name, part in self.components.items()}

    def of_candidates(self, parts: Scores, offsets: np.ndarray) -> np.ndarray:
        """The blended float64 scores of the candidates."""
        standardised = (standardise_lists(parts[name], offsets) for name in self.components)
        return _weighted(self.candidate_weights, standardised)

    def of_catalogue(self, parts: Scores) -> np.ndarray:
        """The blended float64 scores [requests, items]."""
        standardised = (standardise_rows(parts[name], self.known) for name in self.components)
        return _weighted(self.catalogue_weights, standardised)


System = Scorer | Decision


def score_asked(system: System, asked: Asked, item: np.ndarray) -> tuple[np.ndarray, Scores]:
    """float64 scores of the impressions' candidates `item`, and the components they are made of, if any."""
    if isinstance(system, Decision):
        parts = system.parts_of_candidates(asked.requests, asked.request_offsets, item)
        return system.of_candidates(parts, asked.offsets), parts
    return system.score_candidates(asked.requests, asked.request_offsets, item).astype(np.float64), {}


def score_whole_catalogue(system: System, requests: Requests) -> tuple[np.ndarray, Scores]:
    """float64 scores [requests, items], and the components they are made of, if any."""
    if isinstance(system, Decision):
        parts = system.parts_of_catalogue(requests)
        return system.of_catalogue(parts), parts
    return system.score_catalogue(requests).astype(np.float64), {}


def _weighted(weights: np.ndarray, standardised: Iterable[np.ndarray]) -> np.ndarray:
    return reduce(np.add, (weight * part for weight, part in zip(weights, standardised, strict=True)))
