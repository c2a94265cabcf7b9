"""Fine-tuning of the two-tower model: from a corpus and an encoder to trained weights and item vectors."""

from dataclasses import dataclass

import numpy as np

from interestrec.core.errors import ConfigError
from interestrec.core.progress import log
from interestrec.metrics.calibration import LogitCalibration
from interestrec.metrics.calibrations import calibrate
from interestrec.model.losses import LOSSES
from interestrec.model.two_tower import ItemCodes, TwoTower
from interestrec.training.batches import BatchLimits, batch_offsets, iterate_batches
from interestrec.training.examples import Examples
from interestrec.training.execution import ExecutionSettings
from interestrec.training.loop import TrainingOutcome, fit
from interestrec.training.negative_source import NegativeInputs
from interestrec.training.negatives import NEGATIVE_SOURCES
from interestrec.training.phases import Epoch, Phase
from interestrec.training.preparation import TrainingInputs, TrainingSetup, prepare
from interestrec.training.training_checkpoint import CheckpointStore


@dataclass(frozen=True)
class TrainedModel:
    """A trained model with everything that its artifact stores."""

    model: TwoTower
    frozen_vectors: np.ndarray  # float32 [items, width], of the encoder before training
    text_vectors: np.ndarray  # float32 [items, width], of the encoder after training
    codes: ItemCodes
    calibration: LogitCalibration
    outcome: TrainingOutcome


def finetune(inputs: TrainingInputs, execution: ExecutionSettings, checkpoints: CheckpointStore) -> TrainedModel:
    """Train the two-tower model on train, with early stopping on valid_select and calibration on valid_blend.

    With a reference run, its numbers of epochs and its calibration are used instead and valid is not read. The
    trainable layers of the encoder change in place.

    Raises:
        ArtifactError: the start model does not fit.
        ConfigError: all labels of a phase are equal and no loss compares candidates; the start model has another
            structure, or more trained encoder layers than `trainable_layers`.
        DataError: as in `examples.corpus_examples`.
        NumericError: a loss became NaN.
        PeerLostError: another worker is lost.
    """
    setup = prepare(inputs, execution)
    outcome = _fit(setup, execution, checkpoints)
    calibration = _calibrate(setup)
    return TrainedModel(
        model=setup.model,
        frozen_vectors=setup.frozen_vectors,
        text_vectors=setup.texts.current_vectors(np.arange(len(inputs.item_inputs))),
        codes=setup.codes,
        calibration=calibration,
        outcome=outcome,
    )


def _fit(setup: TrainingSetup, execution: ExecutionSettings, checkpoints: CheckpointStore) -> TrainingOutcome:
    """Train all phases; the final weights are the best on valid_select, or those after the reference run's epochs."""
    inputs, scores, relevant_from = setup.inputs, setup.scores, setup.inputs.corpus.relevant_from
    held_out = setup.batches(setup.examples.select)
    outcome = fit(
        setup.model,
        setup.texts,
        setup.text_codes,
        _phases(setup),
        inputs.settings,
        execution,
        validate=lambda: scores.mean_auc(held_out, relevant_from),
        checkpoints=checkpoints,
        seed=inputs.seed,
        epochs_by_phase=None if inputs.reference_run is None else inputs.reference_run.epochs,
    )
    if outcome.best is not None:
        log.info("finetune: best valid AUC %.4f after epoch %d", outcome.best, outcome.best_epoch)
    return outcome


def _calibrate(setup: TrainingSetup) -> LogitCalibration:
    """Return the calibration on valid_blend, or that of the reference run."""
    inputs = setup.inputs
    if inputs.reference_run is not None:
        return LogitCalibration.of(inputs.reference_run.calibration)
    return calibrate(inputs.settings.calibration, *setup.scores.labelled(setup.batches(setup.examples.blend)))


def _phases(setup: TrainingSetup) -> list[Phase]:
    """Return the phases: next events within histories first, because there are many more, then impressions."""
    settings, examples = setup.inputs.settings, setup.examples
    phases = [
        ("histories", examples.histories, settings.history_epochs, "timelines.parquet"),
        ("impressions", examples.train, settings.epochs, "impressions.parquet"),
    ]
    return [
        _phase(setup, stream, name, phase_examples, epochs, file)
        for stream, (name, phase_examples, epochs, file) in enumerate(phases)
        if epochs and len(phase_examples)
    ]


def _phase(setup: TrainingSetup, stream: int, name: str, examples: Examples, epochs: int, file: str) -> Phase:
    """Return a phase over examples, each epoch in a new order.

    Args:
        stream: number of the stream of random numbers.
        file: of the corpus, to which the rows of the examples refer.
    """
    settings, timelines = setup.inputs.settings, setup.inputs.corpus.timelines
    negatives, max_history = settings.negatives, settings.max_history
    kind = NEGATIVE_SOURCES[negatives.source]
    inputs = NegativeInputs(negatives.count, setup.popularity, examples, timelines, max_history, setup.item_vectors)
    source = kind.make(inputs, negatives)
    limits = BatchLimits(settings.batch_size, settings.batch_tokens, setup.lengths)

    def epoch(number: int, done: int) -> Epoch:
        seed = [setup.inputs.seed, stream, number]
        order = np.random.default_rng(seed).permutation(len(examples))
        offsets = batch_offsets(examples, timelines, order, limits, max_history)
        return Epoch(offsets, iterate_batches(examples, timelines, source, order, offsets, max_history, seed, done))

    # Equal labels would only teach the head to say "yes" to whatever is popular.
    graded = float(np.ptp(examples.label)) > 0
    if not graded and all(LOSSES[loss].pointwise for loss in settings.losses.above_zero()):
        raise ConfigError(
            f"finetune.losses: all labels of {name} are equal, so there is no intensity to learn; add softmax"
        )
    return Phase(name, epochs, epoch, graded, kind.subtract_log_rate, file, source.begin_epoch)
