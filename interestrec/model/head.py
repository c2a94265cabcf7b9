"""The head: the logit of an intensity from a user vector, the user's history and an item vector."""

from typing import Any, Literal

from interestrec.model.backend import keras, tf
from interestrec.model.noise import Noise, branch, dropout

_START_SCALE = 10.0  # logits per unit of cosine, in the range that contrastive training converges to
MATCH_SMOOTHING = 3.0  # a single click in a category is weak evidence
ABSENT = -1e8  # attention logits below this are padding
_START_SHARPNESS = 2.0  # of the candidate-aware attention; the best of 0, 2, 5, 10 on MIND's validation split

Similarity = Literal["history", "user"]


class InterestHead(keras.layers.Layer):
    """logit(u, i) = scale · sim(u, i) + Σ_l w_l match_l(u, i) + MLP([x_u, x_i]) + bias.

    sim(u, i) = Σ_j softmax_j(sharpness · x_j·x_i + α_j) x_j·x_i is the similarity of the candidate to the events of
    the history, weighted by how much they resemble it (target attention, Zhou et al. 2018, "Deep Interest Network",
    with a softmax). If `similarity` is "user", it is x_u·x_i, one product per pair of user and item instead of one
    per pair of event and item. match_l(u, i) = sqrt(n_l / (n + 3)), where n is the history's length and n_l the
    number of its events in the candidate's category at level l. All w_l and the MLP's last layer start at zero: an
    untrained head ranks by similarity alone. The MLP's activation is ReLU, which scores a catalogue fastest
    (model/catalogue_logits.py).
    """

    def __init__(
        self, width: int, hidden: list[int], levels: int, rate: float, similarity: Similarity, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.similarity = similarity
        self.match = self.add_weight(name="match", shape=(levels,), initializer="zeros")
        self.rate = rate  # dropout rate
        self.first_user = keras.layers.Dense(hidden[0], name="first_user")
        self.first_item = keras.layers.Dense(hidden[0], use_bias=False, name="first_item")
        self.middle = [keras.layers.Dense(n, activation="relu", name=f"middle_{k}") for k, n in enumerate(hidden[1:])]
        self.last = keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False, name="last")
        self.scale = self.add_weight(name="scale", shape=(), initializer=keras.initializers.Constant(_START_SCALE))
        self.sharpness = self.add_weight(
            name="sharpness", shape=(), initializer=keras.initializers.Constant(_START_SHARPNESS)
        )
        self.bias = self.add_weight(name="bias", shape=(), initializer="zeros")

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        self.first_user.build((None, self.width))
        self.first_item.build((None, self.width))
        width = self.first_user.units
        for layer in self.middle:
            layer.build((None, width))
            width = layer.units
        self.last.build((None, width))
        self.built = True

    def call(
        self,
        user: tf.Tensor,
        history: tf.Tensor,
        weights: tf.Tensor,
        items: tf.Tensor,
        history_category: tf.Tensor,
        item_category: tf.Tensor,
        noise: Noise = None,
    ) -> tf.Tensor:
        """Return the logits of all users for their candidates.

        Args:
            user: float32 [users, width].
            history: float32 [users, length, width].
            weights: float32 [users, length], attention logits of the user tower.
            items: float32 [users, candidates, width], or [1, candidates, width] if all users share them.
            history_category: int32 [users, length, levels], -1 if there is none.
            item_category: int32 [users or 1, candidates, levels], -1 if there is none.

        Returns:
            float32 [users, candidates].
        """
        present = tf.cast(weights > ABSENT, tf.float32)
        if self.similarity == "history":
            similarity = self.attention_similarity(history, weights, items)
        else:
            similarity = tf.squeeze(tf.matmul(items, user[:, :, None]), axis=-1)
        matches = self._matches(present, history_category, item_category)
        return self.scale * similarity + matches + self.mlp(user, items, noise) + self.bias

    def attention_similarity(self, history: tf.Tensor, weights: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Return sim(u, i) by attention to the history, 0 if it is empty; arguments as in `call`.

        Returns:
            float32 [users, candidates].
        """
        cosines = tf.matmul(items, history, transpose_b=True)  # [users, candidates, length]
        share = tf.nn.softmax(self.sharpness * cosines + weights[:, None, :], axis=-1)
        known = tf.reduce_max(tf.cast(weights > ABSENT, tf.float32), axis=-1, keepdims=True)
        return tf.reduce_sum(share * cosines, axis=-1) * known

    def mlp(self, user: tf.Tensor, items: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Return MLP([x_u, x_i]), float32 [users, candidates]; arguments as in `call`.

        The first layer is a user part plus an item part, each computed once rather than per pair.
        """
        pairs = self.first_user(user)[:, None, :] + self.first_item(items)
        x = dropout(tf.nn.relu(pairs), self.rate, branch(noise, 0))
        for number, layer in enumerate(self.middle, 1):
            x = dropout(layer(x), self.rate, branch(noise, number))
        return tf.squeeze(self.last(x), axis=-1)

    def _matches(self, present: tf.Tensor, history: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Return Σ_l w_l match_l, float32 [users, candidates]."""
        smoothed = tf.reduce_sum(present, axis=-1, keepdims=True) + MATCH_SMOOTHING
        total = tf.zeros([tf.shape(history)[0], tf.shape(items)[1]])
        for level in range(self.match.shape[0]):
            history_code, item_code = history[:, None, :, level], items[:, :, None, level]
            same = tf.cast(tf.equal(history_code, item_code) & (item_code >= 0), tf.float32) * present[:, None, :]
            total += self.match[level] * tf.sqrt(tf.reduce_sum(same, axis=-1) / smoothed)
        return total
