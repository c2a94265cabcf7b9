"""Tasks of a model before training: their labels, the parameters fitted on labels of train, and where weights start."""

from __future__ import annotations

import numpy as np

from interestrec.core.errors import ConfigError
from interestrec.corpus.event_columns import candidate_columns, timeline_columns
from interestrec.corpus.store import Corpus
from interestrec.model.task_heads import TaskHeads
from interestrec.model.tasks import TASKS
from interestrec.model.two_tower_config import ModelTask
from interestrec.training.examples import Examples, TaskTargets
from interestrec.training.finetune_settings import FinetuneSettings
from interestrec.training.label_expressions import parse_label
from interestrec.training.task_settings import single_tasks


def task_targets(corpus: Corpus, settings: FinetuneSettings) -> TaskTargets | None:
    """Return the labels of all tasks of the settings; None if there are no tasks.

    Raises:
        ConfigError: a label names a type of events that the corpus does not have.
    """
    tasks = single_tasks(settings.tasks)
    if not tasks:
        return None
    events = timeline_columns(corpus)
    candidates = candidate_columns(corpus, events)
    of_events, of_candidates = [], []
    for name, task in tasks.items():
        expression = parse_label(str(task.label))
        try:
            of_events.append(expression(events))
            of_candidates.append(expression(candidates))
        except ConfigError as error:
            raise ConfigError(f"finetune.tasks.{name}: label '{task.label}': {error}") from None
    return TaskTargets(np.stack(of_events, axis=1), np.stack(of_candidates, axis=1))


def fitted_tasks(settings: FinetuneSettings, train: Examples) -> tuple[ModelTask, ...]:
    """Return the tasks of the model, with parameters fitted on the labels of train.

    Raises:
        ConfigError: a task has no labels, labels that its kind does not take, or equal labels and no negatives.
    """
    if train.targets is None:
        return ()
    return tuple(
        _fitted_task(name, task.kind, str(task.label), task.negatives, labels, bool(train.sampled.any()))
        for (name, task), labels in zip(single_tasks(settings.tasks).items(), train.targets.T, strict=True)
    )


def _fitted_task(
    name: str, kind_name: str, label: str, negatives: bool | None, labels: np.ndarray, samples: bool
) -> ModelTask:
    """Return a task; `samples` tells whether examples of train have sampled negatives."""
    kind, key = TASKS[kind_name], f"finetune.tasks.{name}"
    known = labels[np.isfinite(labels)]
    if not len(known):
        raise ConfigError(f"{key}: the label '{label}' is unknown of every event of train; check it against the log")
    try:
        parameters = kind.fit(known)
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from None
    equal = float(np.ptp(known)) == 0
    drawn = kind.takes_negatives and samples and (equal if negatives is None else negatives)
    if equal and (not drawn or known[0] == 0):
        remedy = "; negatives would tell them apart" if known[0] == 1 and negatives is False else ""
        raise ConfigError(
            f"{key}: all {len(known):,} known labels of train are {known[0]:g}, so there is nothing to learn{remedy}"
        )
    return ModelTask(name, kind_name, label, drawn, parameters)


def start_tasks(heads: TaskHeads, train: Examples, drawable: int) -> None:
    """Set biases and thresholds so that initial predictions are correct on average.

    Args:
        train: with the labels of the tasks.
        drawable: number of items that can be negatives.
    """
    assert train.targets is not None
    biases = []
    for n, task in enumerate(heads.tasks):
        kind, labels = TASKS[task.kind], train.targets[:, n]
        known = labels[np.isfinite(labels)]
        negatives = int(train.sampled.sum()) * drawable if task.negatives else 0
        biases.append(kind.start(float(known.sum(dtype=np.float64)) / (len(known) + negatives), task.parameters))
        if (thresholds := heads.thresholds[n]) is not None:
            thresholds.assign(kind.thresholds(task.parameters, known))
    heads.bias.assign(np.array(biases, np.float32))
