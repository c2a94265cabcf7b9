"""What an event is told apart from: what a source of negatives is made of, and what it gives."""

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
        """int32 [examples, count], accidental hits among them."""
        ...

    def log_rate(self, items: np.ndarray) -> np.ndarray:
        """What a softmax over candidates takes off their logits, of the same shape as `items`: float32."""
        ...

    @property
    def begin(self) -> Callable[[], None] | None:
        """To be called when an epoch begins, with the weights as they are; None where they decide nothing."""
        ...


@dataclass(frozen=True)
class NegativeInputs:
    """What a source may look at when a phase of training begins."""

    count: int  # negatives per example
    popularity: np.ndarray  # float64 [items], share of the positives
    examples: Examples  # of the phase
    timelines: Timelines
    max_history: int  # most recent events that are read
    vectors: Callable[[], np.ndarray]  # of all texts with the weights as they are, float32 [texts, width]


class NegativeSource(NamedTuple):
    """An entry of NEGATIVE_SOURCES."""

    make: Callable[[NegativeInputs, Any], Negatives]  # of the inputs and the source's settings
    summary: str
    settings: type[Section] = Section  # the keys of `finetune.negatives` that only some sources read
    corrected: bool = False  # whether `log_rate` is taken off; taking off zeros would still move the last bits
