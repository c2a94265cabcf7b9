"""Adaptation: trains all layers of an encoder on the texts of a corpus."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from interestrec.core.errors import NumericError
from interestrec.core.progress import log
from interestrec.pretraining.held_out_texts import HeldOutTexts
from interestrec.pretraining.passages import Passages
from interestrec.pretraining.text_task import TextTask
from interestrec.training.engine import Engine, format_rows
from interestrec.training.execution import ExecutionSettings
from interestrec.training.length_batches import length_batches
from interestrec.training.optimizer import AdamW, WeightGroup
from interestrec.training.step_training import RateSchedule, StepBatch, StepTraining
from interestrec.training.training_checkpoint import CheckpointStore

_WARM_UP, _CLIP = 0.1, 1.0


@dataclass(frozen=True)
class Schedule:
    """Length and rates of the training; the fields are as in the `pretrain_adapt` settings."""

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int


@dataclass(frozen=True)
class AdaptationResult:
    """The figures of HeldOutTexts before and after training, and the loss of every step."""

    before: dict[str, float]
    after: dict[str, float]
    losses: list[float]


def adapt(
    objective: TextTask,
    train: Passages,
    held_out: Passages,
    plan: Schedule,
    execution: ExecutionSettings,
    checkpoints: CheckpointStore,
) -> AdaptationResult:
    """Train all layers on `train`; the objective's towers and head are changed in place.

    The order of texts is a function of the seed and the pass; all other randomness is a function of the seed and the
    step. A run that resumes from a checkpoint therefore ends with the same bits as an uninterrupted one.

    Raises:
        NumericError: the loss or its gradient is not finite; the message names the step and the batch's items.
        PeerLostError: another worker is lost.
        Interrupted: a signal ended the run; a checkpoint is saved.
    """
    parts = [*dict.fromkeys(objective.towers), *([] if objective.head is None else [objective.head])]
    variables = [variable.value for part in parts for variable in part.trainable_variables]
    with execution.strategy.scope():
        optimizer = AdamW(
            [WeightGroup(variables, plan.learning_rate)], plan.weight_decay, _CLIP, execution.loss_scaling
        )
    weights = {objective.name: 1.0}
    engine = Engine(execution.strategy, objective, weights, optimizer, execution.accumulate, plan.seed)
    measure = HeldOutTexts(objective, held_out, plan.batch_size, plan.seed).measure
    training = StepTraining(engine, RateSchedule(plan.steps, "linear", _WARM_UP), checkpoints, execution.watch)
    if training.done:
        before = training.notes["before"]
        log.info("pretrain-adapt: resuming from step %d", training.done)
    else:
        before = training.notes["before"] = measure()
        log.info("pretrain-adapt: held-out %s before", _format_figures(before))

    def batches(done: int) -> Iterator[StepBatch]:
        order = length_batches(train.lengths, plan.batch_size, plan.seed, done)
        for step, rows in enumerate(order, done + 1):
            yield StepBatch(objective.batch(train, rows, [plan.seed, 0, step]), train.items[rows])

    losses = training.run(batches, f"learning ({objective.name})", _not_finite)
    after = measure()
    log.info("pretrain-adapt: held-out %s after %d steps", _format_figures(after), plan.steps)
    return AdaptationResult(before, after, losses)


def _format_figures(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())


def _not_finite(step: int, items: np.ndarray) -> NumericError:
    return NumericError(
        f"the loss or its gradient is not finite at step {step}, of the texts of items {format_rows(items)} (rows of "
        "items.parquet); the last checkpoint is kept: lower pretrain_adapt.learning_rate and run again"
    )
