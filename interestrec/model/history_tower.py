"""The user vector: the history's items, its intensities and times, and the user's own features."""

from collections.abc import Sequence
from typing import Any

from interestrec.model.backend import keras, tf
from interestrec.model.entity_features import EntityFeatures
from interestrec.model.history_attention import ABSENT, attention_logits, attention_mean, later_events
from interestrec.model.next_item import CausalBlock, NextItemConfig
from interestrec.model.noise import Noise, branch, dropout
from interestrec.model.read_weights import BLOCK_HEADS

_START_FORGETTING = 0.5  # of events, by days


class HistoryTower(keras.layers.Layer):
    """h_u = r + W₂ gelu(W₁ r), r = Σ_j α_j z_j + Σ_f u_f, α = softmax(a·z_j + ln intensity_j − b ln(1 + n_j) − c d_j).

    z_j are the fused vectors of the history's items; n_j is the number of later events and d_j = ln(1 + days) of the
    time since; u_f are the vectors of the user's features, the id among them. An empty history has a learned vector in
    place of the sum. With `blocks` the z_j first pass transformer blocks, in which an entry attends to those before it
    and to itself, after a learned vector of its place counted from the end and of its age is added.
    """

    def __init__(
        self, width: int, rate: float, features: Sequence[Sequence[Any]], blocks: int, length: int, **kwargs: Any
    ) -> None:
        """`length` is the largest number of entries of a history."""
        super().__init__(**kwargs)
        self.width = width
        self.rate = rate
        self.length = length
        self.features = EntityFeatures(width, rate, features, name="user_features")
        sizes = NextItemConfig(items=1, gaps=1, length=1, width=width, blocks=blocks, heads=BLOCK_HEADS, dropout=rate)
        self.blocks = [CausalBlock(sizes, 10 * (number + 1), name=f"block_{number}") for number in range(blocks)]
        self.first = keras.layers.Dense(2 * width, name="first")
        self.second = keras.layers.Dense(width, kernel_initializer="zeros", use_bias=False, name="second")

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        self.attention = self.add_weight(name="attention", shape=(self.width, 1), initializer="zeros")
        self.forgetting = self.add_weight(name="forgetting", shape=(), initializer="zeros")
        start = keras.initializers.Constant(_START_FORGETTING)
        self.forgetting_days = self.add_weight(name="forgetting_days", shape=(), initializer=start)
        self.empty = self.add_weight(name="empty", shape=(self.width,), initializer="zeros")
        if self.blocks:
            self.places = self.add_weight(name="places", shape=(self.length, self.width), initializer="zeros")
            self.age = self.add_weight(name="age", shape=(self.width,), initializer="zeros")
        for block in self.blocks:
            block.build()
        self.features.build()
        self.first.build((None, self.width))
        self.second.build((None, 2 * self.width))
        self.built = True

    def call(
        self, entries: tf.Tensor, intensity: tf.Tensor, days: tf.Tensor, features: tf.Tensor, noise: Noise = None
    ) -> tf.Tensor:
        """Return user vectors, float32 [users, width].

        Args:
            entries: float32 [users, length, width], fused vectors of the history, oldest first.
            intensity: float32 [users, length], 0 at padding.
            days: float32 [users, length], ln(1 + days) since each entry; 0 where unknown.
            features: int32 [users, columns], as of `FittedFeatures.packed`.
        """
        later = later_events(intensity)
        if self.blocks:
            entries = self._in_order(entries, days, later, branch(noise, 0))
        forgotten = self.forgetting * tf.math.log1p(later) + self.forgetting_days * days
        user = attention_mean(entries, attention_logits(entries, self.attention, intensity, forgotten), intensity)
        user += tf.cast(~tf.reduce_any(intensity > 0, axis=1, keepdims=True), tf.float32) * self.empty
        if self.features.shapes:
            user += self.features(features, branch(noise, 1))
        user = dropout(user, self.rate, branch(noise, 2))
        return user + dropout(self.second(tf.nn.gelu(self.first(user), approximate=True)), self.rate, branch(noise, 3))

    def _in_order(self, entries: tf.Tensor, days: tf.Tensor, later: tf.Tensor, noise: Noise) -> tf.Tensor:
        """Return the entries after the blocks; padding stands at the end, where causal attention hides it."""
        place = tf.minimum(tf.cast(later, tf.int32), self.length - 1)
        x = entries + tf.gather(1.0 * self.places, place) + tf.expand_dims(days, -1) * self.age
        length = tf.shape(entries)[1]
        hidden = (1.0 - tf.linalg.band_part(tf.ones([length, length]), -1, 0)) * ABSENT
        for number, block in enumerate(self.blocks):
            x = block(x, hidden, branch(noise, number))
        return x
