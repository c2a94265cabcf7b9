"""TensorBoard: one event file a run, which an interrupted run continues."""

from collections.abc import Mapping
from pathlib import Path

from interestrec.tracking.event_file import EventFile
from interestrec.tracking.tracker import TrackedRun, TrackerKind

_SETTINGS = "settings"


class TensorBoardTracker:
    """Figures of the whole run are at step 0, settings are a text."""

    def __init__(self, directory: Path, run: TrackedRun, fresh: bool) -> None:
        path = directory / run.name / f"events.out.tfevents.{run.recipe}"
        path.parent.mkdir(exist_ok=True)
        if fresh:
            path.unlink(missing_ok=True)
        self.file = EventFile(path)

    def has(self, step: int | None, name: str) -> bool:
        """See `Tracker`."""
        return (step or 0) in self.file.steps.get(name, ())

    def log_settings(self, settings: Mapping[str, str]) -> None:
        """See `Tracker`."""
        if not self.has(None, _SETTINGS):
            rows = (f"| {name} | `{value}` |" for name, value in settings.items())
            self.file.add_text(_SETTINGS, "\n".join(["| key | value |", "|---|---|", *rows]))

    def log_figures(self, step: int | None, figures: Mapping[str, float]) -> None:
        """See `Tracker`."""
        self.file.add_scalars(step or 0, figures)

    def close(self, complete: bool) -> None:
        """See `Tracker`."""
        self.file.close()


TENSORBOARD = TrackerKind("event files of TensorBoard", TensorBoardTracker)
