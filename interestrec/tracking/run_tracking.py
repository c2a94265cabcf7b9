"""The trackers of one run together: each figure once, and no failure that ends the run."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from interestrec.core.errors import CannotCreateError
from interestrec.core.progress import log
from interestrec.tracking.tracker import TrackedRun, Tracker
from interestrec.tracking.trackers import TRACKERS, require_installed

_RECORDED = ".recorded"


class RunTracking:
    """What logs the figures of one run with all trackers, which are opened when the first figure comes.

    A figure of a step is logged once, however often it is given and by however many processes: a training that resumes
    gives those of steps again that were done before it was killed. A tracker that fails is left alone for the rest of
    the process, with a warning; since it then has no mark of a complete run, the same command completes it later.
    """

    def __init__(
        self,
        run: TrackedRun,
        names: Sequence[str],
        directory: Path,
        settings: Mapping[str, str],
        fresh: bool = False,
    ) -> None:
        """Check that all trackers can be used, and create nothing yet.

        Args:
            names: keys of TRACKERS.
            directory: each tracker writes into a directory of its name in it.
            settings: of the run, by their keys.
            fresh: whether the artifact is built anew, so that figures of an earlier build are dropped.

        Raises:
            ConfigError: a package is missing.
        """
        require_installed(names)
        self.run, self.directory, self.settings, self.fresh = run, directory, settings, fresh
        self.trackers = [_OpenTracker(name) for name in names]
        self.opened = self.complete = False

    def watch(self, prefix: str = "") -> Callable[[int, Mapping[str, float]], None] | None:
        """Return what logs step and figures of a training; None without trackers.

        Args:
            prefix: begins the names of figures.
        """
        return partial(self.log_figures, prefix=prefix) if self.trackers else None

    def log_figures(self, step: int | None, figures: Mapping[str, float], prefix: str = "") -> None:
        """Log figures of a step, None = of the whole run; what is not finite is left out.

        Raises:
            CannotCreateError: the directory of a tracker cannot be created.
        """
        self._open()
        named = {f"{prefix}{name}": float(value) for name, value in figures.items() if math.isfinite(value)}
        for tracker in self.trackers:
            tracker.log(step, named)

    def record(self, figures: Callable[[], Iterable[tuple[int | None, Mapping[str, float]]]]) -> None:
        """Complete the run by all figures of its artifact, unless that was done before.

        Args:
            figures: returns the step and the figures of each; it is called if they are needed.

        Raises:
            CannotCreateError: see `log_figures`.
        """
        is_recorded = all(self._mark(tracker.name).exists() for tracker in self.trackers)
        if not self.trackers or (is_recorded and not self.fresh):
            return
        for step, named in figures():
            self.log_figures(step, named)
        self.complete = True
        self.close()

    def close(self) -> None:
        """Close all trackers; one of an incomplete run is told so."""
        for tracker in self.trackers:
            tracker.close(self.complete)
            if self.complete and tracker.failed is None:
                tracker.attempt(self._mark(tracker.name).touch)
        self.opened = self.complete = False

    def _open(self) -> None:
        if self.opened:
            return
        for tracker in self.trackers:
            mark = self._mark(tracker.name)
            try:
                mark.parent.mkdir(parents=True, exist_ok=True)
                mark.unlink(missing_ok=True)
            except OSError as error:
                raise CannotCreateError(f"{mark.parent}: cannot create the directory ({error})") from error
            tracker.open(mark.parent, self.run, self.fresh, self.settings)
        self.opened, self.fresh = True, False

    def _mark(self, name: str) -> Path:
        """Return the path of the empty file that says that a tracker has all figures of the run."""
        return self.directory / name / f"{self.run.name}{_RECORDED}"


@dataclass
class _OpenTracker:
    """A tracker of one run, with what it was given in this process."""

    name: str
    tracker: Tracker | None = None
    logged: dict[str, set[int | None]] = field(default_factory=dict)  # name of a figure -> steps
    failed: Exception | None = None
    missed: set[tuple[int | None, str]] = field(default_factory=set)  # step and name of figures that were not logged

    def open(self, directory: Path, run: TrackedRun, fresh: bool, settings: Mapping[str, str]) -> None:
        def opened() -> None:
            self.tracker = TRACKERS[self.name].open(directory, run, fresh)
            self.tracker.log_settings(settings)

        self.logged.clear()
        self.attempt(opened)

    def log(self, step: int | None, figures: Mapping[str, float]) -> None:
        if self.failed is not None or self.tracker is None:
            self.missed.update((step, name) for name in figures)
            return
        new = {name: value for name, value in figures.items() if not self._has(step, name)}
        if new and not self.attempt(partial(self.tracker.log_figures, step, new)):
            self.missed.update((step, name) for name in new)
            return
        for name in new:
            self.logged.setdefault(name, set()).add(step)

    def close(self, complete: bool) -> None:
        if self.tracker is not None:
            self.attempt(partial(self.tracker.close, complete))
            self.tracker = None
        if self.missed:
            log.warning("tracking: %s lacks %d figures; the same command adds them", self.name, len(self.missed))
            self.missed.clear()

    def attempt(self, action: Callable[[], None]) -> bool:
        """Return whether an action succeeded; the first failure is logged."""
        try:
            action()
        except Exception as error:  # a training must not end because another tool cannot take its figures
            if self.failed is None:
                log.warning("tracking: %s failed (%s); the run goes on without it", self.name, error)
            self.failed = error
            return False
        return True

    def _has(self, step: int | None, name: str) -> bool:
        return step in self.logged.get(name, ()) or (self.tracker is not None and self.tracker.has(step, name))
