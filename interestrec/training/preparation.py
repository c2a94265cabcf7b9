"""What fine-tuning starts from: the plan, the inputs, and of them a model that is ready to learn from examples."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interestrec.core.errors import ConfigError
from interestrec.corpus.categories import LEVELS, category_codes
from interestrec.corpus.item_attributes import ItemAttributes
from interestrec.corpus.store import Corpus
from interestrec.encoding.hidden_cache import HiddenCache, encode_lower
from interestrec.encoding.text_inputs import TextInputs
from interestrec.encoding.text_vectors import encode
from interestrec.encoding.vector_cache import VectorCache
from interestrec.model.bert import Bert, LoraAdapter
from interestrec.model.encoder_checkpoint import assign_learned
from interestrec.model.head import Similarity
from interestrec.model.two_tower import ItemCodes, TwoTower, TwoTowerConfig, start_from
from interestrec.model.user_tower import TextUser
from interestrec.training import examples as made
from interestrec.training.batches import Batch
from interestrec.training.examples import Examples, Parts
from interestrec.training.execution import ExecutionSettings
from interestrec.training.item_vectors import (
    FrozenTextVectors,
    LearningTextVectors,
    StaleVectorPolicy,
    TextVectorSource,
)
from interestrec.training.negatives import NegativeChoice
from interestrec.training.optimizer import Group
from interestrec.training.phases import Rates
from interestrec.training.user_text_examples import codes_beyond, with_documents
from interestrec.training.validation import ValidationScores, draw, looked_at
from interestrec.workspace.reference_run import ReferenceRun


@dataclass(frozen=True)
class Plan:
    """How to train; the names and meanings are those of the `finetune` settings."""

    epochs: int
    history_epochs: int
    batch_size: int
    batch_tokens: int | None
    max_history: int
    negatives: NegativeChoice
    trainable_layers: int
    lora: LoraAdapter | None
    encoder_learning_rate: float
    layer_decay: float
    reuse: StaleVectorPolicy
    hidden: tuple[int, ...]
    dropout: float
    patience: int
    rates: Rates
    seed: int
    similarity: Similarity
    calibration: str  # of metrics/calibration.py
    user_text: TextUser | None = None
    verified: ReferenceRun | None = None  # whose choices stand in for those on valid


@dataclass(frozen=True)
class Caches:
    """Where what frozen parts of the encoder gave is found and kept; no result depends on it."""

    vectors: VectorCache
    hidden: HiddenCache


@dataclass(frozen=True)
class TrainingInputs:
    """What training reads."""

    corpus: Corpus
    bert: Bert  # built within the scope of the execution's strategy
    item_texts: TextInputs
    attributes: ItemAttributes  # of the items
    caches: Caches | None = None
    start: Path | None = None  # a `model` artifact to start from: its weights, and those of the layers that learned


@dataclass(frozen=True)
class TrainingSetup:
    """A model that is ready to learn, and what it learns from."""

    plan: Plan
    corpus: Corpus
    examples: Parts
    lengths: np.ndarray  # int64 [texts], tokens of the items' texts, then of documents
    popularity: np.ndarray  # float64 [items]
    model: TwoTower
    texts: TextVectorSource
    codes: ItemCodes  # of the items
    text_codes: ItemCodes  # of all texts, documents included
    scores: ValidationScores  # of the model as it is
    frozen_vectors: np.ndarray  # float32 [items, width], of the encoder as it came

    def batches(self, examples: Examples) -> list[Batch]:
        """Batches for validation, the same ones every time."""
        plan = self.plan
        sampler = plan.negatives.of_validation(self.popularity)
        return draw(examples, self.corpus.timelines, sampler, plan.max_history, plan.seed)

    def item_vectors(self) -> np.ndarray:
        """Item vectors of all texts with the weights as they are, float32 [texts, width]."""
        attributes = self.text_codes.attributes
        return self.model.item_vectors(self.texts.table(np.arange(len(attributes))), attributes)


def prepare(inputs: TrainingInputs, plan: Plan, execution: ExecutionSettings) -> TrainingSetup:
    """Build the examples, the texts and the model, with the weights that training starts from.

    Raises:
        ArtifactError, ConfigError: the start model does not fit.
        DataError: as `examples.of_corpus`.
    """
    corpus, bert = inputs.corpus, inputs.bert
    all_texts, examples = inputs.item_texts, made.corpus_examples(corpus, validated=plan.verified is None)
    if plan.user_text is not None:
        all_texts, examples = _with_documents(all_texts, examples, corpus, plan)
    codes = ItemCodes(inputs.attributes.codes, category_codes(corpus.items["category"]))
    config = TwoTowerConfig(
        width=bert.config.hidden_size,
        hidden=plan.hidden,
        levels=LEVELS,
        max_history=plan.max_history,
        dropout=plan.dropout,
        attributes=inputs.attributes.sizes,
        similarity=plan.similarity,
        user_text=plan.user_text,
    )
    with execution.strategy.scope():
        model = TwoTower(config, name="two_tower")
        texts = _texts(bert, all_texts, plan, inputs.caches)
    text_codes = codes_beyond(codes, len(all_texts))
    setup = TrainingSetup(
        plan=plan,
        corpus=corpus,
        examples=examples,
        lengths=all_texts.lengths,
        popularity=made.popularity(corpus),
        model=model,
        texts=texts,
        codes=codes,
        text_codes=text_codes,
        scores=ValidationScores(model, texts, text_codes),
        # Before the start model's weights are read: its encoder's layers may have learned.
        frozen_vectors=texts.table(np.arange(len(inputs.item_texts))),
    )
    if inputs.start is None:
        _start_bias(model, setup.scores, setup.batches(examples.train))
    else:
        _start_weights(inputs.start, bert, setup)
    return setup


def _with_documents(inputs: TextInputs, examples: Parts, corpus: Corpus, plan: Plan) -> tuple[TextInputs, Parts]:
    """The texts with the documents of all examples that will be looked at."""
    assert plan.user_text is not None
    train, within, select, blend = examples
    parts = [
        (train, np.arange(len(train))),
        (within, np.arange(len(within) if plan.history_epochs else 0)),
        (select, looked_at(select, plan.seed)),
        (blend, looked_at(blend, plan.seed)),
    ]
    texts, read = with_documents(inputs, parts, corpus.timelines, plan.max_history, plan.user_text.tokens)
    return texts, Parts(*read)


def _texts(bert: Bert, inputs: TextInputs, plan: Plan, caches: Caches | None) -> TextVectorSource:
    """Where text vectors come from."""
    if not plan.trainable_layers and bert.query is None:
        return FrozenTextVectors(encode(bert, inputs, caches.vectors if caches else None))
    distinct, text_of_item = inputs.distinct()
    layers = bert.config.num_hidden_layers - plan.trainable_layers
    hidden = encode_lower(bert, distinct, layers, caches.hidden if caches else None)
    learning = bert.learning(plan.trainable_layers, plan.lora, plan.seed)
    rates = [plan.encoder_learning_rate * plan.layer_decay**depth for depth in reversed(range(len(learning)))]
    groups = [Group([v.value for v in weights], rate) for weights, rate in zip(learning, rates, strict=True)]
    return LearningTextVectors(bert, layers, hidden, text_of_item, groups, plan.reuse)


def _start_weights(path: Path, bert: Bert, setup: TrainingSetup) -> None:
    """Take the weights of a `model` artifact, those of the encoder's layers that learned among them."""
    learned = assign_learned(bert, start_from(setup.model, path))
    if learned > setup.plan.trainable_layers:
        raise ConfigError(
            f"--from {path}: {learned} layers of its encoder learned; set finetune.trainable_layers to as many"
        )
    setup.texts.table(np.arange(len(setup.lengths)))  # is remembered where vectors are used again


def _start_bias(model: TwoTower, scores: ValidationScores, batches: list[Batch]) -> None:
    """Let the first predictions be right on average; the order of candidates does not depend on it."""
    logits, labels = scores.known(batches)
    mean = float(np.clip(labels.mean(), 0.01, 0.99))
    model.head.bias.assign(np.log(mean / (1 - mean)) - float(logits.mean()))
