"""Calibration of the scores of tasks after training, and their metrics on the other half of valid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from interestrec.core.errors import ArtifactError
from interestrec.metrics.task_metrics import task_values
from interestrec.model.task_logits import Calibrations, task_parameters, task_thresholds
from interestrec.model.tasks import TASKS
from interestrec.training.preparation import TrainingSetup

_FEWEST = 50  # labels below which nothing is fitted, as for the intensity
_PLAIN = {"scale": 1.0, "shift": 0.0}


def calibrated_tasks(setup: TrainingSetup) -> dict[str, dict[str, Any]]:
    """Return the calibration of each task on valid_blend, or that of the reference run, by the task's name.

    Raises:
        ArtifactError: the reference run has no calibration of a task.
    """
    tasks, reference = setup.model.config.tasks, setup.inputs.reference_run
    if reference is not None:
        known = reference.calibration.get("tasks", {})
        if missing := [task.name for task in tasks if task.name not in known]:
            raise ArtifactError(f"the reference run has no calibration of the task '{missing[0]}'; run it again")
        return {task.name: dict(known[task.name]) for task in tasks}
    if not tasks:
        return {}
    name, found = setup.inputs.settings.calibration, {}
    for number, (task, rows) in enumerate(
        zip(tasks, setup.scores.task_rows(setup.batches(setup.examples.blend)), strict=True)
    ):
        enough = name != "none" and len(rows.label) >= _FEWEST and np.ptp(rows.label) > 0
        parameters = task_parameters(task, task_thresholds(setup.model, number), {})
        calibrate = TASKS[task.kind].calibrate
        fitted = calibrate(rows.predicted, rows.label, rows.weight, parameters, name) if enough else {}
        found[task.name] = {**_PLAIN, **fitted}
    return found


def task_figures(setup: TrainingSetup, calibrations: Calibrations) -> dict[str, float]:
    """Return the metrics of the tasks on valid_select, by <task>_<metric>; none of a reference run.

    Metrics that are not defined, as the AUC of one class, are left out.
    """
    tasks = setup.model.config.tasks
    if not tasks or setup.inputs.reference_run is not None:
        return {}
    figures: dict[str, float] = {}
    for number, (task, rows) in enumerate(
        zip(tasks, setup.scores.task_rows(setup.batches(setup.examples.select)), strict=True)
    ):
        kind = TASKS[task.kind]
        parameters = task_parameters(task, task_thresholds(setup.model, number), calibrations)
        predicted = np.exp(kind.log_expected(rows.predicted.astype(np.float32), parameters)).astype(np.float64)
        values = task_values(replace(rows, predicted=predicted), kind.metrics)
        figures |= {f"{task.name}_{name}": value for name, value in values.items() if np.isfinite(value)}
    return figures
