"""Fine-tuning of the two-tower model: from a corpus and an encoder to trained weights and item vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interestrec.core.errors import ConfigError
from interestrec.core.progress import log
from interestrec.corpus.categories import LEVELS, category_codes
from interestrec.corpus.item_attributes import ItemAttributes
from interestrec.corpus.store import Corpus
from interestrec.encoding.hidden_cache import HiddenCache, encode_lower
from interestrec.encoding.text_vectors import encode
from interestrec.encoding.vector_cache import VectorCache
from interestrec.metrics.calibration import LogitCalibration
from interestrec.metrics.calibrations import calibrate
from interestrec.model.encoder import Encoder, EncoderInputs, LoraAdapter
from interestrec.model.head import Similarity
from interestrec.model.losses import LOSSES
from interestrec.model.two_tower import ItemCodes, TwoTower, TwoTowerConfig, start_from
from interestrec.model.user_tower import TextUser
from interestrec.training import examples as made
from interestrec.training.batches import Batch, Size, in_batches, starts
from interestrec.training.examples import Examples, Parts
from interestrec.training.execution import ExecutionSettings
from interestrec.training.finetune_settings import NegativeSettings
from interestrec.training.item_vectors import (
    FrozenTextVectors,
    LearningTextVectors,
    StaleVectorPolicy,
    TextVectorSource,
)
from interestrec.training.loop import EpochResult, LearningRates, TrainingOutcome, TrainingPhase, fit
from interestrec.training.negative_sampler import NegativeSampler
from interestrec.training.negative_source import NegativeInputs
from interestrec.training.negatives import NEGATIVE_SOURCES
from interestrec.training.optimizer import Group
from interestrec.training.training_checkpoint import CheckpointStore
from interestrec.training.user_text_examples import codes_beyond, with_documents
from interestrec.training.validation import ValidationScores, draw, looked_at
from interestrec.workspace.reference_run import ReferenceRun


@dataclass(frozen=True)
class FinetunePlan:
    """How to train; the names and meanings are those of the `finetune` settings."""

    epochs: int
    history_epochs: int
    batch_size: int
    batch_tokens: int | None
    max_history: int
    negatives: NegativeSettings
    trainable_layers: int
    lora: LoraAdapter | None
    encoder_learning_rate: float
    layer_decay: float
    reuse: StaleVectorPolicy
    hidden: tuple[int, ...]
    dropout: float
    patience: int
    rates: LearningRates
    seed: int
    similarity: Similarity
    calibration: str  # of CALIBRATIONS
    user_text: TextUser | None = None
    verified: ReferenceRun | None = None  # whose choices stand in for those on valid


@dataclass(frozen=True)
class Caches:
    """Where what frozen parts of the encoder gave is found and kept; no result depends on it."""

    vectors: VectorCache
    hidden: HiddenCache


@dataclass(frozen=True)
class Trained:
    """A trained model with everything that its artifact stores."""

    model: TwoTower
    encoder: Encoder  # with the layers that learned
    inputs: EncoderInputs  # of the items
    frozen_vectors: np.ndarray  # float32 [items, width], of the encoder as it came
    text_vectors: np.ndarray  # float32 [items, width], of the encoder as it is now
    codes: ItemCodes
    calibration: LogitCalibration
    outcome: TrainingOutcome


def finetune(
    corpus: Corpus,
    encoder: Encoder,
    inputs: EncoderInputs,
    attributes: ItemAttributes,
    plan: FinetunePlan,
    execution: ExecutionSettings,
    checkpoints: CheckpointStore,
    caches: Caches | None = None,
    start: Path | None = None,
) -> Trained:
    """Train the two-tower model on the train split, stopping on valid_select, calibrated on valid_blend; where the plan
    has a verified run, as long as that one and calibrated as that one, without a look at valid.

    Args:
        encoder: built within the scope of the execution's strategy.
        start: a `model` artifact whose weights are where training starts, those of the encoder's layers among them.

    Raises:
        ArtifactError: the start model does not fit.
        ConfigError: all labels of a phase are equal, and no loss compares candidates; the start model is built
            differently, or more layers of its encoder learned than may learn now.
        DataError: as `examples.of_corpus`.
        NumericError: a loss became NaN.
        PeerLostError: another worker is gone.
    """
    verified = plan.verified
    examples, of_items = made.corpus_examples(corpus, validated=verified is None), inputs
    items = np.arange(len(of_items))
    if plan.user_text is not None:
        inputs, examples = _with_documents(inputs, examples, corpus, plan)
    codes = ItemCodes(attributes.codes, category_codes(corpus.items["category"]))
    of_texts = codes_beyond(codes, len(inputs))
    config = TwoTowerConfig(
        width=encoder.width,
        hidden=plan.hidden,
        levels=LEVELS,
        max_history=plan.max_history,
        dropout=plan.dropout,
        attributes=attributes.sizes,
        similarity=plan.similarity,
        user_text=plan.user_text,
    )
    with execution.strategy.scope():
        model = TwoTower(config, name="two_tower")
        texts = _texts(encoder, inputs, plan, caches)
    frozen = texts.table(items)  # of the encoder as it came, whatever the start model made of it
    if start is not None:
        learned = encoder.assign_learned(start_from(model, start))
        if learned > plan.trainable_layers:
            raise ConfigError(
                f"--from {start}: {learned} layers of its encoder learned; set finetune.trainable_layers to as many"
            )
        texts.table(np.arange(len(inputs)))  # is remembered where vectors are used again
    scores = ValidationScores(model, texts, of_texts)
    popularity = made.popularity(corpus)
    sampler = NegativeSampler.of(popularity, plan.negatives.count)
    if start is None:
        _start_bias(model, scores, draw(examples.train, corpus.timelines, sampler, plan.max_history, plan.seed))
    held_out = draw(examples.select, corpus.timelines, sampler, plan.max_history, plan.seed)
    outcome = fit(
        model,
        texts,
        of_texts,
        _phases(corpus, examples, popularity, inputs.lengths, plan, lambda: _vectors(model, texts, of_texts)),
        plan.rates,
        execution,
        validate=lambda: scores.mean_auc(held_out, corpus.relevant_from),
        patience=plan.patience,
        checkpoints=checkpoints,
        seed=plan.seed,
        exactly=None if verified is None else verified.epochs,
    )
    if verified is None:
        log.info("finetune: best valid AUC %.4f after epoch %d", outcome.best, outcome.best_epoch)
        blend = draw(examples.blend, corpus.timelines, sampler, plan.max_history, plan.seed)
        calibration = calibrate(plan.calibration, *scores.known(blend))
    else:
        calibration = LogitCalibration.of(verified.calibration)
    return Trained(
        model=model,
        encoder=encoder,
        inputs=of_items,
        frozen_vectors=frozen,
        text_vectors=texts.table(items),
        codes=codes,
        calibration=calibration,
        outcome=outcome,
    )


def _with_documents(
    inputs: EncoderInputs, examples: Parts, corpus: Corpus, plan: FinetunePlan
) -> tuple[EncoderInputs, Parts]:
    """The texts with the documents of all examples that will be looked at."""
    assert plan.user_text is not None
    train, within, select, blend = examples
    parts = [
        (train, np.arange(len(train))),
        (within, np.arange(len(within) if plan.history_epochs else 0)),
        (select, looked_at(select, plan.seed)),
        (blend, looked_at(blend, plan.seed)),
    ]
    texts, given = with_documents(inputs, parts, corpus.timelines, plan.max_history, plan.user_text.tokens)
    return texts, Parts(*given)


def _texts(encoder: Encoder, inputs: EncoderInputs, plan: FinetunePlan, caches: Caches | None) -> TextVectorSource:
    """Where text vectors come from."""
    if not plan.trainable_layers and not encoder.learns_pooling:
        return FrozenTextVectors(encode(encoder, inputs, caches.vectors if caches else None))
    distinct, text_of_item = inputs.distinct()
    layers = encoder.depth - plan.trainable_layers
    hidden = encode_lower(encoder, distinct, layers, caches.hidden if caches else None)
    learning = encoder.learning(plan.trainable_layers, plan.lora, plan.seed)
    rates = [plan.encoder_learning_rate * plan.layer_decay**depth for depth in reversed(range(len(learning)))]
    groups = [Group([v.value for v in weights], rate) for weights, rate in zip(learning, rates, strict=True)]
    return LearningTextVectors(encoder, layers, hidden, text_of_item, groups, plan.reuse)


def _vectors(model: TwoTower, texts: TextVectorSource, codes: ItemCodes) -> np.ndarray:
    """Item vectors of all texts with the weights as they are, float32 [texts, width]."""
    return model.item_vectors(texts.table(np.arange(len(codes.attributes))), codes.attributes)


def _phases(
    corpus: Corpus,
    examples: Parts,
    popularity: np.ndarray,
    lengths: np.ndarray,
    plan: FinetunePlan,
    vectors: Callable[[], np.ndarray],
) -> list[TrainingPhase]:
    """Next events within histories first, then impressions: there is far more of the former."""
    wanted = [
        ("histories", examples.within, plan.history_epochs, "timelines.parquet"),
        ("impressions", examples.train, plan.epochs, "impressions.parquet"),
    ]
    return [
        _phase(name, learned, epochs, file, corpus, popularity, lengths, plan, stream, vectors)
        for stream, (name, learned, epochs, file) in enumerate(wanted)
        if epochs and len(learned)
    ]


def _phase(
    name: str,
    examples: Examples,
    epochs: int,
    file: str,
    corpus: Corpus,
    popularity: np.ndarray,
    lengths: np.ndarray,
    plan: FinetunePlan,
    stream: int,
    vectors: Callable[[], np.ndarray],
) -> TrainingPhase:
    kind = NEGATIVE_SOURCES[plan.negatives.source]
    inputs = NegativeInputs(plan.negatives.count, popularity, examples, corpus.timelines, plan.max_history, vectors)
    source = kind.make(inputs, plan.negatives)
    size = Size(plan.batch_size, plan.batch_tokens, lengths)

    def epoch(number: int, done: int) -> EpochResult:
        seed = [plan.seed, stream, number]
        order = np.random.default_rng(seed).permutation(len(examples))
        begins = starts(examples, corpus.timelines, order, size, plan.max_history)
        batches = in_batches(examples, corpus.timelines, source, order, begins, plan.max_history, seed, done)
        return EpochResult(begins, batches)

    # Equal labels would only teach the head to say "yes" to whatever is popular.
    graded = float(np.ptp(examples.label)) > 0
    if not graded and all(LOSSES[loss].pointwise for loss in plan.rates.losses):
        raise ConfigError(
            f"finetune.losses: nothing to learn, as all labels of {name} are equal; add a loss of lists such as softmax"
        )
    return TrainingPhase(name, epochs, epoch, graded, kind.corrected, file, source.begin)


def _start_bias(model: TwoTower, scores: ValidationScores, batches: list[Batch]) -> None:
    """Let the first predictions be right on average; the order of candidates does not depend on it."""
    logits, labels = scores.known(batches)
    mean = float(np.clip(labels.mean(), 0.01, 0.99))
    model.head.bias.assign(np.log(mean / (1 - mean)) - float(logits.mean()))
