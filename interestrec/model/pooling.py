"""Pooling of the hidden states of tokens into the vector of a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from interestrec.model.backend import tf

QUERY = "pooling.query"  # tensor of attention pooling, which the Hugging Face layout does not have
_ABSENT = -1e9


def mean_pool(hidden: tf.Tensor, mask: tf.Tensor, query: tf.Tensor | None = None) -> tf.Tensor:
    """Return the mean over the tokens (Reimers and Gurevych 2019).

    Args:
        hidden: float32 [texts, length, width].
        mask: float32 [texts, length], 1 at tokens and 0 at padding.

    Returns:
        float32 [texts, width].
    """
    weight = tf.expand_dims(mask, -1)
    return tf.reduce_sum(hidden * weight, axis=1) / tf.maximum(tf.reduce_sum(weight, axis=1), 1.0)


def cls_pool(hidden: tf.Tensor, mask: tf.Tensor, query: tf.Tensor | None = None) -> tf.Tensor:
    """Return the state of the first token (Devlin et al. 2019); arguments as in `mean_pool`."""
    return hidden[:, 0]


def attention_pool(hidden: tf.Tensor, mask: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
    """Return Σ_t softmax_t(q·h_t) h_t, the additive attention of NRMS (Wu et al. 2019) without its projection.

    Training starts from q = 0, the mean. Arguments as in `mean_pool`; query q is float32 [width].
    """
    logits = tf.linalg.matvec(hidden, query) + (1.0 - mask) * _ABSENT
    return tf.squeeze(tf.matmul(tf.expand_dims(tf.nn.softmax(logits), 1), hidden), axis=1)


def last_pool(hidden: tf.Tensor, mask: tf.Tensor, query: tf.Tensor | None = None) -> tf.Tensor:
    """Return the state of the last token before the padding, which of a decoder alone sees all others.

    Neelakantan et al. 2022, "Text and code embeddings by contrastive pre-training". A text without tokens has zeros.
    Arguments as in `mean_pool`.
    """
    is_last = mask - tf.pad(mask[:, 1:], [[0, 0], [0, 1]])
    return tf.reduce_sum(hidden * tf.expand_dims(is_last, -1), axis=1)


class Pooling(NamedTuple):
    """An entry of POOLINGS."""

    vectors: Callable[..., tf.Tensor]  # of hidden states, mask and query
    summary: str
    learns_query: bool = False


POOLINGS = {
    "mean": Pooling(mean_pool, "the mean of all tokens"),
    "cls": Pooling(cls_pool, "the first token's"),
    "last": Pooling(last_pool, "the last token's"),
    "attention": Pooling(attention_pool, "a weighted mean that `finetune` learns", learns_query=True),
}
