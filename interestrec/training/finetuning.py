"""Fine-tuning of the two-tower model: from a corpus and an encoder to trained weights and item vectors."""

from dataclasses import dataclass

import numpy as np

from interestrec.core.errors import ConfigError
from interestrec.core.progress import log
from interestrec.encoding.text_inputs import TextInputs
from interestrec.metrics.calibration import LogitCalibration, calibrate
from interestrec.model.bert import Bert
from interestrec.model.losses import LOSSES
from interestrec.model.two_tower import ItemCodes, TwoTower
from interestrec.training.batches import Size, in_batches, starts
from interestrec.training.examples import Examples
from interestrec.training.execution import ExecutionSettings
from interestrec.training.hard_negatives import HardNegatives
from interestrec.training.loop import TrainingOutcome, fit
from interestrec.training.negatives import NegativeSampler
from interestrec.training.phases import Epoch, Phase
from interestrec.training.preparation import Plan, TrainingInputs, TrainingSetup, prepare
from interestrec.training.training_checkpoint import CheckpointStore


@dataclass(frozen=True)
class Trained:
    """A trained model with everything that its artifact stores."""

    model: TwoTower
    bert: Bert  # with the layers that learned
    inputs: TextInputs  # of the items
    frozen_vectors: np.ndarray  # float32 [items, width], of the encoder as it came
    text_vectors: np.ndarray  # float32 [items, width], of the encoder as it is now
    codes: ItemCodes
    calibration: LogitCalibration
    outcome: TrainingOutcome


def finetune(inputs: TrainingInputs, plan: Plan, execution: ExecutionSettings, checkpoints: CheckpointStore) -> Trained:
    """Train the two-tower model on the train split, stopping on valid_select, calibrated on valid_blend; where the plan
    has a verified run, as long as that one and calibrated as that one, without a look at valid.

    Raises:
        ArtifactError: the start model does not fit.
        ConfigError: all labels of a phase are equal, and no loss compares candidates; the start model is built
            differently, or more layers of its encoder learned than may learn now.
        DataError: as `examples.of_corpus`.
        NumericError: a loss became NaN.
        PeerLostError: another worker is gone.
    """
    setup = prepare(inputs, plan, execution)
    outcome = _fit(setup, execution, checkpoints)
    calibration = _calibrate(setup)
    return Trained(
        model=setup.model,
        bert=inputs.bert,
        inputs=inputs.item_texts,
        frozen_vectors=setup.frozen_vectors,
        text_vectors=setup.texts.table(np.arange(len(inputs.item_texts))),
        codes=setup.codes,
        calibration=calibration,
        outcome=outcome,
    )


def _fit(setup: TrainingSetup, execution: ExecutionSettings, checkpoints: CheckpointStore) -> TrainingOutcome:
    """Train through all phases; the weights end as the best on valid_select, or as long as the verified run took."""
    plan, scores, relevant_from = setup.plan, setup.scores, setup.corpus.relevant_from
    held_out = setup.batches(setup.examples.select)
    outcome = fit(
        setup.model,
        setup.texts,
        setup.text_codes,
        _phases(setup),
        plan.rates,
        execution,
        validate=lambda: scores.mean_auc(held_out, relevant_from),
        patience=plan.patience,
        checkpoints=checkpoints,
        seed=plan.seed,
        epochs_by_phase=None if plan.verified is None else plan.verified.epochs,
    )
    if outcome.best is not None:
        log.info("finetune: best valid AUC %.4f after epoch %d", outcome.best, outcome.best_epoch)
    return outcome


def _calibrate(setup: TrainingSetup) -> LogitCalibration:
    """The calibration on valid_blend, or that of the verified run."""
    plan = setup.plan
    if plan.verified is not None:
        return LogitCalibration.of(plan.verified.calibration)
    return calibrate(plan.calibration, *setup.scores.known(setup.batches(setup.examples.blend)))


def _phases(setup: TrainingSetup) -> list[Phase]:
    """Next events within histories first, then impressions: there is far more of the former."""
    plan, examples = setup.plan, setup.examples
    possible = [
        ("histories", examples.within, plan.history_epochs, "timelines.parquet"),
        ("impressions", examples.train, plan.epochs, "impressions.parquet"),
    ]
    return [
        _phase(setup, stream, name, learned, epochs, file)
        for stream, (name, learned, epochs, file) in enumerate(possible)
        if epochs and len(learned)
    ]


def _phase(setup: TrainingSetup, stream: int, name: str, examples: Examples, epochs: int, file: str) -> Phase:
    """Epochs over some examples, each in an order of its own.

    Args:
        stream: of random numbers.
        file: of the corpus, where the examples' rows are.
    """
    plan, timelines = setup.plan, setup.corpus.timelines
    source, begin = plan.negatives.of_training(setup.popularity, examples), None
    if plan.negatives.source == "hard" and isinstance(source, NegativeSampler):
        source = HardNegatives(source, plan.negatives.pool, timelines, plan.max_history, setup.item_vectors)
        begin = source.begin
    size = Size(plan.batch_size, plan.batch_tokens, setup.lengths)

    def epoch(number: int, done: int) -> Epoch:
        seed = [plan.seed, stream, number]
        order = np.random.default_rng(seed).permutation(len(examples))
        begins = starts(examples, timelines, order, size, plan.max_history)
        return Epoch(begins, in_batches(examples, timelines, source, order, begins, plan.max_history, seed, done))

    # Equal labels would only teach the head to say "yes" to whatever is popular.
    graded = float(np.ptp(examples.label)) > 0
    if not graded and all(LOSSES[loss].pointwise for loss in plan.rates.losses):
        raise ConfigError(
            f"finetune.losses: nothing to learn, as all labels of {name} are equal; add a loss of lists such as softmax"
        )
    return Phase(name, epochs, epoch, graded, plan.negatives.source == "in_batch", file, begin)
