"""The user towers: a user is represented by the items of the history, or by one text made of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interestrec.model.backend import keras, tf
from interestrec.model.history_tower import ABSENT


@dataclass(frozen=True)
class TextUser:
    """The `text` user tower: the encoder reads the texts of a history's items as one text, latest first.

    These settings reproduce the text for the encoder that the model was trained with.
    """

    tokens: int  # maximum of a text, special tokens included
    fields: tuple[tuple[str, int], ...]  # of an item's text: name and maximum number of tokens
    pooling: str
    precision: str

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TextUser":
        """Read the JSON values of a model's configuration."""
        return cls(**{**values, "fields": tuple((name, tokens) for name, tokens in values["fields"])})


class TextMean(keras.layers.Layer):
    """t_u = Σ_j α_j x_j over the history, α = softmax(a·x_j + log intensity_j - r log(1 + age_j)).

    Additive attention as in NRMS (Wu et al. 2019) with power-law forgetting; age_j is the number of later events in
    the history. `a` and `r` start at zero: an untrained tower is the mean of the history weighted by intensity. The
    vector of an empty history is zero.
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = self.add_weight(name="attention", shape=(width, 1), initializer="zeros")
        self.forgetting = self.add_weight(name="forgetting", shape=(), initializer="zeros")
        self.built = True

    def attention_logits(self, history: tf.Tensor, intensity: tf.Tensor) -> tf.Tensor:
        """Return the attention logits of the history, which do not depend on the candidate.

        Args:
            history: float32 [users, length, width], item vectors, oldest first.
            intensity: float32 [users, length], 0 at padding.

        Returns:
            float32 [users, length], a large negative number at padding.
        """
        logits = tf.squeeze(tf.matmul(history, self.attention), axis=-1)
        present = intensity > 0
        age = tf.cumsum(tf.cast(present, tf.float32), axis=1, exclusive=True, reverse=True)
        logits += tf.math.log(tf.where(present, intensity, 1.0)) - self.forgetting * tf.math.log1p(age)
        return tf.where(present, logits, ABSENT)

    def call(self, history: tf.Tensor, intensity: tf.Tensor) -> tf.Tensor:
        """Return user vectors, float32 [users, width]; arguments as in `attention_logits`."""
        logits = self.attention_logits(history, intensity)
        share = tf.nn.softmax(logits, axis=-1) * tf.cast(intensity > 0, tf.float32)
        return tf.squeeze(tf.matmul(share[:, None, :], history), axis=1)
