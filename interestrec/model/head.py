"""The head: two logits of a user and an item, one that ranks and one that says how strong the interest is."""

from typing import Any, NamedTuple

from interestrec.model.backend import keras, tf
from interestrec.model.history_attention import ABSENT
from interestrec.model.pair_products import entry_products, pair_products
from interestrec.model.read_weights import MATCH_SMOOTHING
from interestrec.model.two_tower_config import Similarity

_START_SCALE = 10.0  # logits per unit of cosine, in the range that contrastive training converges to
_START_GAIN = 4.0  # of x_u·o_i, whose items start at zero
_START_SHARPNESS = 2.0  # of the candidate-aware attention; the best of 0, 2, 5, 10 on MIND's validation split


class UserSide(NamedTuple):
    """What the head reads of users, computed once for all their candidates."""

    texts: tf.Tensor  # float32 [users, length, text width], item vectors of the history
    weights: tf.Tensor  # float32 [users, length], attention logits of the history, large and negative at padding
    text: tf.Tensor  # float32 [users, text width], the history's mean by these weights
    vector: tf.Tensor  # float32 [users, width], x_u
    categories: tf.Tensor  # int32 [users, length, levels], -1 if there is none
    price: tf.Tensor  # float32 [users], mean standardised log price of the history, NaN where unknown


class CandidateSide(NamedTuple):
    """What the head reads of candidates; users is 1 if all users share them."""

    texts: tf.Tensor  # float32 [users, candidates, text width], item vectors
    vectors: tf.Tensor  # float32 [users, candidates, width], o_i
    categories: tf.Tensor  # int32 [users, candidates, levels], -1 if there is none
    prices: tf.Tensor  # float32 [users, candidates], standardised log prices, NaN where unknown


class InterestHead(keras.layers.Layer):
    """logit(u, i) = scale · sim(u, i) + Σ_l w_l match_l(u, i) + g x_u·o_i + MLP([x_u, o_i]) + price(u, i).

    sim(u, i) = Σ_j softmax_j(sharpness · x_j·x_i + α_j) x_j·x_i is the similarity of the candidate's text to those of
    the history, weighted by how much they resemble it (target attention, Zhou et al. 2018, "Deep Interest Network",
    with a softmax). If `similarity` is "user", it is the product with the history's mean text, one per pair of user and
    item instead of one per pair of event and item, of texts as the encoder gives them. match_l(u, i) = sqrt(n_l /
    (n + 3)), where n is the history's length and n_l the number of its events in the candidate's category at level l.
    price(u, i) = a d + b d², where d is the candidate's price level over the history's, 0 where unknown. The weights of
    the added terms and the MLP's last layer start at zero: an untrained head ranks by similarity alone. There is no
    bias, because losses of lists do not see it. The MLP's activation is ReLU, which scores a catalogue fastest
    (model/catalogue_logits.py).

    The strength of interest has a logit of its own from the same vectors, (k ∘ x_u)·o_i + p·x_u + q·o_i + c · sim(u, i)
    + bias, because what is right for an order, such as popularity, is wrong for "how much".
    """

    def __init__(self, width: int, hidden: list[int], levels: int, similarity: Similarity, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.similarity = similarity
        self.first_user = keras.layers.Dense(hidden[0], name="first_user")
        self.first_item = keras.layers.Dense(hidden[0], use_bias=False, name="first_item")
        self.middle = [keras.layers.Dense(n, activation="relu", name=f"middle_{k}") for k, n in enumerate(hidden[1:])]
        self.last = keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False, name="last")
        starts = {"scale": _START_SCALE, "gain": _START_GAIN, "sharpness": _START_SHARPNESS}
        for name in (*starts, "price_linear", "price_square", "strength_scale", "strength_bias"):
            start = keras.initializers.Constant(starts.get(name, 0.0))
            setattr(self, name, self.add_weight(name=name, shape=(), initializer=start))
        self.match = self.add_weight(name="match", shape=(levels,), initializer="zeros")
        for name in ("strength_pair", "strength_user", "strength_item"):
            setattr(self, name, self.add_weight(name=name, shape=(width,), initializer="zeros"))

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

    def call(self, user: UserSide, items: CandidateSide) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the logits of all users for their candidates, of the order and of the strength.

        Returns:
            float32 [users, candidates] each.
        """
        return self.with_similarity(user, items)[:2]

    def with_similarity(self, user: UserSide, items: CandidateSide) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the logits of `call`, and sim(u, i), which tasks read as well."""
        similarity = self._similarity(user, items)
        return self._order(user, items, similarity), self._strength(user, items, similarity), similarity

    def _similarity(self, user: UserSide, items: CandidateSide) -> tf.Tensor:
        """Return sim(u, i), float32 [users, candidates]."""
        if self.similarity == "history":
            return self.attention_similarity(user.texts, user.weights, items.texts)
        return pair_products(user.text, items.texts)

    def _order(self, user: UserSide, items: CandidateSide, similarity: tf.Tensor) -> tf.Tensor:
        present = tf.cast(user.weights > ABSENT / 2, tf.float32)
        order = self.scale * similarity + self.gain * pair_products(user.vector, items.vectors)
        order += self._matches(present, user.categories, items.categories)
        order += self.mlp(user.vector, items.vectors) + self.price_terms(user.price, items.prices)
        return order

    def _strength(self, user: UserSide, items: CandidateSide, similarity: tf.Tensor) -> tf.Tensor:
        strength = pair_products(user.vector * self.strength_pair, items.vectors)
        strength += tf.reduce_sum(user.vector * self.strength_user, axis=-1, keepdims=True)
        strength += tf.reduce_sum(items.vectors * self.strength_item, axis=-1)
        return strength + self.strength_scale * similarity + self.strength_bias

    def attention_similarity(self, history: tf.Tensor, weights: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Return sim(u, i) by attention to the history, 0 if it is empty; arguments are texts and weights of the sides.

        Returns:
            float32 [users, candidates].
        """
        cosines = entry_products(history, items)
        share = tf.nn.softmax(self.sharpness * cosines + tf.expand_dims(weights, -1), axis=1)
        known = tf.reduce_max(tf.cast(weights > ABSENT / 2, tf.float32), axis=-1, keepdims=True)
        return tf.reduce_sum(share * cosines, axis=1) * known

    def mlp(self, user: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Return MLP([x_u, o_i]), float32 [users, candidates], of [users, width] and [users, candidates, width].

        The first layer is a user part plus an item part, each computed once rather than per pair.
        """
        pairs = tf.expand_dims(self.first_user(user), 1) + self.first_item(items)
        x = tf.nn.relu(pairs)
        for layer in self.middle:
            x = layer(x)
        return tf.squeeze(self.last(x), axis=-1)

    def price_terms(self, user: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Return price(u, i), float32 [users, candidates]; arguments are prices of the sides."""
        level = items - user[:, None]
        known = tf.math.is_finite(level)
        level = tf.where(known, level, 0.0)
        return self.price_linear * level + self.price_square * tf.square(level)

    def _matches(self, present: tf.Tensor, history: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Return Σ_l w_l match_l, float32 [users, candidates]."""
        smoothed = tf.reduce_sum(present, axis=-1, keepdims=True) + MATCH_SMOOTHING
        total = tf.zeros([tf.shape(history)[0], tf.shape(items)[1]])
        for level in range(self.match.shape[0]):
            counts = category_counts(present, history[:, :, level], items[:, :, level])
            total += self.match[level] * tf.sqrt(counts / smoothed)
        return total


def category_counts(present: tf.Tensor, history: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
    """Return how many entries of each history are in the category of each candidate, float32 [users, candidates].

    Args:
        present: float32 [users, length], 0 at padding.
        history: int32 [users, length], codes, -1 for none.
        items: int32 [users or 1, candidates], codes, -1 for none.
    """
    users, codes = tf.shape(history)[0], tf.maximum(tf.reduce_max(items), -1) + 2  # the last column stands for others
    column = tf.where((history >= 0) & (history < codes - 1), history, codes - 1)
    cell = tf.reshape(tf.range(users)[:, None] * codes + column, [-1])
    counts = tf.reshape(tf.math.unsorted_segment_sum(tf.reshape(present, [-1]), cell, users * codes), [users, codes])
    counts *= 1.0 - tf.one_hot(codes - 1, codes)
    wanted = tf.where(items >= 0, items, codes - 1)
    return tf.gather(counts, tf.broadcast_to(wanted, [users, tf.shape(items)[1]]), batch_dims=1)


def price_level(prices: tf.Tensor, intensity: tf.Tensor) -> tf.Tensor:
    """Return the mean price of each history, float32 [users], NaN where no entry has one; arguments [users, length]."""
    known = tf.math.is_finite(prices) & (intensity > 0)
    count = tf.reduce_sum(tf.cast(known, tf.float32), axis=-1)
    return tf.where(count > 0, tf.reduce_sum(tf.where(known, prices, 0.0), axis=-1) / count, float("nan"))
