"""The two-tower model of interest intensity: y_ui = σ(head(x_u, x_i))."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.corpus.feature_codes import FeatureShape
from interestrec.io import files
from interestrec.model.backend import keras, tf
from interestrec.model.entity_features import cells as feature_cells
from interestrec.model.head import InterestHead, Similarity
from interestrec.model.item_tower import ItemTower
from interestrec.model.noise import Noise, branch
from interestrec.model.user_tower import ItemsUserTower, TextUser

CONFIG = "config.json"
WEIGHTS = "weights.safetensors"
_ENCODER_PREFIX = "encoder."  # of the names of the encoder's tensors
# Keys of the configuration that determine the shapes and the meaning of weights.
_STRUCTURE_KEYS = ("width", "hidden", "levels", "attributes", "similarity", "user_text")


@dataclass(frozen=True)
class TwoTowerConfig:
    """Everything needed to build the model before its weights are loaded."""

    width: int  # of the encoder's vectors
    hidden: tuple[int, ...]  # of the MLP
    levels: int  # of the category path
    max_history: int
    dropout: float
    attributes: tuple[FeatureShape, ...]
    similarity: Similarity = "history"  # the head compares a candidate with it
    user_text: TextUser | None = None  # how a history becomes a text; None = users are the items of their histories


class ItemCodes(NamedTuple):
    """Codes of all items."""

    attributes: np.ndarray  # int32 [items, columns], the features that the item tower reads, packed
    categories: np.ndarray  # int32 [items, levels], -1 if an item has none; the head matches equal codes


class TowerSide(NamedTuple):
    """Items on one side of the head: vectors float32 [..., width] and category codes int32 [..., levels]."""

    vectors: tf.Tensor
    categories: tf.Tensor


class TwoTower(keras.layers.Layer):
    """Item tower, user tower and head over vectors of item texts.

    A user represented by a text has a history of one item: the text, with intensity 1 and no attributes or category.
    """

    def __init__(self, config: TwoTowerConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.item_tower = ItemTower(config.width, config.dropout, config.attributes, name="item_tower")
        self.user_tower = ItemsUserTower(config.width, name="user_tower")
        self.head = InterestHead(
            config.width, list(config.hidden), config.levels, config.dropout, config.similarity, name="head"
        )
        self.item_tower.build()
        self.head.build()
        self.built = True

    def call(
        self,
        vectors: tf.Tensor,
        attributes: tf.Tensor,
        categories: tf.Tensor,
        history: tf.Tensor,
        intensity: tf.Tensor,
        candidates: tf.Tensor,
        noise: Noise = None,
    ) -> tf.Tensor:
        """Return the logits of a batch, whose distinct items are encoded once.

        Args:
            vectors: float32 [items, width], text vectors of the batch's distinct items.
            attributes: int32 [items, columns], codes of the items' attributes; no columns if there are none.
            categories: int32 [items, levels], -1 if an item has none.
            history: int32 [impressions, length], rows of `vectors`.
            intensity: float32 [impressions, length], 0 at padding.
            candidates: int32 [impressions, candidates], rows of `vectors`.

        Returns:
            float32 [impressions, candidates].
        """
        items = self.item_tower(vectors, attributes, branch(noise, 0))
        return self.score(
            TowerSide(tf.gather(items, history), tf.gather(categories, history)),
            intensity,
            TowerSide(tf.gather(items, candidates), tf.gather(categories, candidates)),
            noise=branch(noise, 1),
        )

    def item_vectors(self, vectors: np.ndarray, attributes: np.ndarray) -> np.ndarray:
        """Return x_i of all items, float32 [items, width], from text vectors and int32 [items, columns]."""
        return self.item_tower(tf.constant(vectors), tf.constant(attributes)).numpy()

    def scorer(self) -> Callable[..., np.ndarray]:
        """Return `score` compiled, without dropout, as a function of arrays (history, intensity, candidates)."""
        compiled = tf.function(self.score, reduce_retracing=True)

        def scores(history: TowerSide, intensity: np.ndarray, candidates: TowerSide) -> np.ndarray:
            return compiled(_tensors(history), tf.constant(intensity), _tensors(candidates)).numpy()

        return scores

    def score(self, history: TowerSide, intensity: tf.Tensor, candidates: TowerSide, noise: Noise = None) -> tf.Tensor:
        """Return logits from item vectors.

        Args:
            history: side of [users, length] items.
            intensity: float32 [users, length], 0 at padding.
            candidates: side of [users, candidates] items, or of [1, candidates] items that all users share.

        Returns:
            float32 [users, candidates].
        """
        weights = self.user_tower.attention_logits(history.vectors, intensity)
        user = self.user_tower(history.vectors, intensity)
        return self.head(
            user,
            history.vectors,
            weights,
            candidates.vectors,
            history.categories,
            candidates.categories,
            noise=noise,
        )


def _tensors(side: TowerSide) -> TowerSide:
    return TowerSide(tf.constant(side.vectors), tf.constant(side.categories))


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
        if "user_text" in values:
            values["user_text"] = TextUser.from_json(values["user_text"])
        config = TwoTowerConfig(**{**values, "hidden": tuple(values["hidden"]), "attributes": tables})
        steps = [2 * config.width, *config.hidden]
        cells = sum(a * b for a, b in pairwise(steps)) + config.width**2 + config.levels
        cells += sum(feature_cells(shape, config.width) for shape in tables)
        smallest = min(len(config.hidden), *steps, config.levels + 1, config.max_history)
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
