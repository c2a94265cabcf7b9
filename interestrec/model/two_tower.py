"""The two-tower model of interest intensity: logits of head(x_u, x_i), from texts, ids, features and the moment."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.corpus.feature_codes import FeatureShape
from interestrec.io import files
from interestrec.model.backend import keras, tf
from interestrec.model.entity_features import cells as feature_cells
from interestrec.model.fused_items import FusedItems
from interestrec.model.head import CandidateSide, InterestHead, Similarity, UserSide, price_level
from interestrec.model.history_tower import HistoryTower
from interestrec.model.item_tower import ItemTower
from interestrec.model.moment_terms import MomentTerms
from interestrec.model.noise import Noise, branch
from interestrec.model.user_tower import TextMean, TextUser

CONFIG = "config.json"
WEIGHTS = "weights.safetensors"
_ENCODER_PREFIX = "encoder."  # of the names of the encoder's tensors
# Keys of the configuration that determine the shapes and the meaning of weights.
_STRUCTURE_KEYS = (
    *("text_width", "width", "hidden", "levels", "attributes", "user_features", "blocks", "max_history"),
    *("similarity", "user_text"),
)


@dataclass(frozen=True)
class TwoTowerConfig:
    """Everything needed to build the model before its weights are loaded."""

    text_width: int  # of the encoder's vectors
    width: int  # of the fused vectors
    hidden: tuple[int, ...]  # of the MLP
    levels: int  # of the category path
    max_history: int
    dropout: float
    attributes: tuple[FeatureShape, ...]  # of items
    user_features: tuple[FeatureShape, ...] = ()
    blocks: int = 0  # transformer blocks of the user tower
    similarity: Similarity = "history"  # the head compares a candidate's text with it
    user_text: TextUser | None = None  # how a history becomes a text; None = users are the items of their histories


class ItemCodes(NamedTuple):
    """What the model reads of all items besides their texts."""

    attributes: np.ndarray  # int32 [items, columns], the features that the towers read, packed
    categories: np.ndarray  # int32 [items, levels], -1 if an item has none; the head matches equal codes
    prices: np.ndarray  # float32 [items], standardised log prices, NaN if an item has none


class ItemArrays(NamedTuple):
    """Items as the head reads them: arrays, or tensors in training."""

    texts: Any  # float32 [items, text width]
    entries: Any  # float32 [items, width], as entries of histories
    candidates: Any  # float32 [items, width]
    categories: Any  # int32 [items, levels]
    prices: Any  # float32 [items]


class History(NamedTuple):
    """Histories of users, oldest entry first, and what is known of the users besides."""

    texts: tf.Tensor  # float32 [users, length, text width]
    entries: tf.Tensor  # float32 [users, length, width]
    categories: tf.Tensor  # int32 [users, length, levels]
    prices: tf.Tensor  # float32 [users, length]
    intensity: tf.Tensor  # float32 [users, length], 0 at padding
    days: tf.Tensor  # float32 [users, length], ln(1 + days) since each entry, 0 where unknown
    features: tf.Tensor  # int32 [users, columns], packed
    moments: tf.Tensor  # float32 [users, USER_FEATURES], see corpus/moments.py


class CompiledParts(NamedTuple):
    """Parts of a model as compiled functions, which are traced once per model and shape."""

    user: Any
    score: Any
    attention_similarity: Any
    mlp: Any


class TwoTower(keras.layers.Layer):
    """Item tower, fused vectors, user tower, head and the moment's terms.

    A user represented by a text has a history of one entry: the text, with intensity 1 and no features or category.
    """

    def __init__(self, config: TwoTowerConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        rate = config.dropout
        self.item_tower = ItemTower(config.text_width, rate, config.similarity == "history", name="item_tower")
        self.fused_items = FusedItems(config.text_width, config.width, rate, config.attributes, name="fused_items")
        self.text_mean = TextMean(config.text_width, name="text_mean")
        self.user_tower = HistoryTower(
            config.width, rate, config.user_features, config.blocks, config.max_history, name="user_tower"
        )
        self.head = InterestHead(config.width, list(config.hidden), config.levels, config.similarity, name="head")
        self.moment_terms = MomentTerms(rate, name="moment_terms")
        for layer in (self.item_tower, self.fused_items, self.user_tower, self.head):
            layer.build()
        self.built = True

    def call(
        self,
        vectors: tf.Tensor,
        attributes: tf.Tensor,
        categories: tf.Tensor,
        prices: tf.Tensor,
        history: tf.Tensor,
        intensity: tf.Tensor,
        days: tf.Tensor,
        features: tf.Tensor,
        candidates: tf.Tensor,
        shared: tf.Tensor,
        moments: tf.Tensor,
        user_moments: tf.Tensor,
        noise: Noise = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the logits of a batch, whose distinct items are encoded once.

        Args:
            vectors: float32 [items, text width], text vectors of the batch's distinct items.
            attributes: int32 [items, columns], packed features; no columns if there are none.
            categories: int32 [items, levels], -1 if an item has none.
            prices: float32 [items], NaN if an item has none.
            history: int32 [impressions, length], rows of `vectors`.
            intensity, days: float32 [impressions, length], see History.
            features: int32 [impressions, columns], packed features of the users.
            candidates: int32 [impressions, candidates], rows of `vectors`.
            shared: int32 [shared], rows of `vectors`: further candidates of all impressions.
            moments: float32 [impressions, candidates + shared, ITEM_FEATURES].
            user_moments: float32 [impressions, USER_FEATURES].

        Returns:
            Logits of order and of strength, float32 [impressions, candidates + shared].
        """
        items = self.items(vectors, attributes, categories, prices, branch(noise, 0))
        read = History(
            texts=tf.gather(items.texts, history),
            entries=tf.gather(items.entries, history),
            categories=tf.gather(items.categories, history),
            prices=tf.gather(items.prices, history),
            intensity=intensity,
            days=days,
            features=features,
            moments=user_moments,
        )
        user = self.user(read, branch(noise, 1))
        order, strength = tf.cond(
            tf.size(shared) > 0,
            lambda: self._beside_shared(user, items, candidates, shared),
            lambda: self.head(user, candidate_side(items, candidates)),
        )
        return order + self.moment_terms(moments, user_moments, branch(noise, 2)), strength

    def _beside_shared(
        self, user: UserSide, items: ItemArrays, candidates: tf.Tensor, shared: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the logits of own candidates, then of shared ones; arguments as in `call`.

        Both are looked up in the logits of all of them together. Computed apart, equal items would differ in their last
        bits, by which a model that tells nothing apart would rank all own candidates above or below the others.
        """
        rows, place = tf.unique(tf.concat([shared, tf.reshape(candidates, [-1])], axis=0))
        of_own = tf.reshape(place[tf.size(shared) :], tf.shape(candidates))
        logits = self.head(user, candidate_side(items, rows[None]))
        order, strength = (
            tf.concat([tf.gather(of_all, of_own, batch_dims=1), of_all[:, : tf.size(shared)]], axis=1)
            for of_all in logits
        )
        return order, strength

    def items(
        self, vectors: tf.Tensor, attributes: tf.Tensor, categories: tf.Tensor, prices: tf.Tensor, noise: Noise = None
    ) -> ItemArrays:
        """Return items as the head reads them; arguments as in `call`."""
        texts = self.item_tower(vectors, branch(noise, 0))
        entries, candidates = self.fused_items(texts, attributes, branch(noise, 1))
        return ItemArrays(texts, entries, candidates, categories, prices)

    def user(self, history: History, noise: Noise = None) -> UserSide:
        """Return users as the head reads them."""
        return UserSide(
            texts=history.texts,
            weights=self.text_mean.attention_logits(history.texts, history.intensity),
            text=self.text_mean(history.texts, history.intensity),
            vector=self.user_tower(history.entries, history.intensity, history.days, history.features, noise),
            categories=history.categories,
            price=price_level(history.prices, history.intensity),
        )

    def score(self, history: History, candidates: CandidateSide, moments: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return logits of order and of strength without dropout, float32 [users, candidates] each.

        Args:
            candidates: of [users, candidates] items, or of [1, candidates] items that all users share.
            moments: float32, as the candidates, [users or 1, candidates, ITEM_FEATURES].
        """
        order, strength = self.head(self.user(history), candidates)
        return order + self.moment_terms(moments, history.moments), strength

    @cached_property
    def compiled(self) -> CompiledParts:
        """`user`, `score` and parts of the head, compiled."""
        parts = (self.user, self.score, self.head.attention_similarity, self.head.mlp)
        return CompiledParts(*(tf.function(part, reduce_retracing=True) for part in parts))

    def item_arrays(self, vectors: np.ndarray, codes: ItemCodes) -> ItemArrays:
        """Return all items as the head reads them, from their text vectors and codes."""
        items = self.items(*(tf.constant(part) for part in (vectors, *codes)))
        return ItemArrays(*(part.numpy() for part in items))


def candidate_side(items: ItemArrays, rows: Any) -> CandidateSide:
    """Return the items at `rows`, int32 [users or 1, candidates], as candidates."""
    return CandidateSide(
        *(tf.gather(part, rows) for part in (items.texts, items.candidates, items.categories, items.prices))
    )


def save_two_tower(model: TwoTower, directory: Path, extra: Mapping[str, np.ndarray]) -> None:
    """Write configuration and weights; `extra` are trained encoder tensors by their Hugging Face names."""
    config = asdict(model.config)
    if model.config.user_text is None:
        del config["user_text"]
    files.write_json(directory / CONFIG, config)
    tensors = {weight.path: np.asarray(weight.numpy()) for weight in model.weights}
    files.write_safetensors(directory / WEIGHTS, {**tensors, **{f"{_ENCODER_PREFIX}{k}": v for k, v in extra.items()}})


def read_learned(directory: Path) -> dict[str, np.ndarray]:
    """Read the trained encoder tensors of a `model` artifact by their Hugging Face names."""
    tensors = files.read_safetensors(directory / WEIGHTS)
    return {
        name.removeprefix(_ENCODER_PREFIX): value for name, value in tensors.items() if name.startswith(_ENCODER_PREFIX)
    }


def load_two_tower(directory: Path) -> TwoTower:
    """Build the model of a `model` artifact and load its checked weights.

    Raises:
        ArtifactError: a weight is missing or has another shape.
    """
    model = TwoTower(_read_config(directory), name="two_tower")
    _assign(model, files.read_safetensors(directory / WEIGHTS), directory)
    return model


def _read_config(directory: Path) -> TwoTowerConfig:
    """Read the configuration and check it against the size of the weights, before the model is built."""
    values = files.read_json(directory / CONFIG)
    try:
        tables = tuple(FeatureShape.of(*shape) for shape in values["attributes"])
        user_tables = tuple(FeatureShape.of(*shape) for shape in values["user_features"])
        if "user_text" in values:
            values["user_text"] = TextUser.from_json(values["user_text"])
        changed = {"hidden": tuple(values["hidden"]), "attributes": tables, "user_features": user_tables}
        config = TwoTowerConfig(**{**values, **changed})
        steps = [2 * config.width, *config.hidden]
        cells = sum(a * b for a, b in pairwise(steps)) + config.levels
        cells += config.text_width**2 if config.similarity == "history" else 0
        cells += 2 * config.text_width * config.width
        cells += sum(2 * feature_cells(shape, config.width) for shape in tables)
        cells += sum(feature_cells(shape, config.width) for shape in user_tables)
        smallest = min(len(config.hidden), *steps, config.levels + 1, config.max_history, config.blocks + 1)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{directory / CONFIG}: is not the configuration of a model; finetune again") from error
    if smallest < 1 or 4 * cells > (directory / WEIGHTS).stat().st_size:
        raise ArtifactError(f"{directory / CONFIG}: describes a model other than the one in {WEIGHTS}; finetune again")
    return config


def start_from(model: TwoTower, directory: Path) -> dict[str, np.ndarray]:
    """Set the weights of a model from a `model` artifact and return the artifact's trained encoder tensors.

    Raises:
        ConfigError: the two models have different structures.
        ArtifactError: a weight is missing or has another shape.
    """
    stored = files.read_json(directory / CONFIG)
    current = json.loads(json.dumps(asdict(model.config)))  # lists for tuples, as in the file
    if differing := [key for key in current if key in _STRUCTURE_KEYS and current[key] != stored.get(key)]:
        differences = ", ".join(f"{key} is {current[key]} here and {stored.get(key)} there" for key in differing)
        raise ConfigError(f"--from {directory}: the model has another structure: {differences}; train without --from")
    _assign(model, files.read_safetensors(directory / WEIGHTS), directory)
    return read_learned(directory)


def _assign(model: TwoTower, tensors: Mapping[str, np.ndarray], directory: Path) -> None:
    for weight in model.weights:
        if weight.path not in tensors or tensors[weight.path].shape != tuple(weight.shape):
            raise ArtifactError(f"{directory / WEIGHTS}: '{weight.path}' is missing or misshapen; finetune again")
        if not np.isfinite(tensors[weight.path]).all():
            raise ArtifactError(
                f"{directory / WEIGHTS}: '{weight.path}' has values that are not finite; finetune again"
            )
        weight.assign(tensors[weight.path])
