"""The mean text of a history, by which users are compared with candidates."""

from typing import Any

from interestrec.model.backend import keras, tf
from interestrec.model.history_attention import attention_logits, attention_mean, later_events


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
        forgotten = self.forgetting * tf.math.log1p(later_events(intensity))
        return attention_logits(history, self.attention, intensity, forgotten)

    def call(self, history: tf.Tensor, intensity: tf.Tensor) -> tf.Tensor:
        """Return user vectors, float32 [users, width]; arguments as in `attention_logits`."""
        return attention_mean(history, self.attention_logits(history, intensity), intensity)
