"""MLflow: a database file below the directory, or the server that MLFLOW_TRACKING_URI names."""

import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from interestrec.tracking.tracker import TrackedRun, TrackerKind

RECIPE = "interestrec.recipe"  # tag of a run
_EXPERIMENT = "interestrec"
_BUFFER = 500  # figures per transaction, of which one takes about as long as hundred figures
_MAX_PARAMS, _MAX_CHARACTERS = 100, 6000  # of a batch and of a value; MLflow refuses more
_FORBIDDEN = re.compile(r"[^/\w.\- ]|-(?=x[0-9a-f]+-)")


def mlflow_name(name: str) -> str:
    """Return a name in the characters that MLflow takes; any other is `-x<code>-`, as `-x40-` for `@`."""
    return _FORBIDDEN.sub(lambda found: f"-x{ord(found[0]):x}-", name)


def written_name(name: str) -> str:
    """Return the name that `mlflow_name` has made of it."""
    return re.sub(r"-x([0-9a-f]+)-", lambda found: chr(int(found[1], 16)), name)


class MlflowTracker:
    """A run by the tag of its recipe. Figures are sent in batches; those of the whole run are at step 0."""

    def __init__(self, directory: Path, run: TrackedRun, fresh: bool) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when it is imported
        from mlflow.tracking import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        self.client = MlflowClient(tracking_uri=uri or f"sqlite:///{directory.resolve() / 'mlflow.db'}")
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
        known = self.client.get_experiment_by_name(name)
        artifacts = None if uri else (directory.resolve() / "artifacts").as_uri()
        experiment = known.experiment_id if known else self.client.create_experiment(name, artifacts)
        found = self.client.search_runs([experiment], f"tags.`{RECIPE}` = '{run.recipe}'")
        if fresh:
            for old in found:
                self.client.delete_run(old.info.run_id)
        if fresh or not found:
            tags = {RECIPE: run.recipe, "interestrec.stage": run.stage, "interestrec.kind": run.kind}
            self.run_id = self.client.create_run(experiment, tags=tags, run_name=run.name).info.run_id
            self.steps: dict[str, set[int]] = {}
        else:
            self.run_id = found[0].info.run_id
            self.client.update_run(self.run_id, status="RUNNING")
            self.steps = {
                metric: {entry.step for entry in self.client.get_metric_history(self.run_id, metric)}
                for metric in found[0].data.metrics
            }
        self.waiting: list[tuple[str, float, int, int]] = []  # name, value, milliseconds since 1970, step

    def has(self, step: int | None, name: str) -> bool:
        """See `Tracker`."""
        return (step or 0) in self.steps.get(mlflow_name(name), ())

    def log_settings(self, settings: Mapping[str, str]) -> None:
        """See `Tracker`."""
        from mlflow.entities import Param

        params = [Param(mlflow_name(name), value[:_MAX_CHARACTERS]) for name, value in settings.items()]
        for start in range(0, len(params), _MAX_PARAMS):
            self.client.log_batch(self.run_id, params=params[start : start + _MAX_PARAMS])

    def log_figures(self, step: int | None, figures: Mapping[str, float]) -> None:
        """See `Tracker`."""
        now = int(time.time() * 1000)
        self.waiting += [(mlflow_name(name), value, now, step or 0) for name, value in figures.items()]
        if len(self.waiting) >= _BUFFER:
            self._send()

    def close(self, complete: bool) -> None:
        """See `Tracker`."""
        self._send()
        self.client.set_terminated(self.run_id, "FINISHED" if complete else "KILLED")

    def _send(self) -> None:
        from mlflow.entities import Metric

        while self.waiting:
            self.client.log_batch(self.run_id, metrics=[Metric(*entry) for entry in self.waiting[:_BUFFER]])
            del self.waiting[:_BUFFER]


MLFLOW = TrackerKind(
    "runs of MLflow, in a database file or on the server in MLFLOW_TRACKING_URI",
    MlflowTracker,
    ("mlflow", "sqlalchemy", "alembic"),
    "mlflow",
)
