"""The interface of what keeps the figures of runs for another tool, and the entry of its registry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker calls a run: the making of one artifact, however often it is interrupted."""

    stage: str
    kind: str  # of the artifact
    recipe: str  # digest of the recipe

    @property
    def name(self) -> str:
        """Name of the run for people: the stage and the beginning of the digest."""
        return f"{self.stage}-{self.recipe[:12]}"


class Tracker(Protocol):
    """Keeps the figures of one run. Its methods may raise anything; `RunTracking` turns that into a warning."""

    def has(self, step: int | None, name: str) -> bool:
        """Return whether an earlier process has logged a figure."""

    def log_settings(self, settings: Mapping[str, str]) -> None:
        """Keep the settings of the run; an interrupted run gives equal ones again."""

    def log_figures(self, step: int | None, figures: Mapping[str, float]) -> None:
        """Keep figures, which are finite, of a step; None = of the whole run."""

    def close(self, complete: bool) -> None:
        """Write what is not yet written.

        Args:
            complete: whether the run has all of its figures; otherwise it was interrupted or has failed.
        """


@dataclass(frozen=True)
class TrackerKind:
    """An entry of TRACKERS.

    Attributes:
        open: opens a run in the tracker's directory, which exists. `fresh`: figures of an earlier build of the artifact
            are removed. Otherwise a run that is there is continued.
        modules: what has to be installed.
        extra: the extra that installs it.
    """

    summary: str
    open: Callable[[Path, TrackedRun, bool], Tracker]
    modules: tuple[str, ...] = ()
    extra: str = ""
