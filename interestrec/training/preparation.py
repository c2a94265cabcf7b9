"""Preparation of fine-tuning: from its inputs to a model with initial weights and examples."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interestrec.core.errors import ConfigError
from interestrec.corpus.categories import LEVELS, category_codes
from interestrec.corpus.history_features import standardised_prices
from interestrec.corpus.moments import Moments
from interestrec.encoding.hidden_cache import encode_lower
from interestrec.encoding.text_vectors import encode
from interestrec.model.backend import tf
from interestrec.model.encoder import Encoder, EncoderInputs
from interestrec.model.modality import unit_blocks
from interestrec.model.rank_formula import parse_formula
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_config import ItemArrays, ItemCodes, Similarity, TextUser, TwoTowerConfig
from interestrec.model.two_tower_files import start_from
from interestrec.model.user_towers import USER_TOWERS
from interestrec.training.batches import Batch, BatchBuilder
from interestrec.training.example_sets import ExampleSets, corpus_examples, popularity
from interestrec.training.examples import Examples
from interestrec.training.execution import ExecutionSettings
from interestrec.training.finetune_settings import FinetuneSettings
from interestrec.training.item_texts import Caches
from interestrec.training.item_vectors import (
    FrozenTextVectors,
    LearningTextVectors,
    TextsBesideFrozenVectors,
    TextVectorSource,
)
from interestrec.training.negative_sampler import NegativeSampler
from interestrec.training.optimizer import WeightGroup
from interestrec.training.task_fitting import fitted_tasks, start_tasks, task_targets
from interestrec.training.training_inputs import TrainingInputs
from interestrec.training.user_text_examples import extend_codes, with_documents
from interestrec.training.validation import ValidationScores, validation_batches, validation_positions

# Negatives per batch: a catalogue that is taken whole, else a sample of items; fewer where each is compared with every
# event of the history, or encoded with a gradient.
_WHOLE_CATALOGUE, _MOST_SAMPLED, _MOST_COMPARED = 4096, 1024, 64
_PAIRS = 1 << 19  # of a batch, whose hidden values the head keeps for the gradient
VALIDATION_NEGATIVES = 1000  # of a batch


@dataclass(frozen=True)
class TrainingSetup:
    """A model with initial weights, and its examples."""

    inputs: TrainingInputs
    examples: ExampleSets
    lengths: np.ndarray  # int64 [texts], tokens of the items' texts, then of documents
    popularity: np.ndarray  # float64 [items]
    model: TwoTower
    texts: TextVectorSource
    codes: ItemCodes  # of the items
    text_codes: ItemCodes  # of all texts, documents included
    scores: ValidationScores  # by the current weights
    builder: BatchBuilder
    frozen_vectors: np.ndarray  # float32 [items, text width], of the encoder before training

    def batches(self, examples: Examples) -> list[Batch]:
        """Return the validation batches of examples, equal in every call."""
        sampler = NegativeSampler.from_popularity(self.popularity, VALIDATION_NEGATIVES, VALIDATION_NEGATIVES)
        return validation_batches(examples, self.builder, sampler, self.inputs.seed)

    def item_vectors(self) -> np.ndarray:
        """Return item vectors of all texts with the current weights, float32 [texts, text width]."""
        return self.model.item_tower(tf.constant(self.texts.current_vectors(slice(None)))).numpy()

    def item_arrays(self) -> ItemArrays:
        """Return all items as the head reads them with the current weights."""
        vectors = self.texts.current_vectors(slice(len(self.codes.categories)))
        return self.model.item_arrays(vectors, self.codes)

    @property
    def most_negatives(self) -> int:
        """Negatives per batch."""
        if self.texts.groups or self.model.config.similarity == "history":
            return _MOST_COMPARED
        return _WHOLE_CATALOGUE if self.drawable <= _WHOLE_CATALOGUE else _MOST_SAMPLED

    @property
    def drawable(self) -> int:
        """Number of items that can be negatives."""
        return int((self.popularity > 0).sum())

    @property
    def most_lists(self) -> int:
        """Examples per batch, so that the values of pairs fit in memory."""
        negatives = min(self.most_negatives, self.drawable)
        return max(_PAIRS // max(negatives, 1), 1)


def prepare(inputs: TrainingInputs, execution: ExecutionSettings) -> TrainingSetup:
    """Build the examples, the texts and the model with its initial weights.

    Raises:
        ArtifactError, ConfigError: the start model does not fit.
        ConfigError: positions are to be learned, and no impression has any; a task cannot be learned from the labels.
        DataError: as in `corpus_examples`.
    """
    corpus, settings = inputs.corpus, inputs.settings
    all_texts = None if inputs.texts is None else inputs.texts.inputs
    targets = task_targets(corpus, settings)
    examples = corpus_examples(corpus, inputs.reference_run is None, targets, settings.history_epochs > 0)
    tasks = fitted_tasks(settings, examples.train)
    if inputs.user_text is not None:
        all_texts, examples = _with_documents(inputs, examples, inputs.user_text)
    if settings.positions and not examples.train.position.any():
        raise ConfigError("finetune.positions: no impression of train shows several items in an order; set it to false")
    shares = popularity(corpus)
    prices = standardised_prices(corpus.items["price"], shares > 0)
    codes = ItemCodes(inputs.attributes.packed, category_codes(corpus.items["category"]), prices)
    modalities = inputs.modalities
    config = TwoTowerConfig(
        text_width=sum(width for _, width in modalities),
        width=settings.width,
        hidden=tuple(settings.hidden),
        levels=LEVELS,
        max_history=settings.max_history,
        dropout=settings.dropout,
        attributes=inputs.attributes.sizes,
        user_features=inputs.user_features.sizes,
        blocks=USER_TOWERS[settings.user_tower].blocks,
        similarity=_similarity(settings, examples),
        user_text=inputs.user_text,
        modalities=modalities if len(modalities) > 1 else (),
        tasks=tasks,
        experts=settings.experts,
        rank_by=() if settings.rank_by is None else parse_formula(settings.rank_by, [task.name for task in tasks]),
    )
    with execution.strategy.scope():
        model = TwoTower(config, name="two_tower")
        texts = _vector_source(inputs, all_texts)
    count = inputs.items if all_texts is None else len(all_texts)
    text_codes = extend_codes(codes, count)
    setup = TrainingSetup(
        inputs=inputs,
        examples=examples,
        lengths=np.ones(count, np.int64) if all_texts is None else all_texts.lengths,
        popularity=shares,
        model=model,
        texts=texts,
        codes=codes,
        text_codes=text_codes,
        scores=ValidationScores(model, texts, text_codes, inputs.user_features.packed),
        builder=BatchBuilder(
            corpus.timelines,
            Moments.of(corpus),
            settings.max_history,
            corpus.relevant_from,
            repeats=inputs.repeats,
            corrects=examples.ranks_catalogue,
            positions=settings.positions,
        ),
        # Before the start model's weights are read, which may include trained encoder layers.
        frozen_vectors=unit_blocks(texts.current_vectors(slice(inputs.items)), modalities),
    )
    model.fused_items.centre.assign(_centre(setup.frozen_vectors, shares > 0))
    if inputs.start is None:
        _start_bias(model, setup.scores, setup.batches(examples.train))
        if model.task_heads is not None:
            start_tasks(model.task_heads, examples.train, setup.drawable)
    else:
        _start_weights(inputs.start, setup)
    return setup


def _centre(vectors: np.ndarray, liked: np.ndarray) -> np.ndarray:
    """Return the mean of the normalised vectors of items that were liked, float32 [width], without a copy of them."""
    norms = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
    return (liked / norms).astype(np.float32) @ vectors / np.float32(max(liked.sum(), 1))


def _similarity(settings: FinetuneSettings, examples: ExampleSets) -> Similarity:
    """Return what a candidate's text is compared with; unless it is set, the history for logs of impressions.

    Whole catalogues are ranked and learned many times as fast by one product per pair.
    """
    if settings.similarity is not None:
        return settings.similarity
    return "user" if examples.ranks_catalogue else "history"


def _with_documents(inputs: TrainingInputs, examples: ExampleSets, user: TextUser) -> tuple[EncoderInputs, ExampleSets]:
    """Append the documents of all examples in use to the items' texts."""
    settings, seed = inputs.settings, inputs.seed
    train, histories, select, blend = examples
    parts = [
        (train, np.arange(len(train))),
        (histories, np.arange(len(histories) if settings.history_epochs else 0)),
        (select, validation_positions(select, seed)),
        (blend, validation_positions(blend, seed)),
    ]
    timelines = inputs.corpus.timelines
    assert inputs.texts is not None
    texts, with_texts = with_documents(inputs.texts.inputs, parts, timelines, settings.max_history, user.tokens)
    return texts, ExampleSets(*with_texts)


def _vector_source(inputs: TrainingInputs, texts: EncoderInputs | None) -> TextVectorSource:
    """Create the source of the vectors of the items, by `texts` and other modalities, and of documents."""
    settings, others = inputs.settings, inputs.others.vectors
    if inputs.texts is None or texts is None:
        return FrozenTextVectors(others)
    encoder, caches = inputs.texts.encoder, inputs.texts.caches
    if not settings.trainable_layers and not encoder.learns_pooling:
        vectors = encode(inputs.texts.frozen or encoder, texts, caches.vectors if caches else None)
        return FrozenTextVectors(np.concatenate([vectors, others], axis=1) if others.shape[1] else vectors)
    learning = _learning_vectors(settings, encoder, texts, caches, inputs.seed)
    return TextsBesideFrozenVectors(learning, others) if others.shape[1] else learning


def _learning_vectors(
    settings: FinetuneSettings, encoder: Encoder, texts: EncoderInputs, caches: Caches | None, seed: int
) -> LearningTextVectors:
    """Create the source of vectors of texts by layers that learn."""
    distinct, text_of_item = texts.distinct()
    layers = encoder.depth - settings.trainable_layers
    hidden = encode_lower(encoder, distinct, layers, caches.hidden if caches else None)
    layer_weights = encoder.unfreeze(settings.trainable_layers, settings.lora, seed)
    rates = [
        settings.encoder_learning_rate * settings.layer_decay**depth for depth in reversed(range(len(layer_weights)))
    ]
    groups = [WeightGroup([v.value for v in weights], rate) for weights, rate in zip(layer_weights, rates, strict=True)]
    return LearningTextVectors(encoder, layers, hidden, text_of_item, groups, settings.vector_cache)


def _start_weights(path: Path, setup: TrainingSetup) -> None:
    """Set the weights from a `model` artifact, including its trained encoder layers."""
    stored, texts = start_from(setup.model, path), setup.inputs.texts
    learned = 0 if texts is None else texts.encoder.assign_learned(stored)
    if learned > setup.inputs.settings.trainable_layers:
        raise ConfigError(
            f"--from {path}: has {learned} trained encoder layers; set finetune.trainable_layers to at least {learned}"
        )
    setup.texts.current_vectors(slice(None))  # updates stored vectors


def _start_bias(model: TwoTower, scores: ValidationScores, batches: list[Batch]) -> None:
    """Set the bias of the strength so that initial predictions are correct on average."""
    logits, labels = scores.labelled(batches)
    mean = float(np.clip(labels.mean(), 0.01, 0.99))
    model.head.strength_bias.assign(np.log(mean / (1 - mean)) - float(logits.mean()))
