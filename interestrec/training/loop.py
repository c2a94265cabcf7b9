"""The training loop of the two-tower model: phases, early stopping, best weights kept."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial

import numpy as np
import tensorflow as tf

from interestrec.core.errors import NumericError
from interestrec.core.progress import log, track
from interestrec.model.losses import LOSSES, measure
from interestrec.model.two_tower import ItemCodes, TwoTower
from interestrec.training.batches import Batch
from interestrec.training.checkpoint import Checkpoint, Checkpoints, assign, values
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
    batches: Callable[[int, int], Iterator[Batch]]  # epoch and steps of it that are done -> the rest of its batches
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

    def last(self, name: str) -> float:
        """The latest value of a name."""
        return next(value for found, value in zip(self.name[::-1], self.value[::-1], strict=True) if found == name)


@dataclass(frozen=True)
class Outcome:
    """The best value of the validation metric, the epoch it was reached after (0 = the start), and the log."""

    best: float
    best_epoch: int
    history: History


@dataclass
class Progress:
    """Where a run stands: everything but weights, optimizers and seeds that the rest of it depends on."""

    phase: int = 0  # its number
    within: int = 0  # epochs of the phase that are done
    done: int = 0  # steps of the epoch that are done
    step: int = 0  # of the whole run
    epoch: int = 0  # of the whole run, done
    waited: int = 0  # epochs without a gain
    best: float = 0.0
    best_epoch: int = 0


def fit(
    model: TwoTower,
    texts: Texts,
    codes: ItemCodes,
    phases: list[Phase],
    rates: Rates,
    validate: Callable[[], float],
    patience: int,
    checkpoints: Checkpoints,
) -> Outcome:
    """Train until the phases are done or `validate` has not gained for `patience` epochs of a phase.

    The weights end as they were at the best validation, the start included: training never leaves a model that is
    worse on validation than the frozen encoder's similarity. A run that was cut off goes on from its last checkpoint,
    and ends with the same bits as one that was not.

    Args:
        codes: of all items.
        validate: the metric on valid_select with the weights as they are, higher is better.

    Raises:
        NumericError: a loss is not finite; the message names the step.
    """
    variables = [*model.trainable_variables, *texts.variables]
    seeds = [*model.non_trainable_variables, *texts.seeds]
    found = checkpoints.latest()
    progress, history, kept = _begin(variables, validate) if found is None else _go_on(found, variables, seeds)
    while progress.phase < len(phases):
        phase = phases[progress.phase]
        if not progress.within and not progress.done:
            assign(variables, kept)
        losses = {name: weight for name, weight in rates.losses.items() if phase.graded or not LOSSES[name].pointwise}
        chosen, steps = replace(rates, losses=losses), phase.epochs * phase.steps
        update, optimizers = _update(model, texts, chosen, steps, phase.corrected)
        if found is not None:
            assign(optimizers, found.groups["optimizers"])
            found = None

        state = {"weights": variables, "seeds": seeds, "optimizers": optimizers}
        while progress.within < phase.epochs and progress.waited < patience:
            name = f"{phase.name} epoch {progress.within + 1}"
            batches = phase.batches(progress.within, progress.done)
            for batch in track(batches, name, phase.steps - progress.done, "steps"):
                measured = {name: float(value) for name, value in update(*_arrays(batch, texts, codes)).items()}
                progress.step += 1
                progress.done += 1
                _check(measured, progress.step, progress.epoch + 1)
                history.add(progress.step, progress.epoch + 1, measured)
                if checkpoints.due():
                    _save(checkpoints, state, kept, progress, history)
            score = validate()
            progress.epoch, progress.within, progress.done = progress.epoch + 1, progress.within + 1, 0
            history.add(progress.step, progress.epoch, {"valid_auc": score})
            log.info("finetune: %s, loss %.4f, valid AUC %.4f", name, history.last("loss"), score)
            progress.waited = 0 if score > progress.best else progress.waited + 1
            if score > progress.best:
                progress.best, progress.best_epoch, kept = score, progress.epoch, values(variables)
            _save(checkpoints, state, kept, progress, history)
        progress.phase, progress.within, progress.waited = progress.phase + 1, 0, 0
    assign(variables, kept)
    return Outcome(progress.best, progress.best_epoch, history)


def _begin(variables: list[tf.Variable], validate: Callable[[], float]) -> tuple[Progress, History, list[np.ndarray]]:
    """Where a new run stands, its log, and the best weights so far: those at the start."""
    progress, history = Progress(best=validate()), History()
    history.add(0, 0, {"valid_auc": progress.best})
    log.info("finetune: start, valid AUC %.4f", progress.best)
    return progress, history, values(variables)


def _go_on(
    found: Checkpoint, variables: list[tf.Variable], seeds: list[tf.Variable]
) -> tuple[Progress, History, list[np.ndarray]]:
    """As `_begin`, from a checkpoint, with weights and seeds set to its."""
    progress, history = Progress(**found.progress["run"]), History(**found.progress["history"])
    assign(variables, found.groups["weights"])
    assign(seeds, found.groups.get("seeds", []))
    log.info("finetune: going on from step %d", progress.step)
    return progress, history, found.groups["best"]


def _save(
    checkpoints: Checkpoints,
    state: Mapping[str, list[tf.Variable]],
    best: list[np.ndarray],
    progress: Progress,
    history: History,
) -> None:
    groups = {name: values(variables) for name, variables in state.items()}
    where = {"run": asdict(progress), "history": asdict(history)}
    checkpoints.save(progress.step, {**groups, "best": best}, where)


def _update(
    model: TwoTower, texts: Texts, rates: Rates, steps: int, corrected: bool
) -> tuple[Callable[..., dict[str, tf.Tensor]], list[tf.Variable]]:
    """A function that takes one optimizer step on a batch's arrays and returns the losses; the optimizers' state."""
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

    return update, [variable for optimizer in optimizers for variable in optimizer.variables]


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
