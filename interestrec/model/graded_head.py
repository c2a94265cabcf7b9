"""The head of graded intensity: how much, apart from the logit that ranks."""

from __future__ import annotations

from typing import Any

from interestrec.model.backend import keras, tf
from interestrec.model.noise import Noise, branch, dropout

_PRIOR_ENTRIES = 5.0  # history entries without a deviation that every user has in advance
_START_LEVEL = 4.0  # logits per unit of intensity: the slope of the logit at 1/2
_START_SHARPNESS = 2.0  # of the attention, as in head.py


class GradedHead(keras.layers.Layer):
    """logit(u, i) = μ + b_u + b_i + s d_u + q_i · (P p_u + Σ_j (x_j (e_j − d_u) + y_j) / √(n + 1)) + t a(u, i).

    SVD++ and neighbourhoods in one (Koren 2008), with functions of item vectors for the vectors of items: b_i, q_i, x_j
    and y_j are linear in them, so that new items have them too. e_j = r_j − σ(μ + b_j) is how much more the history's
    entry j was liked than its item is by everyone, d_u = Σ_j e_j / (n + λ) how much more the user likes everything, and
    a(u, i) = Σ_j softmax_j(sharpness · k_i · k_j) (e_j − d_u) how much more the items most like i; a slot of logit 0
    and value 0 stands for none. An untrained head says how much more the user likes everything: s starts at 4, and μ, t
    and what is linear in item and user vectors, other than q and k, at 0.
    """

    def __init__(self, width: int, rank: int, rate: float, **kwargs: Any) -> None:
        """`width` is that of item vectors, `rank` that of q, x, y and k, `rate` the dropout of history sums."""
        super().__init__(**kwargs)
        self.width = width
        self.rate = rate
        linear = {"use_bias": False}
        self.item_bias = keras.layers.Dense(1, kernel_initializer="zeros", name="item_bias", **linear)
        self.item_factor = keras.layers.Dense(rank, name="item_factor", **linear)
        self.graded = keras.layers.Dense(rank, kernel_initializer="zeros", name="graded", **linear)
        self.occurrence = keras.layers.Dense(rank, kernel_initializer="zeros", name="occurrence", **linear)
        self.key = keras.layers.Dense(rank, name="key", **linear)
        self.user_factor = keras.layers.Dense(rank, kernel_initializer="zeros", name="user_factor", **linear)
        self.mean = self._scalar("mean", 0.0)
        self.user_scale = self._scalar("user_scale", _START_LEVEL)
        self.near_scale = self._scalar("near_scale", 0.0)
        self.sharpness = self._scalar("sharpness", _START_SHARPNESS)

    def _scalar(self, name: str, start: float) -> tf.Variable:
        return self.add_weight(name=name, shape=(), initializer=keras.initializers.Constant(start))

    def build(self, users: int) -> None:
        """Create the weights; `users` is the width of user id vectors."""
        for layer in (self.item_bias, self.item_factor, self.graded, self.occurrence, self.key):
            layer.build((None, self.width))
        self.user_factor.build((None, users))
        self.built = True

    def call(
        self,
        user: tf.Tensor,
        history: tf.Tensor,
        intensity: tf.Tensor,
        present: tf.Tensor,
        items: tf.Tensor,
        bias: tf.Tensor | float = 0.0,
        noise: Noise = None,
    ) -> tf.Tensor:
        """Return the logits of all users for their candidates; blocks of a catalogue may be passed one by one.

        Args:
            user: float32 [users, any], id vectors, 0 where unknown.
            history: float32 [users, length, width], item vectors.
            intensity: float32 [users, length], r.
            present: float32 [users, length], 1 at entries, 0 at padding.
            items: float32 [users, candidates, width], or [1, candidates, width] if all users share them.
            bias: float32, to be added to b_u + b_i, [users or 1, candidates or 1]: those of ids.

        Returns:
            float32 [users, candidates].
        """
        expected = tf.sigmoid(self.mean + tf.squeeze(self.item_bias(history), axis=-1))
        deviation = (intensity - expected) * present  # e
        count = tf.reduce_sum(present, axis=1, keepdims=True)
        level = tf.reduce_sum(deviation, axis=1, keepdims=True) / (count + _PRIOR_ENTRIES)  # d
        left = (deviation - level) * present
        sums = tf.einsum("ul,ulr->ur", left, self.graded(history))
        sums += tf.einsum("ul,ulr->ur", present, self.occurrence(history))
        taste = self.user_factor(user) + sums / tf.sqrt(count + 1.0)
        taste = dropout(taste, self.rate, branch(noise, 0))
        factors = tf.squeeze(tf.matmul(self.item_factor(items), taste[:, :, None]), axis=-1)
        own = self.mean + self.user_scale * level + tf.squeeze(self.item_bias(items), axis=-1)
        return own + bias + factors + self.near_scale * self._near(history, left, present, items)

    def _near(self, history: tf.Tensor, left: tf.Tensor, present: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Return a(u, i), float32 [users, candidates]."""
        likeness = self.sharpness * tf.matmul(self.key(items), self.key(history), transpose_b=True)
        likeness *= present[:, None, :]  # padding has no part in the maximum
        # the slot for none has logit 0, and so the maximum that is subtracted is at least 0
        most = tf.maximum(tf.reduce_max(likeness, axis=-1, keepdims=True), 0.0)
        share = tf.exp(likeness - most) * present[:, None, :]
        total = tf.reduce_sum(share, axis=-1) + tf.exp(-most[..., 0])
        return tf.einsum("ucl,ul->uc", share, left) / total
