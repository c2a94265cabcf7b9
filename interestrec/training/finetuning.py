"""Fine-tuning of the two-tower model: from a corpus and an encoder to trained weights and item vectors."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interestrec.core.errors import ConfigError, DataError
from interestrec.core.progress import log
from interestrec.core.schemas import SPLITS
from interestrec.corpus.attributes import Attributes
from interestrec.corpus.categories import LEVELS, category_codes
from interestrec.corpus.store import Corpus
from interestrec.encoding.cache import VectorCache
from interestrec.encoding.encode import encode
from interestrec.encoding.hidden import HiddenCache, encode_lower
from interestrec.encoding.inputs import TextInputs
from interestrec.model.bert import Bert, Lora
from interestrec.model.checkpoint import assign_learned
from interestrec.model.losses import LOSSES
from interestrec.model.two_tower import ItemCodes, TwoTower, TwoTowerConfig, start_from
from interestrec.training import examples as made
from interestrec.training.batches import Batch, Size, in_batches, starts
from interestrec.training.calibration import fit_platt
from interestrec.training.checkpoint import Checkpoints
from interestrec.training.examples import Examples
from interestrec.training.execution import Execution
from interestrec.training.loop import Epoch, Outcome, Phase, Rates, fit
from interestrec.training.negatives import Choice
from interestrec.training.optimizer import Group
from interestrec.training.texts import FrozenTexts, LearningTexts, Reuse, Texts
from interestrec.training.validation import Scores, draw

TRAIN, VALID, _ = range(len(SPLITS))


@dataclass(frozen=True)
class Plan:
    """How to train; the names and meanings are those of the `finetune` settings."""

    epochs: int
    history_epochs: int
    batch_size: int
    batch_tokens: int | None
    max_history: int
    negatives: Choice
    trainable_layers: int
    lora: Lora | None
    encoder_learning_rate: float
    layer_decay: float
    reuse: Reuse
    hidden: tuple[int, ...]
    dropout: float
    patience: int
    rates: Rates
    seed: int


@dataclass(frozen=True)
class Caches:
    """Where what frozen parts of the encoder gave is found and kept; no result depends on it."""

    vectors: VectorCache
    hidden: HiddenCache


@dataclass(frozen=True)
class Trained:
    """A trained model with everything that its artifact stores."""

    model: TwoTower
    bert: Bert  # with the layers that learned
    frozen_vectors: np.ndarray  # float32 [items, width], of the encoder as it came
    text_vectors: np.ndarray  # float32 [items, width], of the encoder as it is now
    codes: ItemCodes
    calibration: dict[str, float]
    outcome: Outcome


def finetune(
    corpus: Corpus,
    bert: Bert,
    inputs: TextInputs,
    attributes: Attributes,
    plan: Plan,
    execution: Execution,
    checkpoints: Checkpoints,
    caches: Caches | None = None,
    start: Path | None = None,
) -> Trained:
    """Train the two-tower model on the train split, stopping on valid_select, calibrated on valid_blend.

    Args:
        bert: built within the scope of the execution's strategy.
        start: a `model` artifact whose weights are where training starts, those of the encoder's layers among them.

    Raises:
        ArtifactError: the start model does not fit.
        ConfigError: all labels of a phase are equal, and no loss compares candidates; the start model is built
            differently, or more layers of its encoder learned than may learn now.
        DataError: no example with a positive label in train or in valid.
        NumericError: a loss became NaN.
        PeerLostError: another worker is gone.
    """
    codes = ItemCodes(attributes.codes, category_codes(corpus.items["category"]))
    width = bert.config.hidden_size
    config = TwoTowerConfig(width, plan.hidden, LEVELS, plan.max_history, plan.dropout, attributes.sizes)
    with execution.strategy.scope():
        model = TwoTower(config, name="two_tower")
        texts = _texts(bert, inputs, plan, caches)
    items = np.arange(len(inputs))
    frozen = texts.table(items)  # of the encoder as it came, whatever the start model made of it
    if start is not None:
        learned = assign_learned(bert, start_from(model, start))
        if learned > plan.trainable_layers:
            raise ConfigError(
                f"--from {start}: {learned} layers of its encoder learned; set finetune.trainable_layers to as many"
            )
        texts.table(items)  # is remembered where vectors are used again
    scores = Scores(model, texts, codes)
    train = made.of_impressions(corpus.impressions, usable(corpus, TRAIN))
    select = made.of_impressions(corpus.impressions, usable(corpus, VALID, select=True))
    blend = made.of_impressions(corpus.impressions, usable(corpus, VALID, select=False))
    for name, examples in {"train": train, "valid": select}.items():
        if not (examples.label > 0).any():
            raise DataError(f"{corpus.path}: no event with an intensity above 0 in {name}; check weights and the split")
    popularity = made.popularity(corpus)
    sampler = plan.negatives.of_validation(popularity)
    if start is None:
        _start_bias(model, scores, draw(train, corpus.timelines, sampler, plan.max_history, plan.seed))
    held_out = draw(made.told_apart(select), corpus.timelines, sampler, plan.max_history, plan.seed)
    outcome = fit(
        model,
        texts,
        codes,
        _phases(corpus, train, popularity, inputs.lengths, plan),
        plan.rates,
        execution,
        validate=lambda: scores.mean_auc(held_out, corpus.relevant_from),
        patience=plan.patience,
        checkpoints=checkpoints,
        seed=plan.seed,
    )
    logits, labels = scores.known(draw(blend, corpus.timelines, sampler, plan.max_history, plan.seed))
    log.info("finetune: best valid AUC %.4f after epoch %d", outcome.best, outcome.best_epoch)
    return Trained(
        model=model,
        bert=bert,
        frozen_vectors=frozen,
        text_vectors=texts.table(items),
        codes=codes,
        calibration=fit_platt(logits, labels),
        outcome=outcome,
    )


def _texts(bert: Bert, inputs: TextInputs, plan: Plan, caches: Caches | None) -> Texts:
    """Where text vectors come from."""
    if not plan.trainable_layers and bert.query is None:
        return FrozenTexts(encode(bert, inputs, caches.vectors if caches else None))
    distinct, text_of_item = inputs.distinct()
    layers = bert.config.num_hidden_layers - plan.trainable_layers
    hidden = encode_lower(bert, distinct, layers, caches.hidden if caches else None)
    learning = bert.learning(plan.trainable_layers, plan.lora, plan.seed)
    rates = [plan.encoder_learning_rate * plan.layer_decay**depth for depth in reversed(range(len(learning)))]
    groups = [Group([v.value for v in weights], rate) for weights, rate in zip(learning, rates, strict=True)]
    return LearningTexts(bert, layers, hidden, text_of_item, groups, plan.reuse)


def usable(corpus: Corpus, split: int, select: bool | None = None) -> np.ndarray:
    """bool [impressions]: of a split (and of one half of valid's users) and with something to tell apart.

    An impression that shows several candidates of one class teaches no order and is left out; a single candidate is
    an event, told apart from sampled negatives when it is positive, and graded in any case.
    """
    impressions = corpus.impressions
    chosen = impressions.split == split
    if select is not None:
        chosen &= corpus.in_valid_select[impressions.user] == select
    counts = np.diff(impressions.offsets)
    owner = np.repeat(np.arange(len(counts)), counts)
    positives = np.bincount(owner, impressions.label > 0, minlength=len(counts))
    return chosen & (((positives > 0) & (positives < counts)) | (counts == 1))


def _phases(corpus: Corpus, train: Examples, popularity: np.ndarray, lengths: np.ndarray, plan: Plan) -> list[Phase]:
    """Next events within histories first, then impressions: there is far more of the former."""
    within = made.of_histories(corpus.impressions, corpus.timelines, corpus.impressions.split == TRAIN)
    wanted = [
        ("histories", within, plan.history_epochs, "timelines.parquet"),
        ("impressions", train, plan.epochs, "impressions.parquet"),
    ]
    return [
        _phase(name, examples, epochs, file, corpus, popularity, lengths, plan, stream)
        for stream, (name, examples, epochs, file) in enumerate(wanted)
        if epochs and len(examples)
    ]


def _phase(
    name: str,
    examples: Examples,
    epochs: int,
    file: str,
    corpus: Corpus,
    popularity: np.ndarray,
    lengths: np.ndarray,
    plan: Plan,
    stream: int,
) -> Phase:
    source = plan.negatives.of_training(popularity, examples)
    size = Size(plan.batch_size, plan.batch_tokens, lengths)

    def epoch(number: int, done: int) -> Epoch:
        seed = [plan.seed, stream, number]
        order = np.random.default_rng(seed).permutation(len(examples))
        begins = starts(examples, corpus.timelines, order, size, plan.max_history)
        batches = in_batches(examples, corpus.timelines, source, order, begins, plan.max_history, seed, done)
        return Epoch(begins, batches)

    # Equal labels would only teach the head to say "yes" to whatever is popular.
    graded = float(np.ptp(examples.label)) > 0
    if not graded and all(LOSSES[loss].pointwise for loss in plan.rates.losses):
        raise ConfigError(
            f"finetune.losses: nothing to learn, as all labels of {name} are equal; add a loss of lists such as softmax"
        )
    return Phase(name, epochs, epoch, graded, plan.negatives.source == "in_batch", file)


def _start_bias(model: TwoTower, scores: Scores, batches: list[Batch]) -> None:
    """Let the first predictions be right on average; the order of candidates does not depend on it."""
    logits, labels = scores.known(batches)
    mean = float(np.clip(labels.mean(), 0.01, 0.99))
    model.head.bias.assign(np.log(mean / (1 - mean)) - float(logits.mean()))
