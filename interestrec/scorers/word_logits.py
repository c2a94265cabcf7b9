"""The two-tower model's logit of order as a function of the words of an item's text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from interestrec.core.errors import ConfigError
from interestrec.io import artifact_files, files
from interestrec.model.backend import tf
from interestrec.model.encoder import Encoder
from interestrec.model.head import CandidateSide
from interestrec.model.two_tower import History, TwoTower
from interestrec.model.two_tower_config import ItemArrays
from interestrec.model.two_tower_files import load_two_tower, read_learned
from interestrec.model.user_arrays import UserHistories
from interestrec.scorers.requests import Requests
from interestrec.scorers.two_tower_model import TwoTowerModel


class TextNetwork(NamedTuple):
    """What makes a logit of an item's text."""

    tower: TwoTower
    encoder: Encoder  # with what the model learned of it
    beside: np.ndarray  # float32 [items, width], vectors of the items' other modalities, which may have no columns


@dataclass(frozen=True)
class WordLogit:
    """The logit of one request and one item by the embeddings of the item's tokens; all else of the item is fixed."""

    network: TextNetwork
    items: ItemArrays
    history: History  # of the request
    item: int
    mask: np.ndarray  # float32 [1, length]
    moments: np.ndarray  # float32 [1, 1, ITEM_FEATURES]

    def __call__(self, words: tf.Tensor) -> tf.Tensor:
        """Return logits, float32 [points], of embeddings, float32 [points, length, hidden]."""
        points = tf.shape(words)[0]
        mask = tf.repeat(tf.constant(self.mask), points, axis=0)
        (tower, encoder, beside), items = self.network, self.items
        vectors = encoder.pool(encoder.of_words(words, mask), mask)
        others = tf.repeat(tf.constant(beside[[self.item]]), points, axis=0)
        text = tower.item_tower(tf.concat([vectors, others], axis=1))
        stored = tf.constant(items.texts[[self.item]])
        # The vector of a candidate is a sum of terms of its text and of its features, which stay as they are.
        features = items.candidates[[self.item]] - tower.fused_items.of_texts(stored)[1]
        candidates = CandidateSide(
            texts=text[None],
            vectors=(tower.fused_items.of_texts(text)[1] + features)[None],
            categories=tf.repeat(tf.constant(items.categories[[self.item]])[None], points, axis=1),
            prices=tf.repeat(tf.constant(items.prices[[self.item]])[None], points, axis=1),
        )
        moments = tf.repeat(tf.constant(self.moments), points, axis=1)
        order, _ = tower.head(tower.user(self.history), candidates)
        return (order + tower.moment_terms(moments, self.history.moments))[0]


def word_logit(
    model: TwoTowerModel, network: TextNetwork, requests: Requests, item: int, mask: np.ndarray
) -> WordLogit:
    """Return the logit of one request and one item.

    Args:
        network: of the model, as of `text_network`.
        mask: float32 [1, length], of the item's tokens.
    """
    moments = model.item_moments(int(requests.at[0]))[None, [item]]
    return WordLogit(network, model.items, _one_history(model.histories(requests)), item, mask, moments)


def _one_history(read: UserHistories) -> History:
    """Return the history of one user as the network reads it; an empty one has an entry of padding."""
    padding = int(not len(read.row))
    row, intensity, days = (np.pad(part, (0, padding)) for part in (read.row, read.intensity, read.days))
    items = read.items
    of_items = (items.texts[row], items.entries[row], items.categories[row], items.prices[row])
    parts = (*(part[None] for part in (*of_items, intensity, days)), read.features, read.moments)
    return History(*map(tf.constant, parts))


def text_network(model: Path, encoder: Encoder) -> TextNetwork:
    """Load what a model makes of texts.

    Args:
        encoder: the encoder of texts; it gets the layers and the pooling that the model learned.

    Raises:
        ArtifactError: a file is damaged, or a learned tensor does not match the encoder.
    """
    encoder.assign_learned(read_learned(model))
    vectors = files.read_safetensors(model / artifact_files.ITEM_VECTORS)
    beside = (
        vectors["modal"][:, encoder.width :] if "modal" in vectors else np.zeros((len(vectors["item"]), 0), np.float32)
    )
    return TextNetwork(load_two_tower(model), encoder, beside)


def require_users_of_items(model: TwoTowerModel) -> None:
    """Refuse a model that represents users by texts, whose words are not those of one item.

    Raises:
        ConfigError: the model is one.
    """
    if model.needs_encoder:
        raise ConfigError(
            "finetune.user_tower is text, so words of histories and of items are not told apart; words are explained "
            "for models whose users are the items of their histories"
        )


def require_order(model: TwoTowerModel) -> None:
    """Refuse a model that ranks by its tasks, whose lists the logit of order does not explain.

    Raises:
        ConfigError: the model is one.
    """
    if formula := model.model.config.rank_by:
        names = " * ".join(f"{name}^{power:g}" for name, power in formula)
        raise ConfigError(
            f"the model ranks by {names} (finetune.rank_by), but words explain the logit of order; explain without "
            "words, or train without rank_by"
        )
