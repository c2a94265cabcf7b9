"""The moment's terms of a logit: how sought-after an item is now, and how much that counts for this user."""

from typing import Any

from interestrec.corpus.moments import ITEM_FEATURES, USER_FEATURES
from interestrec.model.backend import keras, tf
from interestrec.model.noise import Noise, uniform
from interestrec.model.pair_products import pair_products
from interestrec.model.read_weights import MOMENT_HIDDEN


class MomentTerms(keras.layers.Layer):
    """m(u, i, t) = φ(c_i(t))·(a + A g_u(t)), φ(c) = [c, relu(W c + w)], of the features in corpus/moments.py.

    Popularity, trend and age of the item are c, activity and recency of the user and the hour are g. The form is a
    product of an item part and a user part, so that a catalogue is scored by one matrix product. `a` and `A` start at
    zero.

    In training, the moment of a request is unknown with the dropout probability, so that the rest of the model learns
    to rank without it as well: for requests whose time is unknown all features are 0.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.first = keras.layers.Dense(MOMENT_HIDDEN, name="first")

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        width = ITEM_FEATURES + MOMENT_HIDDEN
        self.shared = self.add_weight(name="shared", shape=(width,), initializer="zeros")
        self.personal = self.add_weight(name="personal", shape=(USER_FEATURES, width), initializer="zeros")
        self.first.build((None, ITEM_FEATURES))
        self.built = True

    def call(self, items: tf.Tensor, users: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Return the terms of all pairs, float32 [users, candidates].

        Args:
            items: float32 [users or 1, candidates, ITEM_FEATURES].
            users: float32 [users, USER_FEATURES].
        """
        terms = pair_products(self.user_part(users), self.item_part(items))
        if noise is None:
            return terms
        return terms * tf.cast(uniform((tf.shape(users)[0], 1), noise) >= self.rate, tf.float32)

    def item_part(self, items: tf.Tensor) -> tf.Tensor:
        """Return φ(c), float32 [..., candidates, width]; argument as in `call`."""
        return tf.concat([items, tf.nn.relu(self.first(items))], axis=-1)

    def user_part(self, users: tf.Tensor) -> tf.Tensor:
        """Return a + A g, float32 [users, width]; argument as in `call`."""
        return self.shared + tf.matmul(users, tf.convert_to_tensor(self.personal))
