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


class Negatives(Protocol):
    """A source of negatives for the examples of a batch."""

    def draw(self, examples: Examples, rng: np.random.Generator) -> np.ndarray:
        """Draw negatives, int32 [examples, count], including accidental hits."""
        ...

    def log_rate(self, items: np.ndarray) -> np.ndarray:
        """Return what a softmax subtracts from the logits of candidates: float32, shaped as `items`."""
        ...

    @property
    def begin_epoch(self) -> Callable[[], None] | None:
        """To be called at the start of an epoch; None if negatives do not depend on the weights."""
        ...


@dataclass(frozen=True)
class NegativeInputs:
    """What a source may use when a phase of training begins."""

    count: int  # negatives per example
    popularity: np.ndarray  # float64 [items], share of the positives
    examples: Examples  # of the phase
    timelines: Timelines
    max_history: int  # maximum number of recent events that are read
    vectors: Callable[[], np.ndarray]  # of all texts with the current weights, float32 [texts, width]


class NegativeSource(NamedTuple):
    """An entry of NEGATIVE_SOURCES."""

    make: Callable[[NegativeInputs, Any], Negatives]  # of the inputs and the source's settings
    summary: str
    settings: type[Section] = Section  # the keys of `finetune.negatives` that only some sources read
    subtract_log_rate: bool = False  # subtracting zeros would still change last bits
