"""The training loop of the two-tower model: phases, early stopping and best weights."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from interestrec.core import interrupts
from interestrec.core.errors import NumericError
from interestrec.core.progress import log, track
from interestrec.model.losses import LOSSES
from interestrec.model.task_totals import task_losses
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_config import ItemCodes
from interestrec.training.batches import Batch
from interestrec.training.distribution import raise_peer_loss
from interestrec.training.engine import Engine, format_rows
from interestrec.training.epoch_start import EpochStart
from interestrec.training.execution import ExecutionSettings
from interestrec.training.finetune_settings import FinetuneSettings
from interestrec.training.item_vectors import TextVectorSource
from interestrec.training.objective import CandidateLists, arrays
from interestrec.training.optimizer import AdamW, WeightGroup
from interestrec.training.phases import Epoch, Phase
from interestrec.training.schedule import DECAYS, rate_share
from interestrec.training.task_settings import single_tasks
from interestrec.training.training_checkpoint import CheckpointStore, TrainingCheckpoint, assign, values
from interestrec.training.training_log import TrainingHistory, TrainingPaused, TrainingProgress
from interestrec.training.validation import ValidFigures


@dataclass(frozen=True)
class TrainingOutcome:
    """The best validation score, its epoch (0 = before training), and the training log.

    Without validation there is no best score, and the last epoch counts as the best.
    """

    best: float | None
    decides: str | None  # the figure that is best
    best_epoch: int
    epochs: Mapping[str, int]  # phase -> epochs behind the final weights, if any
    history: TrainingHistory
    seconds: float = field(compare=False)  # in training steps of this process, without validation
    examples: int = field(compare=False)  # trained on by this process in these seconds


def fit(
    model: TwoTower,
    texts: TextVectorSource,
    codes: ItemCodes,
    user_features: np.ndarray,
    phases: Sequence[Phase],
    settings: FinetuneSettings,
    execution: ExecutionSettings,
    validate: Callable[[], ValidFigures],
    checkpoints: CheckpointStore,
    seed: int,
    epochs_by_phase: Mapping[str, int] | None = None,
) -> TrainingOutcome:
    """Train all phases; each ends early after `settings.patience` epochs without a gain of `validate`.

    The final weights are those of the best validation score, including the score before training: the model is never
    worse on validation than the frozen encoder's similarity. With tasks, the score before training does not count. An
    interrupted run resumes from its last checkpoint and ends with the same bits as an uninterrupted one.

    With `epochs_by_phase` nothing is validated: each phase runs its number of epochs there (0 if absent) at the
    learning rates of these epochs in the complete schedule, and the final weights are those after the last epoch.

    Args:
        codes: of all texts.
        user_features: int32 [users, columns], packed.
        validate: returns figures on valid_select with the current weights.
        epochs_by_phase: `TrainingOutcome.epochs` of an earlier run.

    Raises:
        NumericError: a loss or a gradient is not finite; the message names the step and the batch's examples.
        PeerLostError: another worker is lost.
        TrainingPaused: the epochs of `execution.pause_after` are over; a checkpoint is saved.
        Interrupted: a signal ended the run; a checkpoint is saved.
    """
    run = _Run(model, texts, codes, user_features, settings, execution, validate, checkpoints, seed, epochs_by_phase)
    with raise_peer_loss(), interrupts.deferred():
        return run.train(phases)


class _Run:
    """A run in progress."""

    def __init__(
        self,
        model: TwoTower,
        texts: TextVectorSource,
        codes: ItemCodes,
        user_features: np.ndarray,
        settings: FinetuneSettings,
        execution: ExecutionSettings,
        validate: Callable[[], ValidFigures],
        checkpoints: CheckpointStore,
        seed: int,
        epochs_by_phase: Mapping[str, int] | None,
    ) -> None:
        self.model, self.texts, self.settings = model, texts, settings
        self.codes, self.user_features = codes, user_features
        self.execution, self.validate = execution, validate
        self.checkpoints, self.seed, self.epochs_by_phase = checkpoints, seed, epochs_by_phase
        towers = WeightGroup([variable.value for variable in model.trainable_variables], settings.learning_rate)
        self.groups = [towers, *texts.groups]
        self.variables = [variable for group in self.groups for variable in group.variables]
        self.epoch_start = EpochStart(self.variables, texts)
        self.seconds, self.examples = 0.0, 0

    def train(self, phases: Sequence[Phase]) -> TrainingOutcome:
        """Train all phases, or those that remain after a checkpoint."""
        checkpoint = self.checkpoints.latest(self.execution.strategy)
        if checkpoint is None:
            self._start()
        else:
            self._resume(checkpoint)
        while self.progress.phase < len(phases):
            self._phase(phases[self.progress.phase], checkpoint)
            self.progress.end_phase()
            checkpoint = None  # its optimizer state belongs to the completed phase
        assign(self.variables, self.best_weights)
        progress = self.progress
        return TrainingOutcome(
            progress.best,
            progress.decides,
            progress.best_epoch,
            progress.epochs,
            self.history,
            self.seconds,
            self.examples,
        )

    def _start(self) -> None:
        self.progress, self.history = TrainingProgress(), TrainingHistory()
        self.best_weights = values(self.variables)
        if self.epochs_by_phase is None:
            found = self.validate()
            self.progress.decides = found.decides
            if self.model.task_heads is None:  # of tasks an untrained model knows nothing, so it is never the best
                self.progress.best = found.values[found.decides]
            self._note(0, found.values)
            log.info("finetune: start%s", _listed(found.values))

    def _resume(self, checkpoint: TrainingCheckpoint) -> None:
        self.progress = TrainingProgress.from_document(checkpoint.progress["run"])
        self.history = TrainingHistory.from_document(checkpoint.progress["history"])
        if self.execution.watch:
            for step, figures in self.history.by_step().items():
                self.execution.watch(step, figures)
        self.best_weights = checkpoint.groups["best"]
        self.epoch_start = EpochStart(self.variables, self.texts, checkpoint.groups.get("begun", []))
        assign(self.variables, checkpoint.groups["weights"])
        if "texts" in checkpoint.groups:
            self.texts.restore(checkpoint.groups["texts"])
        log.info("finetune: resuming from step %d", self.progress.step)

    def _phase(self, phase: Phase, checkpoint: TrainingCheckpoint | None) -> None:
        """Train a phase from the best weights so far, or the rest of the phase of the checkpoint."""
        progress = self.progress
        if not progress.step_in_phase:
            assign(self.variables, self.best_weights)
        engine = self._engine(phase)
        if checkpoint is not None and progress.step_in_phase:
            assign(engine.optimizer.state, checkpoint.groups["optimizer"])
        epochs = phase.epochs if self.epochs_by_phase is None else self.epochs_by_phase.get(phase.name, 0)
        while progress.epoch_in_phase < epochs and progress.epochs_without_gain < self.settings.patience:
            self._pause_if_asked()
            seconds, examples = self.seconds, self.examples
            self._epoch(phase, engine)
            self._end_epoch(phase, (self.examples - examples) / max(self.seconds - seconds, 1e-9))
            self._save(engine)
            interrupts.check()

    def _pause_if_asked(self) -> None:
        """Raise where an epoch is to begin that is left for later."""
        progress, after = self.progress, self.execution.pause_after
        if after is not None and progress.epoch >= after and not progress.step_in_epoch:
            raise TrainingPaused(self.history.curve(str(progress.decides)))

    def _engine(self, phase: Phase) -> Engine:
        """Create an engine with a new optimizer and the losses that the phase has labels for."""
        settings, execution = self.settings, self.execution
        losses = settings.losses.above_zero()
        weights = {name: weight for name, weight in losses.items() if phase.graded or not LOSSES[name].pointwise}
        tasks = [single_tasks(settings.tasks)[task.name].weight for task in self.model.config.tasks]
        learned = [weight == "learned" for weight in tasks]
        objective = CandidateLists(self.model, self.texts, tuple(weights), settings.label_smoothing, learned)
        names = task_losses(self.model.config.tasks)
        weights |= {name: 1.0 if weight == "learned" else weight for name, weight in zip(names, tasks, strict=True)}
        with execution.strategy.scope():
            optimizer = AdamW(self.groups, settings.weight_decay, settings.clip, execution.loss_scaling)
        return Engine(execution.strategy, objective, weights, optimizer, execution.accumulate, self.seed)

    def _epoch(self, phase: Phase, engine: Engine) -> None:
        """Train the remaining steps of an epoch."""
        progress, name = self.progress, f"{phase.name} epoch {self.progress.epoch_in_phase + 1}"
        if phase.begin_epoch is not None:
            (self.epoch_start.replay if progress.step_in_epoch else self.epoch_start.run)(phase.begin_epoch)
        epoch = phase.epoch(progress.epoch_in_phase, progress.step_in_epoch)
        started = time.monotonic()
        for batch in track(epoch.batches, name, len(epoch.offsets) - 1 - progress.step_in_epoch, "steps"):
            figures = self._step(engine, batch, self._rate(phase, epoch))
            if not engine.is_finite(figures):
                raise self._not_finite(batch, phase)
            self._note(progress.epoch + 1, figures)
            if self.checkpoints.is_due():
                self._save(engine)
            interrupts.check()
        self.seconds += time.monotonic() - started

    def _rate(self, phase: Phase, epoch: Epoch) -> float:
        """Return the share of the peak learning rates for the next step, by the share of examples before its middle."""
        step, offsets = self.progress.step_in_epoch, epoch.offsets
        share_of_epoch = (offsets[step] + offsets[step + 1]) / 2 / offsets[-1]
        share_of_phase = (self.progress.epoch_in_phase + share_of_epoch) / phase.epochs
        return rate_share(DECAYS[self.settings.schedule], self.settings.warm_up, share_of_phase)

    def _step(self, engine: Engine, batch: Batch, rate: float) -> dict[str, float]:
        progress = self.progress
        progress.end_step()
        slices = batch.split(engine.slices)
        prepared = [
            self.texts.prepare(slices[n].distinct, np.random.default_rng([self.seed, 2, progress.step, n]))
            for n in engine.local_slices
        ]
        inputs = [
            arrays(slices[n], texts, self.codes, self.user_features)
            for n, texts in zip(engine.local_slices, prepared, strict=True)
        ]
        figures, vectors = engine.step(inputs, progress.step, progress.step_in_phase, rate)
        self.texts.keep(prepared, vectors)
        progress.texts += sum(texts.texts for texts in prepared)
        progress.encoded += sum(len(texts.encoded) for texts in prepared)
        self.examples += len(batch)
        return figures

    def _end_epoch(self, phase: Phase, speed: float) -> None:
        """Validate, and keep the weights if the score improved or there is no validation."""
        progress, figures = self.progress, dict[str, float]()
        if self.epochs_by_phase is None:
            figures |= self.validate().values
        if self.texts.groups:
            figures["encoded_share"] = progress.encoded / max(progress.texts, 1)
        progress.end_epoch()
        self._note(progress.epoch, figures)
        name, loss = f"{phase.name} epoch {progress.epoch_in_phase}", self.history.last("loss")
        log.info("finetune: %s, loss %.4f%s, %.0f examples/s", name, loss, _listed(figures), speed)
        score = None if progress.decides is None else figures.get(progress.decides)
        gained = score is None or progress.best is None or score > progress.best
        progress.epochs_without_gain = 0 if gained else progress.epochs_without_gain + 1
        if gained:
            progress.best, progress.best_epoch = score, progress.epoch
            progress.epochs[phase.name] = progress.epoch_in_phase
            self.best_weights = values(self.variables)

    def _note(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Add figures of the current step to the log."""
        self.history.add(self.progress.step, epoch, figures)
        if self.execution.watch:
            self.execution.watch(self.progress.step, figures)

    def _save(self, engine: Engine) -> None:
        groups = {
            "weights": values(self.variables),
            "optimizer": values(engine.optimizer.state),
            "best": self.best_weights,
            "texts": self.texts.state(),
            "begun": self.epoch_start.weights if self.progress.step_in_epoch else [],
        }
        position = {"run": self.progress.document(), "history": self.history.document()}
        self.checkpoints.save(self.progress.step, groups, position)

    def _not_finite(self, batch: Batch, phase: Phase) -> NumericError:
        return NumericError(
            f"the loss or its gradient is not finite at step {self.progress.step} (epoch {self.progress.epoch + 1}), "
            f"of examples in rows {format_rows(batch.row)} of {phase.file}; the last checkpoint is kept: "
            "lower finetune.learning_rate and run again"
        )


def _listed(figures: Mapping[str, float]) -> str:
    return "".join(f", {name} {value:.4f}" for name, value in figures.items())
