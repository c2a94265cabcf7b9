"""The interface of sources of negatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from interestrec.core.deferred_import import np
from interestrec.core.section import Section

if TYPE_CHECKING:
    from interestrec.corpus.store import Timelines
    from interestrec.training.examples import Examples


class SharedNegatives(NamedTuple):
    """Distinct items that all examples of a batch are distinguished from."""

    items: np.ndarray  # int32 [negatives], ascending
    # float32 [negatives], log of the probability that a batch has the item: a softmax subtracts it from the logits, so
    # that few negatives estimate the sum over all items (Bengio and Senécal 2008). Lists over the catalogue are learned
    # so. Without the correction, 0, negatives stand for what could have been shown: drawn by popularity, they teach how
    # much more likely an item is for this user than for others, which is what orders the items of an impression.
    log_rate: np.ndarray


class Negatives(Protocol):
    """A source of negatives for the examples of a batch."""

    def draw(self, examples: Examples, rng: np.random.Generator) -> SharedNegatives:
        """Draw negatives, including accidental hits."""
        ...

    @property
    def begin_epoch(self) -> Callable[[], None] | None:
        """To be called at the start of an epoch; None if negatives do not depend on the weights."""
        ...


@dataclass(frozen=True)
class NegativeInputs:
    """What a source may use when a phase of training begins."""

    count: int  # negatives per event
    most: int  # negatives per batch
    popularity: np.ndarray  # float64 [items], share of the positives
    of_catalogue: bool  # whether lists over the catalogue are learned, rather than the order of impressions
    timelines: Timelines
    max_history: int  # maximum number of recent events that are read
    vectors: Callable[[], np.ndarray]  # of all texts with the current weights, float32 [texts, width]


class NegativeSource(NamedTuple):
    """An entry of NEGATIVE_SOURCES."""

    make: Callable[[NegativeInputs, Any], Negatives]  # of the inputs and the source's settings
    summary: str
    settings: type[Section] = Section  # the keys of `finetune.negatives` that only some sources read
