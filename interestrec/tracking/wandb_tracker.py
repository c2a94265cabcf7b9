"""Weights & Biases: one offline run below the directory, or one on the server if WANDB_MODE is online."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from interestrec.tracking.tracker import TrackedRun, TrackerKind

_PROJECT = "interestrec"


class WandbTracker:
    """A run by the digest of its recipe.

    Offline, the library cannot continue a run: a second directory of the same id would replace the first on the server
    (https://github.com/wandb/wandb/issues/3841). What an interrupted run left is therefore removed, and the training
    that resumes repeats the figures up to its checkpoint. On the server a run is continued behind its last step.

    Steps are figures of their own, named `step`, since those of the library may never fall, as those of several models
    of one artifact do.
    """

    def __init__(self, directory: Path, run: TrackedRun, fresh: bool) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read when it is imported
        import wandb

        online = os.environ.get("WANDB_MODE") == "online"
        if not online:
            for old in directory.glob(f"offline-run-*-{run.recipe}"):
                shutil.rmtree(old)
        self.run = wandb.init(
            dir=str(directory.parent),  # a directory `wandb` is made in it
            mode="online" if online else "offline",
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            id=run.recipe,
            name=run.name,
            group=run.stage,
            job_type=run.kind,
            resume=("never" if fresh else "allow") if online else None,
            reinit="create_new",
            settings=wandb.Settings(
                console="off",
                silent=True,
                disable_git=True,
                save_code=False,
                host="",
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
            ),
        )
        self.known = dict(self.run.summary) if online else {}
        self.defined: set[str] = set()  # names whose steps it knows

    def has(self, step: int | None, name: str) -> bool:
        """See `Tracker`; offline runs are begun anew."""
        if step is None:
            return name in self.known
        return step <= self.known.get(_step_name(_prefix(name)), -1)

    def log_settings(self, settings: Mapping[str, str]) -> None:
        """See `Tracker`."""
        self.run.config.update(dict(settings), allow_val_change=True)

    def log_figures(self, step: int | None, figures: Mapping[str, float]) -> None:
        """See `Tracker`."""
        if step is None:
            self.run.summary.update(dict(figures))
            return
        for prefix in dict.fromkeys(map(_prefix, figures)):
            row = {name: value for name, value in figures.items() if _prefix(name) == prefix}
            for name in row.keys() - self.defined:
                self.run.define_metric(name, step_metric=_step_name(prefix), step_sync=False)
            self.defined |= row.keys()
            self.run.log({_step_name(prefix): step, **row})

    def close(self, complete: bool) -> None:
        """See `Tracker`."""
        self.run.finish(exit_code=0 if complete else 1)


def _prefix(name: str) -> str:
    """Return the part of a name that ends with its last `/`; empty if it has none."""
    return name[: name.rfind("/") + 1]


def _step_name(prefix: str) -> str:
    return f"{prefix}step"


WANDB = TrackerKind(
    "runs of Weights & Biases, offline unless the environment has WANDB_MODE=online", WandbTracker, ("wandb",), "wandb"
)
