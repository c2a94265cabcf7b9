"""Pooling of the hidden states of tokens into the vector of a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from interestrec.model.backend import tf

_ABSENT = -1e9


def mean_pool(hidden: tf.Tensor, mask: tf.Tensor, query: tf.Tensor | None = None) -> tf.Tensor:
    """Return the mean over the tokens (Reimers and Gurevych 2019).

    Args:
        hidden: float32 [texts, length, width].
        mask: float32 [texts, length], 1 at tokens and 0 at padding.

    Returns:
        float32 [texts, width].
    """
    weight = mask[:, :, None]
    return tf.reduce_sum(hidden * weight, axis=1) / tf.maximum(tf.reduce_sum(weight, axis=1), 1.0)


def cls_pool(hidden: tf.Tensor, mask: tf.Tensor, query: tf.Tensor | None = None) -> tf.Tensor:
    """Return the state of the first token (Devlin et al. 2019); arguments as in `mean_pool`."""
    return hidden[:, 0]


def attention_pool(hidden: tf.Tensor, mask: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
    """Return Σ_t softmax_t(q·h_t) h_t, the additive attention of NRMS (Wu et al. 2019) without its projection.

    Training starts from q = 0, the mean. Arguments as in `mean_pool`; query q is float32 [width].
    """
    logits = tf.linalg.matvec(hidden, query) + (1.0 - mask) * _ABSENT
    return tf.squeeze(tf.matmul(tf.nn.softmax(logits)[:, None, :], hidden), axis=1)


class Pooling(NamedTuple):
    """An entry of POOLINGS."""

    vectors: Callable[..., tf.Tensor]  # of hidden states, mask and query
    summary: str
    learns_query: bool = False


POOLINGS = {
    "mean": Pooling(mean_pool, "the mean of all tokens"),
    "cls": Pooling(cls_pool, "the first token's"),
    "attention": Pooling(attention_pool, "a weighted mean that `finetune` learns", learns_query=True),
}
