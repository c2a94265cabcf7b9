"""Training of the model of `sequence`, with checkpoints of a fit that an interrupted command resumes from."""

import hashlib
from collections.abc import Callable

import numpy as np

from interestrec.core.errors import NumericError
from interestrec.model.next_item import NextItem
from interestrec.scorers.step_batches import StepBatches
from interestrec.training import device
from interestrec.training.engine import Engine
from interestrec.training.next_item_objective import LOSS, NextItemObjective
from interestrec.training.optimizer import AdamW, WeightGroup
from interestrec.training.step_training import RateSchedule, StepTraining
from interestrec.training.training_checkpoint import CheckpointStore

_WARM_UP, _CLIP, _WEIGHT_DECAY = 0.1, 1.0, 0.0


def train(
    model: NextItem,
    batches: StepBatches,
    learning_rate: float,
    steps: int,
    checkpoints: Callable[[str], CheckpointStore] | None,
    seed: int,
) -> None:
    """Train the weights of a model in place.

    Args:
        learning_rate: peak, reached after a tenth of the steps; from there it falls by a cosine.
        steps: steps of the optimizer.
        checkpoints: returns the checkpoints of a name; None: there are none.

    Raises:
        NumericError: the loss or its gradient is not finite.
        Interrupted: a signal ended the training; a checkpoint is saved.
    """
    strategy = device.prepare("auto", None, seed)
    variables = [variable.value for variable in model.trainable_variables]
    optimizer = AdamW([WeightGroup(variables, learning_rate)], _WEIGHT_DECAY, _CLIP)
    engine = Engine(strategy, NextItemObjective(model), {LOSS: 1.0}, optimizer, 1, seed)
    schedule = RateSchedule(steps, "cosine", _WARM_UP)
    store = None if checkpoints is None else checkpoints(f"sequence-{_digest(model, batches, learning_rate, steps)}")
    StepTraining(engine, schedule, store).run(batches.after, "learning (sequence)", _not_finite)


def _digest(model: NextItem, batches: StepBatches, learning_rate: float, steps: int) -> str:
    """Return what tells the fits of one command apart: a hash of events and settings."""
    histories = batches.steps
    sizes = (model.config, batches.step_items, batches.negatives, batches.size, batches.seed, learning_rate, steps)
    content = hashlib.sha256(repr(sizes).encode())
    for array in (histories.item, histories.step_offsets, histories.gap, histories.offsets):
        content.update(array.tobytes())
    return content.hexdigest()[:16]


def _not_finite(step: int, rows: np.ndarray) -> NumericError:
    return NumericError(
        f"sequence: the loss or its gradient is not finite at step {step}; lower rank.sequence.learning_rate"
    )
