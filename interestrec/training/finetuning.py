"""Fine-tuning of the two-tower model: from a corpus and an encoder to trained weights and item vectors."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from interestrec.core.errors import ConfigError, DataError
from interestrec.core.progress import log
from interestrec.core.schemas import SPLITS
from interestrec.corpus.attributes import Attributes
from interestrec.corpus.categories import LEVELS, category_codes
from interestrec.corpus.store import Corpus
from interestrec.encoding.cache import VectorCache
from interestrec.encoding.encode import encode, encode_lower, encode_upper
from interestrec.encoding.inputs import TextInputs
from interestrec.model.bert import Bert
from interestrec.model.losses import LOSSES
from interestrec.model.two_tower import ItemCodes, TwoTower, TwoTowerConfig
from interestrec.training import examples as made
from interestrec.training.batches import Batch, in_batches
from interestrec.training.calibration import fit_platt
from interestrec.training.checkpoint import Checkpoints
from interestrec.training.examples import Examples
from interestrec.training.loop import Outcome, Phase, Rates, fit
from interestrec.training.negatives import Choice
from interestrec.training.texts import FrozenTexts, LearningTexts, Texts
from interestrec.training.validation import Scores, draw

TRAIN, VALID, _ = range(len(SPLITS))


@dataclass(frozen=True)
class Plan:
    """How to train; the names and meanings are those of the `finetune` settings."""

    epochs: int
    history_epochs: int
    batch_size: int
    max_history: int
    negatives: Choice
    trainable_layers: int
    hidden: tuple[int, ...]
    dropout: float
    patience: int
    rates: Rates
    seed: int


@dataclass(frozen=True)
class Trained:
    """A trained model with everything that its artifact stores."""

    model: TwoTower
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
    checkpoints: Checkpoints,
    cache: VectorCache | None = None,
) -> Trained:
    """Train the two-tower model on the train split, stopping on valid_select, calibrated on valid_blend.

    Args:
        cache: where vectors of frozen texts are found and kept; none of the results depends on it.

    Raises:
        ConfigError: all labels of a phase are equal, and no loss compares candidates.
        DataError: no example with a positive label in train or in valid.
        NumericError: a loss became NaN.
    """
    codes = ItemCodes(attributes.codes, category_codes(corpus.items["category"]))
    texts, frozen = _texts(bert, inputs, plan.trainable_layers, cache)
    width = bert.config.hidden_size
    config = TwoTowerConfig(width, plan.hidden, LEVELS, plan.max_history, plan.dropout, attributes.sizes)
    model = TwoTower(config, name="two_tower")
    scores = Scores(model, texts, codes)
    train = made.of_impressions(corpus.impressions, _usable(corpus, TRAIN))
    select = made.of_impressions(corpus.impressions, _usable(corpus, VALID, select=True))
    blend = made.of_impressions(corpus.impressions, _usable(corpus, VALID, select=False))
    for name, examples in {"train": train, "valid": select}.items():
        if not (examples.label > 0).any():
            raise DataError(f"{corpus.path}: no event with an intensity above 0 in {name}; check weights and the split")
    popularity = made.popularity(corpus)
    sampler = plan.negatives.of_validation(popularity)
    _start_bias(model, scores, draw(train, corpus.timelines, sampler, plan.max_history, plan.seed))
    held_out = draw(made.told_apart(select), corpus.timelines, sampler, plan.max_history, plan.seed)
    outcome = fit(
        model,
        texts,
        codes,
        _phases(corpus, train, popularity, plan),
        plan.rates,
        validate=lambda: scores.mean_auc(held_out, corpus.relevant_from),
        patience=plan.patience,
        checkpoints=checkpoints,
    )
    logits, labels = scores.known(draw(blend, corpus.timelines, sampler, plan.max_history, plan.seed))
    log.info("finetune: best valid AUC %.4f after epoch %d", outcome.best, outcome.best_epoch)
    return Trained(
        model=model,
        frozen_vectors=frozen,
        text_vectors=texts.all_vectors(),
        codes=codes,
        calibration=fit_platt(logits, labels),
        outcome=outcome,
    )


def _texts(
    bert: Bert, inputs: TextInputs, trainable_layers: int, cache: VectorCache | None
) -> tuple[Texts, np.ndarray]:
    """Where text vectors come from, and the vectors of the encoder as it came: float32 [items, width]."""
    if trainable_layers == 0:
        frozen = encode(bert, inputs, cache)
        return FrozenTexts(frozen), frozen
    distinct, text_of_item = inputs.distinct()
    layers = bert.config.num_hidden_layers - trainable_layers
    hidden = encode_lower(bert, distinct, layers)
    return LearningTexts(bert, layers, hidden, text_of_item), encode_upper(bert, hidden, layers)[text_of_item]


def _usable(corpus: Corpus, split: int, select: bool | None = None) -> np.ndarray:
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


def _phases(corpus: Corpus, train: Examples, popularity: np.ndarray, plan: Plan) -> list[Phase]:
    """Next events within histories first, then impressions: there is far more of the former."""
    chosen = corpus.impressions.split == TRAIN
    phases = []
    if plan.history_epochs:
        within = made.of_histories(corpus.impressions, corpus.timelines, chosen)
        phases.append(_phase("histories", within, plan.history_epochs, corpus, popularity, plan, stream=0))
    if plan.epochs:
        phases.append(_phase("impressions", train, plan.epochs, corpus, popularity, plan, stream=1))
    return [phase for phase in phases if phase.steps]


def _phase(
    name: str, examples: Examples, epochs: int, corpus: Corpus, popularity: np.ndarray, plan: Plan, stream: int
) -> Phase:
    source = plan.negatives.of_training(popularity, examples)

    def batches(epoch: int, done: int) -> Iterator[Batch]:
        seed = [plan.seed, stream, epoch]
        order = np.random.default_rng(seed).permutation(len(examples))
        return in_batches(examples, corpus.timelines, source, order, plan.batch_size, plan.max_history, seed, done)

    # Equal labels would only teach the head to say "yes" to whatever is popular.
    graded = len(examples) > 0 and float(np.ptp(examples.label)) > 0
    if len(examples) and not graded and all(LOSSES[loss].pointwise for loss in plan.rates.losses):
        raise ConfigError(
            f"finetune.losses: nothing to learn, as all labels of {name} are equal; add a loss of lists such as softmax"
        )
    return Phase(
        name,
        epochs,
        -(-len(examples) // plan.batch_size),
        batches,
        graded,
        corrected=plan.negatives.source == "in_batch",
    )


def _start_bias(model: TwoTower, scores: Scores, batches: list[Batch]) -> None:
    """Let the first predictions be right on average; the order of candidates does not depend on it."""
    logits, labels = scores.known(batches)
    mean = float(np.clip(labels.mean(), 0.01, 0.99))
    model.head.bias.assign(np.log(mean / (1 - mean)) - float(logits.mean()))
