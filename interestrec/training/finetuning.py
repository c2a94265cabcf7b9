"""Fine-tuning of the two-tower model: from a corpus and an encoder to trained weights and item vectors."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from interestrec.core.errors import ConfigError
from interestrec.core.progress import log
from interestrec.io import files
from interestrec.io.artifact_files import CALIBRATION
from interestrec.metrics.calibration import LogitCalibration
from interestrec.metrics.calibrations import calibrate
from interestrec.metrics.intensity_errors import calibration_sums
from interestrec.model.losses import LOSSES
from interestrec.model.task_logits import Calibrations
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_config import ItemCodes
from interestrec.training.batches import Batch, BatchLimits, batch_offsets
from interestrec.training.examples import Examples
from interestrec.training.execution import ExecutionSettings
from interestrec.training.loop import TrainingOutcome, fit
from interestrec.training.negative_source import NegativeInputs
from interestrec.training.negatives import NEGATIVE_SOURCES
from interestrec.training.phases import Epoch, Phase
from interestrec.training.preparation import TrainingSetup, prepare
from interestrec.training.task_calibration import calibrated_tasks, task_figures
from interestrec.training.training_checkpoint import CheckpointStore
from interestrec.training.training_inputs import TrainingInputs
from interestrec.training.validation import ValidFigures


@dataclass(frozen=True)
class TrainedModel:
    """A trained model with everything that its artifact stores."""

    model: TwoTower
    frozen_vectors: np.ndarray  # float32 [items, text width], of the encoder before training
    text_vectors: np.ndarray  # float32 [items, text width], of the encoder after training
    codes: ItemCodes
    user_features: np.ndarray  # int32 [users, columns], packed
    calibration: LogitCalibration
    calibration_errors: Mapping[str, float]  # on valid_select, by name; of the start model's calibration as well
    outcome: TrainingOutcome
    task_calibrations: Calibrations  # of the tasks' scores, by name
    task_figures: Mapping[str, float]  # metrics of the tasks on valid_select, as <task>_<metric>


def finetune(inputs: TrainingInputs, execution: ExecutionSettings, checkpoints: CheckpointStore) -> TrainedModel:
    """Train the two-tower model on train, with early stopping on valid_select and calibration on valid_blend.

    With a reference run, its numbers of epochs and its calibration are used instead and valid is not read. The
    trainable layers of the encoder change in place.

    Raises:
        ArtifactError: the start model does not fit.
        ConfigError: all labels of a phase are equal and no loss compares candidates; the start model has another
            structure, or more trained encoder layers than `trainable_layers`.
        DataError: as in `example_sets.corpus_examples`.
        NumericError: a loss became NaN.
        PeerLostError: another worker is lost.
        TrainingPaused: see `loop.fit`.
    """
    setup = prepare(inputs, execution)
    outcome = _fit(setup, execution, checkpoints)
    calibration = _calibrate(setup)
    task_calibrations = calibrated_tasks(setup)
    return TrainedModel(
        model=setup.model,
        frozen_vectors=setup.frozen_vectors,
        text_vectors=setup.texts.current_vectors(slice(inputs.items)),
        codes=setup.codes,
        user_features=inputs.user_features.packed,
        calibration=calibration,
        calibration_errors=_calibration_errors(setup, calibration),
        outcome=outcome,
        task_calibrations=task_calibrations,
        task_figures=task_figures(setup, task_calibrations),
    )


def _fit(setup: TrainingSetup, execution: ExecutionSettings, checkpoints: CheckpointStore) -> TrainingOutcome:
    """Train all phases; the final weights are the best on valid_select, or those after the reference run's epochs."""
    inputs = setup.inputs
    held_out = setup.batches(setup.examples.select) if inputs.reference_run is None else []
    outcome = fit(
        setup.model,
        setup.texts,
        setup.text_codes,
        inputs.user_features.packed,
        _phases(setup),
        inputs.settings,
        execution,
        validate=lambda: _validate(setup, held_out),
        checkpoints=checkpoints,
        seed=inputs.seed,
        epochs_by_phase=None if inputs.reference_run is None else inputs.reference_run.epochs,
    )
    if outcome.best is not None:
        log.info("finetune: best %s %.4f after epoch %d", outcome.decides, outcome.best, outcome.best_epoch)
    return outcome


def _validate(setup: TrainingSetup, held_out: list[Batch]) -> ValidFigures:
    """Return the AUC of impressions or of events among negatives, and the ndcg@10 of lists over the catalogue.

    Where valid has impressions that show what was ignored, their AUC decides, because the decision is judged by it;
    otherwise the lists do.
    """
    figures = {"valid_auc": setup.scores.mean_auc(held_out, setup.inputs.corpus.relevant_from)}
    if setup.inputs.judge is None:
        return ValidFigures("valid_auc", figures)
    ndcg = setup.inputs.judge(setup.model, setup.item_arrays())
    decides = "valid_auc" if ndcg is None or not setup.examples.select.sampled.all() else "valid_ndcg"
    return ValidFigures(decides, figures if ndcg is None else {**figures, "valid_ndcg": ndcg})


def _calibrate(setup: TrainingSetup) -> LogitCalibration:
    """Return the calibration on valid_blend, or that of the reference run."""
    inputs = setup.inputs
    if inputs.reference_run is not None:
        return LogitCalibration.of(inputs.reference_run.calibration)
    return calibrate(inputs.settings.calibration, *setup.scores.labelled(setup.batches(setup.examples.blend)))


def _calibration_errors(setup: TrainingSetup, calibration: LogitCalibration) -> dict[str, float]:
    """Return the expected calibration error on valid_select, which the calibration was not fitted on.

    With a start model also that of its calibration on the model of now, which tells whether intensities of yesterday
    still compare with those of today.
    """
    inputs = setup.inputs
    if inputs.reference_run is not None:
        return {}
    logits, labels = setup.scores.labelled(setup.batches(setup.examples.select))
    if not len(labels):
        return {}
    maps = {"calibration_error": calibration}
    if inputs.start is not None:
        maps["calibration_error_of_start"] = LogitCalibration.of(files.read_json(inputs.start / CALIBRATION))
    nobody = np.zeros(len(labels), np.int64)
    return {
        name: float(np.abs(calibration_sums(labels, of(logits), nobody, 1)).sum() / len(labels))
        for name, of in maps.items()
    }


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
    inputs = NegativeInputs(
        negatives.count,
        setup.most_negatives,
        setup.popularity,
        setup.examples.ranks_catalogue,
        timelines,
        max_history,
        setup.item_vectors,
    )
    source = NEGATIVE_SOURCES[negatives.source].make(inputs, negatives)
    limits = BatchLimits(settings.batch_size, settings.batch_tokens, setup.lengths, setup.most_lists)

    def epoch(number: int, done: int) -> Epoch:
        seed = [setup.inputs.seed, stream, number]
        order = np.random.default_rng(seed).permutation(len(examples))
        offsets = batch_offsets(examples, timelines, order, limits, max_history)
        return Epoch(offsets, setup.builder.iterate(examples, source, order, offsets, seed, done))

    # Equal labels would only teach the head to say "yes" to whatever is popular.
    graded = float(np.ptp(examples.label)) > 0
    if not graded and all(LOSSES[loss].pointwise for loss in settings.losses.above_zero()):
        raise ConfigError(
            f"finetune.losses: all labels of {name} are equal, so there is no intensity to learn; add softmax"
        )
    return Phase(name, epochs, epoch, graded, file, source.begin_epoch)
