"""ScorerDefinition: a scorer's settings, search space, training data and further inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, Self

from interestrec.core.deferred_import import np
from interestrec.core.section import Section
from interestrec.scorers.requests import Events, Scorer
from interestrec.scorers.tally import StorableTally, Tally

EVENTS = "events"  # relevant events: `fit(events, …)`; fitted again on train and valid if `rank.refit` is set
GRADED_EVENTS = "graded_events"  # positive events, weighed by scorers/event_weights.py; fitted again in the same way
LABELS = "labels"  # candidates with a known label: `fit(labels, …)`; fitted again in the same way
NOTHING = "nothing"  # only `needs` and settings: `fit(…)`, once
MODEL = "model"  # the artifact `model`: `fit(inputs, …)`, once

# How a fitted scorer follows new and forgotten events.
EXACTLY = "exactly"  # by its tally: as fitted again, at a cost that grows with the change
AGAIN = "fitted again"  # on all that it is fitted on
FOLDED_IN = "folded in"  # items without factors get them from their users; the others keep theirs
KEPT = "kept"  # what it learned stays until the next fit


class StorableScorer(Scorer, Protocol):
    """A scorer that can be stored as arrays; the restored scorer returns bit-identical scores."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the numeric arrays of the scorer by name, as safetensors stores them."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Restore the scorer from the result of `arrays`."""


@dataclass(frozen=True)
class TallyDefinition:
    """A fit in steps: `fit(events, …)` is `finish(prepare(count(events, …), …), …)`.

    Trials of a search whose settings agree in all that counts and prepares share these steps.
    """

    count: Callable[..., Any]  # takes events, then the needs and settings of `counting` and `latest` by keyword
    counting: tuple[str, ...]
    finish: Callable[..., Scorer]  # takes what is prepared, then those of `finishing` by keyword
    finishing: tuple[str, ...] = ()
    prepare: Callable[..., Any] = lambda tally: tally  # takes the tally, then those of `preparing` by keyword
    preparing: tuple[str, ...] = ()
    # Whether, by these needs and settings, `prepare` takes a tally as just counted from all events, not an updated one.
    needs_users: Callable[[Any, Mapping[str, Any]], bool] = lambda tally, chosen: False
    kind: type[StorableTally] = Tally  # what `count` returns

    def counter(self, chosen: Mapping[str, Any]) -> Callable[..., Any]:
        """Return the function from events to their tally, by needs and settings."""
        return partial(self.count, **{key: chosen[key] for key in self.counting})

    def prepared(self, tally: StorableTally, chosen: Mapping[str, Any]) -> Any:
        """Return what `finished` takes, by needs and settings."""
        return self.prepare(tally, **{key: chosen[key] for key in self.preparing})

    def finished(self, prepared: Any, chosen: Mapping[str, Any]) -> Scorer:
        """Return the scorer, by needs and settings."""
        return self.finish(prepared, **{key: chosen[key] for key in self.finishing})


@dataclass(frozen=True)
class ScorerDefinition:
    """The definition of one scorer; an entry of SCORERS in scorers/registry.py."""

    fit: Callable[..., Scorer]  # takes the training data, then `needs` and the keys of `settings` by keyword
    scorer: type[StorableScorer]  # the class that `fit` returns
    fitted_on: str  # EVENTS, LABELS, NOTHING, MODEL, or the name of another scorer: `fit(scorer, …)`
    follows: str  # EXACTLY, AGAIN, FOLDED_IN or KEPT
    needs: tuple[str, ...] = ()  # attributes of ScorerInputs
    settings: type[Section] | None = None  # the section `rank.<name>`
    tally: TallyDefinition | None = None  # of what follows EXACTLY
    # Of what is FOLDED_IN or KEPT: takes the scorer, all events from now on of users whose events have changed, with
    # the new numbers of users and items, and the users that are to be forgotten, int64.
    follow: Callable[[Any, Events, np.ndarray], Scorer] | None = None
    space: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # values of settings that `rank.trials` draws from
    time_settings: tuple[str, ...] = ()  # not searched if no event has a time, as they have no effect then
    evidence_settings: tuple[str, ...] = ()  # not searched if all positive events are relevant, for the same reason
    per_user_settings: tuple[str, ...] = ()  # grow with the number of users: a fit on a share of them takes that share
    is_system: bool = True  # whether `rank.systems` may name it
    is_baseline: bool = True  # whether `rank.systems` names it by default
    component: str | None = None  # its name in `rank.components`; None: it is never blended
    predicts_intensity: bool = False  # scores are intensities in [0, 1] and need no calibration
    is_estimator: bool = False  # whether `rank.estimators` may name it

    @property
    def is_static(self) -> bool:
        """Whether the scorer depends on neither events nor labels, so that it is fitted once, without a search."""
        return self.fitted_on in (NOTHING, MODEL)
