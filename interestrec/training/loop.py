"""The training loop of the two-tower model: phases, early stopping, best weights kept."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import numpy as np

from interestrec.core import interrupts
from interestrec.core.errors import NumericError
from interestrec.core.progress import log, track
from interestrec.model.losses import LOSSES
from interestrec.model.two_tower import ItemCodes, TwoTower
from interestrec.training.batches import Batch
from interestrec.training.distribution import peers
from interestrec.training.engine import Engine, first_few
from interestrec.training.execution import ExecutionSettings
from interestrec.training.item_vectors import TextVectorSource
from interestrec.training.objective import CandidateLists, arrays
from interestrec.training.optimizer import AdamW, Group
from interestrec.training.schedule import DECAYS, share
from interestrec.training.training_checkpoint import CheckpointStore, TrainingCheckpoint, assign, values
from interestrec.training.training_log import TrainingHistory, TrainingProgress


class EpochResult(NamedTuple):
    """One pass over the examples of a phase, or the rest of one."""

    begins: np.ndarray  # int64 [steps + 1], how many examples are done before each step of the whole epoch
    batches: Iterator[Batch]


@dataclass(frozen=True)
class TrainingPhase:
    """Some epochs over one kind of examples."""

    name: str
    epochs: int
    epoch: Callable[[int, int], EpochResult]  # number and steps of it that are done -> the rest of it
    graded: bool  # whether its labels differ, so that there is an intensity to learn
    corrected: bool = False  # whether log_rate is taken off
    file: str = "impressions.parquet"  # of the corpus, where the batches' rows are
    # called before `epoch` with the weights as they are when the epoch begins, also where a run goes on within it
    begin: Callable[[], None] | None = None


@dataclass(frozen=True)
class LearningRates:
    """How fast and towards what: names and meanings are those of the `finetune` settings."""

    towers: float  # peak learning rate; the encoder's are in its groups
    weight_decay: float
    losses: Mapping[str, float]  # weight of each by its name in LOSSES
    smoothing: float = 0.0
    clip: float = 1.0
    decay: str = "linear"
    warm_up: float = 0.1


@dataclass(frozen=True)
class TrainingOutcome:
    """The best value of the validation metric, the epoch it was reached after (0 = the start), and the log.

    Without validation there is no best value, and the last epoch counts as the best.
    """

    best: float | None
    best_epoch: int
    epochs: Mapping[str, int]  # by phase, how many of its epochs the weights went through; without those of none
    history: TrainingHistory
    seconds: float = field(compare=False)  # spent on steps by this process, without validation
    examples: int = field(compare=False)  # that it trained on meanwhile


def fit(
    model: TwoTower,
    texts: TextVectorSource,
    codes: ItemCodes,
    phases: Sequence[TrainingPhase],
    rates: LearningRates,
    execution: ExecutionSettings,
    validate: Callable[[], float],
    patience: int,
    checkpoints: CheckpointStore,
    seed: int,
    exactly: Mapping[str, int] | None = None,
) -> TrainingOutcome:
    """Train until the phases are done or `validate` has not gained for `patience` epochs of a phase.

    The weights end as they were at the best validation, the start included: training never leaves a model that is
    worse on validation than the frozen encoder's similarity. A run that was cut off goes on from its last checkpoint,
    and ends with the same bits as one that was not.

    With `exactly` nothing is validated: each phase runs so many of its epochs, none where it is not named, at the
    learning rates that these epochs have among all of the phase, and the weights end as they are after the last.

    Args:
        codes: of all items.
        validate: the metric on valid_select with the weights as they are, higher is better.
        exactly: epochs by the name of the phase, such as `Outcome.epochs` of an earlier run.

    Raises:
        NumericError: a loss or a gradient is not finite; the message names the step and the batch's examples.
        PeerLostError: another worker is gone.
        Interrupted: a signal asked for it; a checkpoint is saved.
    """
    run = _Run(model, texts, codes, rates, execution, validate, patience, checkpoints, seed, exactly)
    with peers(), interrupts.deferred():
        return run.through(phases)


class _Run:
    """A run in progress."""

    def __init__(
        self,
        model: TwoTower,
        texts: TextVectorSource,
        codes: ItemCodes,
        rates: LearningRates,
        execution: ExecutionSettings,
        validate: Callable[[], float],
        patience: int,
        checkpoints: CheckpointStore,
        seed: int,
        exactly: Mapping[str, int] | None,
    ) -> None:
        self.model, self.texts, self.codes, self.rates = model, texts, codes, rates
        self.execution, self.validate, self.patience = execution, validate, patience
        self.checkpoints, self.seed, self.exactly = checkpoints, seed, exactly
        towers = Group([variable.value for variable in model.trainable_variables], rates.towers)
        self.groups = [towers, *texts.groups]
        self.variables = [variable for group in self.groups for variable in group.variables]
        self.begun: list[np.ndarray] = []  # the weights when the epoch began, where the phase looks at them
        self.seconds, self.examples = 0.0, 0

    def through(self, phases: Sequence[TrainingPhase]) -> TrainingOutcome:
        """All phases, or those that are left."""
        found = self.checkpoints.latest(self.execution.strategy)
        if found is None:
            self._begin()
        else:
            self._go_on(found)
        while self.at.phase < len(phases):
            self._phase(phases[self.at.phase], found)
            found = None
            self.at.phase, self.at.within, self.at.waited, self.at.taken = self.at.phase + 1, 0, 0, 0
        assign(self.variables, self.best)
        return TrainingOutcome(
            self.at.best, self.at.best_epoch, self.at.epochs, self.history, self.seconds, self.examples
        )

    def _begin(self) -> None:
        self.at, self.history = TrainingProgress(), TrainingHistory()
        self.best = values(self.variables)
        if self.exactly is None:
            self.at.best = self.validate()
            self.history.add(0, 0, {"valid_auc": self.at.best})
            log.info("finetune: start, valid AUC %.4f", self.at.best)

    def _go_on(self, found: TrainingCheckpoint) -> None:
        self.at, self.history = TrainingProgress(**found.progress["run"]), TrainingHistory(**found.progress["history"])
        self.best, self.begun = found.groups["best"], found.groups.get("begun", [])
        assign(self.variables, found.groups["weights"])
        if "texts" in found.groups:
            self.texts.restore(found.groups["texts"])
        log.info("finetune: going on from step %d", self.at.step)

    def _phase(self, phase: TrainingPhase, found: TrainingCheckpoint | None) -> None:
        if not self.at.taken:
            assign(self.variables, self.best)
        weights = {name: w for name, w in self.rates.losses.items() if phase.graded or not LOSSES[name].pointwise}
        objective = CandidateLists(self.model, self.texts, tuple(weights), phase.corrected, self.rates.smoothing)
        execution = self.execution
        with execution.strategy.scope():
            optimizer = AdamW(self.groups, self.rates.weight_decay, self.rates.clip, execution.scaled)
        if found is not None and self.at.taken:
            assign(optimizer.state, found.groups["optimizer"])
        engine = Engine(execution.strategy, objective, weights, optimizer, execution.accumulate, self.seed)
        epochs = phase.epochs if self.exactly is None else self.exactly.get(phase.name, 0)
        while self.at.within < epochs and self.at.waited < self.patience:
            seconds, examples = self.seconds, self.examples
            self._epoch(phase, engine)
            self._judge(phase, (self.examples - examples) / max(self.seconds - seconds, 1e-9))
            self._save(engine)
            interrupts.check()

    def _epoch(self, phase: TrainingPhase, engine: Engine) -> None:
        at, name = self.at, f"{phase.name} epoch {self.at.within + 1}"
        if phase.begin is not None:
            self._begin_epoch(phase.begin)
        epoch = phase.epoch(at.within, at.done)
        started = time.monotonic()
        for batch in track(epoch.batches, name, len(epoch.begins) - 1 - at.done, "steps"):
            here = (epoch.begins[at.done] + epoch.begins[at.done + 1]) / 2 / epoch.begins[-1]
            rate = share(DECAYS[self.rates.decay], self.rates.warm_up, (at.within + here) / phase.epochs)
            measured = self._step(engine, batch, rate)
            if not engine.finite(measured):
                raise self._broken(batch, phase)
            self.history.add(at.step, at.epoch + 1, measured)
            if self.execution.watch:
                self.execution.watch(at.step, measured)
            if self.checkpoints.due():
                self._save(engine)
            interrupts.check()
        self.seconds += time.monotonic() - started

    def _judge(self, phase: TrainingPhase, speed: float) -> None:
        """End an epoch: validate, and keep the weights where they gained, or in any case without validation."""
        at, figures = self.at, dict[str, float]()
        if self.exactly is None:
            figures["valid_auc"] = self.validate()
        if self.texts.groups:
            figures["encoded_share"] = at.encoded / max(at.texts, 1)
        at.epoch, at.within, at.done, at.texts, at.encoded = at.epoch + 1, at.within + 1, 0, 0, 0
        self.history.add(at.step, at.epoch, figures)
        if self.execution.watch and figures:
            self.execution.watch(at.step, figures)
        told = "".join(f", {name} {value:.4f}" for name, value in figures.items())
        name, loss = f"{phase.name} epoch {at.within}", self.history.last("loss")
        log.info("finetune: %s, loss %.4f%s, %.0f examples/s", name, loss, told, speed)
        score = figures.get("valid_auc")
        gained = score is None or at.best is None or score > at.best
        at.waited = 0 if gained else at.waited + 1
        if gained:
            at.best, at.best_epoch, self.best = score, at.epoch, values(self.variables)
            at.epochs[phase.name] = at.within

    def _begin_epoch(self, begin: Callable[[], None]) -> None:
        if not self.at.done:
            self.begun = values(self.variables)
            begin()
            return
        now, remembered = values(self.variables), [np.array(array) for array in self.texts.state()]
        assign(self.variables, self.begun)
        begin()
        assign(self.variables, now)
        self.texts.restore(remembered)

    def _step(self, engine: Engine, batch: Batch, rate: float) -> dict[str, float]:
        at = self.at
        at.step, at.taken, at.done = at.step + 1, at.taken + 1, at.done + 1
        slices = batch.split(engine.slices)
        mine = [
            (slices[n], self.texts.prepare(slices[n].distinct, np.random.default_rng([self.seed, 2, at.step, n])))
            for n in engine.mine
        ]
        inputs = [arrays(part, prepared, self.codes) for part, prepared in mine]
        measured, seen = engine.step(inputs, at.step, at.taken, rate)
        self.texts.keep([prepared for _, prepared in mine], seen)
        at.texts += sum(prepared.texts for _, prepared in mine)
        at.encoded += sum(len(prepared.encoded) for _, prepared in mine)
        self.examples += len(batch)
        return measured

    def _save(self, engine: Engine) -> None:
        groups = {
            "weights": values(self.variables),
            "optimizer": values(engine.optimizer.state),
            "best": self.best,
            "texts": self.texts.state(),
            "begun": self.begun if self.at.done else [],
        }
        self.checkpoints.save(self.at.step, groups, {"run": asdict(self.at), "history": asdict(self.history)})

    def _broken(self, batch: Batch, phase: TrainingPhase) -> NumericError:
        return NumericError(
            f"the loss or its gradient is not finite at step {self.at.step} (epoch {self.at.epoch + 1}), of examples "
            f"in rows {first_few(batch.row)} of {phase.file}; the last checkpoint is kept: "
            "lower finetune.learning_rate and run again"
        )
