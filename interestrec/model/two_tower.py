"""The two-tower model of interest intensity: logits of head(x_u, x_i), from texts, ids, features and the moment."""

from typing import Any, NamedTuple

import numpy as np

from interestrec.model.backend import keras, tf
from interestrec.model.fused_items import FusedItems
from interestrec.model.head import CandidateSide, InterestHead, UserSide, price_level
from interestrec.model.history_tower import HistoryTower
from interestrec.model.item_tower import ItemTower
from interestrec.model.moment_terms import MomentTerms
from interestrec.model.noise import Noise, branch
from interestrec.model.position_bias import PositionBias
from interestrec.model.task_heads import TaskHeads
from interestrec.model.two_tower_config import ItemArrays, ItemCodes, TwoTowerConfig
from interestrec.model.user_tower import TextMean

_ITEMS_PER_BLOCK = 1 << 14  # whose intermediate values are in memory together


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


class TwoTower(keras.layers.Layer):
    """Item tower, fused vectors, user tower, head and the moment's terms.

    A user represented by a text has a history of one entry: the text, with intensity 1 and no features or category.
    """

    def __init__(self, config: TwoTowerConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        rate = config.dropout
        self.item_tower = ItemTower(
            config.text_width, rate, config.similarity == "history", config.modalities, name="item_tower"
        )
        self.fused_items = FusedItems(config.text_width, config.width, rate, config.attributes, name="fused_items")
        self.text_mean = TextMean(config.text_width, name="text_mean")
        self.user_tower = HistoryTower(
            config.width, rate, config.user_features, config.blocks, config.max_history, name="user_tower"
        )
        self.head = InterestHead(config.width, list(config.hidden), config.levels, config.similarity, name="head")
        self.moment_terms = MomentTerms(rate, name="moment_terms")
        self.position_bias = PositionBias(name="position_bias")  # read by the objective alone
        parts = (self.item_tower, self.fused_items, self.user_tower, self.head, self.moment_terms, self.position_bias)
        for layer in parts:
            layer.build()
        self.task_heads = None
        if config.tasks:
            self.task_heads = TaskHeads(config.width, config.tasks, config.experts, name="task_heads")
            self.task_heads.build()
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
    ) -> tuple[tf.Tensor, ...]:
        """Return the logits of a batch, whose distinct items are encoded once.

        Args:
            vectors: float32 [items, text width], vectors of the encoders for the batch's distinct items.
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
            Logits of order and of strength, float32 [impressions, candidates + shared]; of a model with tasks then
            their scores, float32 [impressions, tasks, candidates + shared].
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
        order, *others = tf.cond(
            tf.size(shared) > 0,
            lambda: self._beside_shared(user, items, candidates, shared),
            lambda: self._logits(user, candidate_side(items, candidates)),
        )
        return order + self.moment_terms(moments, user_moments, branch(noise, 2)), *others

    def _logits(self, user: UserSide, items: CandidateSide) -> tuple[tf.Tensor, ...]:
        """Return the logits of the head, and the scores of the tasks if there are any."""
        if self.task_heads is None:
            return self.head(user, items)
        order, strength, similarity = self.head.with_similarity(user, items)
        return order, strength, self.task_heads(user.vector, items.vectors, similarity)

    def _beside_shared(
        self, user: UserSide, items: ItemArrays, candidates: tf.Tensor, shared: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """Return the logits of own candidates, then of shared ones; arguments as in `call`.

        Both are looked up in the logits of all of them together. Computed apart, equal items would differ in their last
        bits, by which a model that tells nothing apart would rank all own candidates above or below the others.
        """
        rows, place = tf.unique(tf.concat([shared, tf.reshape(candidates, [-1])], axis=0))
        of_own = tf.reshape(place[tf.size(shared) :], tf.shape(candidates))
        logits = self._logits(user, candidate_side(items, rows[None]))
        return tuple(
            tf.concat([tf.gather(of_all, of_own, axis=-1, batch_dims=1), of_all[..., : tf.size(shared)]], axis=-1)
            for of_all in logits
        )

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

    def export_weights(self) -> dict[str, np.ndarray]:
        """Return all weights by the names of the file of a model."""
        return {weight.path: np.asarray(weight.numpy()) for weight in self.weights}

    def item_arrays(self, vectors: np.ndarray, codes: ItemCodes) -> ItemArrays:
        """Return all items as the head reads them, from their text vectors and codes."""
        count, width = len(vectors), self.config.width
        read = ItemArrays(
            texts=np.empty((count, self.config.text_width), np.float32),
            entries=np.empty((count, width), np.float32),
            candidates=np.empty((count, width), np.float32),
            categories=codes.categories,
            prices=codes.prices,
        )
        for start in range(0, count, _ITEMS_PER_BLOCK):
            rows = slice(start, start + _ITEMS_PER_BLOCK)
            block = self.items(*(tf.constant(part[rows]) for part in (vectors, *codes)))
            read.texts[rows], read.entries[rows], read.candidates[rows] = block.texts, block.entries, block.candidates
        return read


def candidate_side(items: ItemArrays, rows: Any) -> CandidateSide:
    """Return the items at `rows`, int32 [users or 1, candidates], as candidates."""
    return CandidateSide(
        *(tf.gather(part, rows) for part in (items.texts, items.candidates, items.categories, items.prices))
    )
