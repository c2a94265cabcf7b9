"""Training of a whole encoder on a corpus's texts alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from interestrec.core import interrupts
from interestrec.core.errors import NumericError
from interestrec.core.progress import log, track
from interestrec.pretraining.held_out_texts import HeldOutTexts
from interestrec.pretraining.passages import Passages, batches
from interestrec.pretraining.text_task import TextTask
from interestrec.training.distribution import peers
from interestrec.training.engine import Engine, first_few
from interestrec.training.execution import ExecutionSettings
from interestrec.training.optimizer import AdamW, Group
from interestrec.training.schedule import DECAYS, share
from interestrec.training.training_checkpoint import CheckpointStore, assign, values

_WARM_UP, _CLIP = 0.1, 1.0


@dataclass(frozen=True)
class Schedule:
    """How long and how fast; names and meanings are those of the `pretrain_adapt` settings."""

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int


@dataclass(frozen=True)
class Adapted:
    """The figures of HeldOut before and after, and the loss of every step."""

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
) -> Adapted:
    """Train all layers on `train`; the objective's encoder and head are changed in place.

    The order of texts is a function of the seed and the pass over them, all else that is random of the seed and the
    step: a run that was cut off goes on from its last checkpoint, and ends with the same bits as one that was not.

    Raises:
        NumericError: the loss or its gradient is not finite; the message names the step and the batch's items.
        PeerLostError: another worker is gone.
        Interrupted: a signal asked for it; a checkpoint is saved.
    """
    own = objective.head.trainable_variables if objective.head is not None else []
    variables = [variable.value for variable in (*objective.encoder.trainable_variables, *own)]
    with execution.strategy.scope():
        optimizer = AdamW([Group(variables, plan.learning_rate)], plan.weight_decay, _CLIP, execution.scaled)
    weights = {objective.name: 1.0}
    engine = Engine(execution.strategy, objective, weights, optimizer, execution.accumulate, plan.seed)
    measure = HeldOutTexts(objective, held_out, plan.batch_size, plan.seed).measure
    state = {"weights": variables, "optimizer": optimizer.state}
    with peers():
        found = checkpoints.latest(execution.strategy)
    if found is None:
        before, losses = measure(), []
        log.info("pretrain-adapt: held-out %s before", _told(before))
    else:
        before, losses = found.progress["before"], found.progress["losses"]
        for name, group in state.items():
            assign(group, found.groups[name])
        log.info("pretrain-adapt: going on from step %d", len(losses))
    order = batches(train.lengths, plan.batch_size, plan.seed, len(losses))
    with peers(), interrupts.deferred():
        for step in track(range(len(losses) + 1, plan.steps + 1), f"learning ({objective.name})", unit="steps"):
            rows = next(order)
            batch = objective.batch(train, rows, [plan.seed, 0, step])
            slices = [tuple(np.array_split(array, engine.slices)[n] for array in batch) for n in engine.mine]
            rate = share(DECAYS["linear"], _WARM_UP, (step - 0.5) / plan.steps)
            measured, _ = engine.step(slices, step, step, rate)
            if not engine.finite(measured):
                raise _broken(step, train.items[rows])
            losses.append(measured["loss"])
            if execution.watch:
                execution.watch(step, measured)
            if checkpoints.due():
                arrays = {name: values(group) for name, group in state.items()}
                checkpoints.save(step, arrays, {"before": before, "losses": losses})
            interrupts.check()
    after = measure()
    log.info("pretrain-adapt: held-out %s after %d steps", _told(after), plan.steps)
    return Adapted(before, after, losses)


def _told(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())


def _broken(step: int, items: np.ndarray) -> NumericError:
    return NumericError(
        f"the loss or its gradient is not finite at step {step}, of the texts of items {first_few(items)} (rows of "
        "items.parquet); the last checkpoint is kept: lower pretrain_adapt.learning_rate and run again"
    )
