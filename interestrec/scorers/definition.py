"""What a scorer declares: its settings and their search space, what it is fitted on, and what else it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from interestrec.core.deferred_import import np
from interestrec.core.section import Section
from interestrec.scorers.requests import Scorer

EVENTS = "events"  # relevant events: `fit(events, …)`, and again on train + valid under `rank.refit`
LABELS = "labels"  # candidates with a known label: `fit(labels, …)`, and again in the same way
NOTHING = "nothing"  # what it needs is all there is: `fit(…)`, once
MODEL = "model"  # the artifact of `finetune`, which stores it: `fit(inputs, …)`, once


class StorableScorer(Scorer, Protocol):
    """A scorer that arrays hold completely: restored from them it gives the same bits."""

    def arrays(self) -> dict[str, np.ndarray]:
        """What safetensors can store: numbers of any shape by name."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `arrays`."""


@dataclass(frozen=True)
class ScorerDefinition:
    """One scorer, complete; an entry of SCORERS in scorers/registry.py."""

    fit: Callable[..., Scorer]  # of what it is fitted on, and by keyword of `needs` and the keys of `settings`
    scorer: type[StorableScorer] | None  # what `fit` returns; None where an artifact stores it
    fitted_on: str  # EVENTS, LABELS, NOTHING, MODEL, or the name of another scorer: `fit(scorer, …)`
    needs: tuple[str, ...] = ()  # attributes of ScorerInputs
    settings: type[Section] | None = None  # the section `rank.<name>`
    space: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # values of settings that `rank.trials` draws from
    time_settings: tuple[str, ...] = ()  # settings without effect where no event has a time: not searched there
    is_system: bool = True  # may be named under `rank.systems`
    component: str | None = None  # the name under `rank.components`; None: never blended
    predicts_intensity: bool = False  # scores are intensities in [0, 1] and need no calibration
    is_estimator: bool = False  # may be named under `rank.estimators`

    @property
    def is_static(self) -> bool:
        """Whether it depends on neither events nor labels, so that one fit with the configured settings serves."""
        return self.fitted_on in (NOTHING, MODEL)
