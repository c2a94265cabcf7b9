"""ScorerDefinition: a scorer's settings, search space, training data and further inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from interestrec.core.deferred_import import np
from interestrec.core.section import Section
from interestrec.scorers.requests import Scorer

EVENTS = "events"  # relevant events: `fit(events, …)`; fitted again on train and valid if `rank.refit` is set
GRADED_EVENTS = "graded_events"  # positive events, weighed by scorers/event_weights.py; fitted again in the same way
LABELS = "labels"  # candidates with a known label: `fit(labels, …)`; fitted again in the same way
NOTHING = "nothing"  # only `needs` and settings: `fit(…)`, once
MODEL = "model"  # the artifact `model`, which stores the scorer: `fit(inputs, …)`, once


class StorableScorer(Scorer, Protocol):
    """A scorer that can be stored as arrays; the restored scorer returns bit-identical scores."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the numeric arrays of the scorer by name, as safetensors stores them."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Restore the scorer from the result of `arrays`."""


@dataclass(frozen=True)
class ScorerDefinition:
    """The definition of one scorer; an entry of SCORERS in scorers/registry.py."""

    fit: Callable[..., Scorer]  # takes the training data, then `needs` and the keys of `settings` by keyword
    scorer: type[StorableScorer] | None  # the class that `fit` returns; None if an artifact stores the scorer
    fitted_on: str  # EVENTS, LABELS, NOTHING, MODEL, or the name of another scorer: `fit(scorer, …)`
    needs: tuple[str, ...] = ()  # attributes of ScorerInputs
    settings: type[Section] | None = None  # the section `rank.<name>`
    space: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # values of settings that `rank.trials` draws from
    time_settings: tuple[str, ...] = ()  # not searched if no event has a time, as they have no effect then
    evidence_settings: tuple[str, ...] = ()  # not searched if all positive events are relevant, for the same reason
    per_user_settings: tuple[str, ...] = ()  # grow with the number of users: a fit on a share of them takes that share
    is_system: bool = True  # whether `rank.systems` may name it
    component: str | None = None  # its name in `rank.components`; None: it is never blended
    predicts_intensity: bool = False  # scores are intensities in [0, 1] and need no calibration
    is_estimator: bool = False  # whether `rank.estimators` may name it

    @property
    def is_static(self) -> bool:
        """Whether the scorer depends on neither events nor labels, so that it is fitted once, without a search."""
        return self.fitted_on in (NOTHING, MODEL)
