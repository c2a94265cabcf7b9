"""The training loop of the two-tower model: phases, early stopping, best weights kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import tensorflow as tf

from interestrec.core.errors import NumericError
from interestrec.core.progress import log, track
from interestrec.model.losses import LOSSES, measure
from interestrec.model.two_tower import ItemCodes, TwoTower
from interestrec.training.batches import Batch
from interestrec.training.schedule import adamw
from interestrec.training.texts import Texts

# Codes of attributes and of categories, then a Batch without `distinct`. A step is compiled once a phase, whatever
# shapes its batches have.
_BATCH = tuple(
    tf.TensorSpec([None, None], kind)
    for kind in (tf.int32, tf.int32, tf.int32, tf.float32, tf.int32, tf.float32, tf.bool, tf.bool, tf.float32)
)


@dataclass(frozen=True)
class Phase:
    """Some epochs over one kind of examples."""

    name: str
    epochs: int
    steps: int  # an epoch
    batches: Callable[[int], Iterator[Batch]]  # epoch -> its batches
    graded: bool  # whether its labels differ, so that there is an intensity to learn
    corrected: bool = False  # whether log_rate is taken off; taking off zeros would still move the last bits


@dataclass(frozen=True)
class Rates:
    """Peak learning rates, weight decay, and the weight of each loss by its name in LOSSES."""

    towers: float
    encoder: float
    weight_decay: float
    losses: dict[str, float]


@dataclass
class History:
    """Everything measured while training: columns of the training log."""

    step: list[int] = field(default_factory=list)
    epoch: list[int] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    def add(self, step: int, epoch: int, values: dict[str, float]) -> None:
        """Append one row a value."""
        for name, value in values.items():
            self.step.append(step)
            self.epoch.append(epoch)
            self.name.append(name)
            self.value.append(value)


@dataclass(frozen=True)
class Outcome:
    """The best value of the validation metric, the epoch it was reached after (0 = the start), and the log."""

    best: float
    best_epoch: int
    history: History


def fit(
    model: TwoTower,
    texts: Texts,
    codes: ItemCodes,
    phases: list[Phase],
    rates: Rates,
    validate: Callable[[], float],
    patience: int,
) -> Outcome:
    """Train until the phases are done or `validate` has not gained for `patience` epochs of a phase.

    The weights end as they were at the best validation, the start included: training never leaves a model that is
    worse on validation than the frozen encoder's similarity.

    Args:
        codes: of all items.
        validate: the metric on valid_select with the weights as they are, higher is better.

    Raises:
        NumericError: a loss is not finite; the message names the step.
    """
    history = History()
    variables = [*model.trainable_variables, *texts.variables]
    best, best_epoch, kept = validate(), 0, [v.numpy() for v in variables]
    history.add(0, 0, {"valid_auc": best})
    log.info("finetune: start, valid AUC %.4f", best)
    step, epoch = 0, 0
    for phase in phases:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)
        losses = {name: weight for name, weight in rates.losses.items() if phase.graded or not LOSSES[name].pointwise}
        update = _update(model, texts, replace(rates, losses=losses), phase.epochs * phase.steps, phase.corrected)
        waited = 0
        for within in range(phase.epochs):
            epoch += 1
            for batch in track(phase.batches(within), f"{phase.name} epoch {within + 1}", phase.steps, "steps"):
                step += 1
                measured = {name: float(value) for name, value in update(*_arrays(batch, texts, codes)).items()}
                _check(measured, step, epoch)
                history.add(step, epoch, measured)
            score = validate()
            history.add(step, epoch, {"valid_auc": score})
            log.info(
                "finetune: %s epoch %d, loss %.4f, valid AUC %.4f", phase.name, within + 1, measured["loss"], score
            )
            waited = 0 if score > best else waited + 1
            if score > best:
                best, best_epoch, kept = score, epoch, [v.numpy() for v in variables]
            if waited >= patience:
                break
    for variable, value in zip(variables, kept, strict=True):
        variable.assign(value)
    return Outcome(best, best_epoch, history)


def _update(
    model: TwoTower, texts: Texts, rates: Rates, steps: int, corrected: bool
) -> Callable[..., dict[str, tf.Tensor]]:
    """A function that takes one optimizer step on a batch's arrays and returns the losses."""
    groups = [(list(model.trainable_variables), rates.towers), (texts.variables, rates.encoder)]
    groups = [(variables, rate) for variables, rate in groups if variables]
    optimizers = [adamw(variables, rate, steps, rates.weight_decay) for variables, rate in groups]
    apply = [partial(o.apply, trainable_variables=v) for o, (v, _) in zip(optimizers, groups, strict=True)]

    @tf.function(input_signature=(texts.signature, *_BATCH))
    def update(inputs: tuple, attributes, categories, history, intensity, candidates, labels, present, known, log_rate):  # type: ignore[no-untyped-def]
        with tf.GradientTape() as tape:
            vectors = texts.vectors(*inputs, training=True)
            logits = model(vectors, attributes, categories, history, intensity, candidates, training=True)
            lists = (labels, present, known, log_rate if corrected else None)
            losses = {name: measure(LOSSES[name], logits, *lists) for name in rates.losses}
            total = tf.add_n([weight * losses[name] for name, weight in rates.losses.items()])
        gradients = tape.gradient(total, [variables for variables, _ in groups])
        for step, gradient in zip(apply, gradients, strict=True):
            step(gradient)
        return {"loss": total, **{f"loss_{name}": value for name, value in losses.items()}}

    return update


def _arrays(batch: Batch, texts: Texts, codes: ItemCodes) -> tuple:
    return (
        tuple(tf.constant(array) for array in texts.inputs(batch.distinct)),
        *(
            tf.constant(array)
            for array in (
                codes.attributes[batch.distinct],
                codes.categories[batch.distinct],
                batch.history,
                batch.intensity,
                batch.candidates,
                batch.labels,
                batch.present,
                batch.known,
                batch.log_rate,
            )
        ),
    )


def _check(measured: dict[str, float], step: int, epoch: int) -> None:
    if not np.isfinite(list(measured.values())).all():
        raise NumericError(
            f"the loss is not finite at step {step} (epoch {epoch}); lower finetune.learning_rate and run again"
        )
