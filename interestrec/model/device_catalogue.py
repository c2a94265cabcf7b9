"""Logits of users for the whole catalogue on a device of TensorFlow: the formula of CatalogueLogits, blocked by items.

The arrays of items stay on the device, users go there and their logits come back. Sums of a product may be added in
another order than NumPy's, so logits agree up to rounding, not to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from interestrec.core import ragged
from interestrec.model.backend import tf
from interestrec.model.catalogue_logits import CatalogueLogits
from interestrec.model.category_matches import category_matches
from interestrec.model.two_tower_arrays import TwoTowerArrays
from interestrec.model.user_arrays import UserArrays, UserHistories

_CELLS = 1 << 24  # users × items × hidden units, or history entries × items, of one block: 64 MiB of float32


class _ItemTensors(NamedTuple):
    """The items on the device."""

    texts: tf.Tensor  # in the precision of products, [items, text width]
    candidates: tf.Tensor  # likewise, [items, width]
    hidden: tf.Tensor  # float32 [items, hidden], of the MLP's first layer
    categories: tf.Tensor  # int32 [items, levels]
    prices: tf.Tensor  # float32 [items], NaN where unknown


class _UserTensors(NamedTuple):
    """Some users on the device."""

    texts: tf.Tensor  # in the precision of products, of the users or of the entries of their histories
    vector: tf.Tensor  # likewise, g x_u, [users, width]
    moments: tf.Tensor  # likewise, [users, width]
    hidden: tf.Tensor  # float32 [users, hidden], of the MLP's first layer
    matches: list[tf.Tensor | None]  # float32 [users, codes + 1] by level
    prices: tf.Tensor  # float32 [users], NaN where unknown


class DeviceCatalogue(CatalogueLogits):
    """`order` on a device; everything else as in CatalogueLogits."""

    def __init__(self, model: TwoTowerArrays, device: str, precision: str = "float32") -> None:
        """
        Args:
            device: of TensorFlow, such as `GPU:0`.
            precision: of matrix products, `float32`, `bfloat16` or `float16`; sums over the history stay float32.
        """
        super().__init__(model)
        self.device = device
        self.precision = precision
        items = model.items
        with tf.device(device):
            self._tensors = _ItemTensors(
                self._factor(items.texts),
                self._factor(items.candidates),
                tf.constant(model.hidden_of_items),
                tf.constant(items.categories),
                tf.constant(items.prices),
            )
        self._moments: tuple[np.ndarray, tf.Tensor] | None = None

    def order(self, histories: UserHistories, moments: np.ndarray) -> np.ndarray:
        """See CatalogueLogits."""
        user = self.model.user(histories)
        out = np.empty((len(user), self.n_items), np.float32)
        with tf.device(self.device):
            of_users, of_moments = self._user_tensors(user), self._device_moments(moments)
            for part in self._blocks(user):
                out[:, part] = self._block(
                    user, of_users, of_moments[part], _ItemTensors(*(a[part] for a in self._tensors))
                )
        return out

    def _blocks(self, user: UserArrays) -> Iterator[slice]:
        """Yield items, so that the values of a block are at most _CELLS."""
        rows = max(len(user) * max(self.model.config.hidden), len(user.row), 1)
        size = max(_CELLS // rows, 1)
        for start in range(0, self.n_items, size):
            yield slice(start, min(start + size, self.n_items))

    def _user_tensors(self, user: UserArrays) -> _UserTensors:
        model = self.model
        by_user = model.config.similarity == "user"
        matches = category_matches(user, self.items.categories, model.head("match"))
        return _UserTensors(
            self._factor(user.text if by_user else user.items.texts[user.row]),
            self._factor(model.head("gain") * user.vector),
            self._factor(model.moments_of_users(user.moments)),
            tf.constant(model.hidden_of_users(user.vector)),
            [None if match is None else tf.constant(match) for match in matches],
            tf.constant(user.price),
        )

    def _device_moments(self, moments: np.ndarray) -> tf.Tensor:
        """Return the terms of items of `moments` and keep them, because requests of one time bring the same array."""
        if self._moments is None or self._moments[0] is not moments:
            self._moments = moments, self._factor(self.model.moments_of_items(moments))
        return self._moments[1]

    def _block(self, user: UserArrays, users: _UserTensors, moments: tf.Tensor, items: _ItemTensors) -> tf.Tensor:
        """Return the logits of all users for some items, float32 [users, items]."""
        model = self.model
        logits = model.head("scale") * self._similarity(user, users.texts, items.texts)
        logits += _product(users.vector, items.candidates) + _product(users.moments, moments)
        logits += self._mlp(users.hidden, items.hidden)
        for level, match in enumerate(users.matches):
            if match is not None:
                code = items.categories[:, level]  # the last column is that of items without a category, -1
                logits += tf.gather(match, tf.where(code < 0, match.shape[1] - 1, code), axis=1)
        distance = items.prices - users.prices[:, None]
        price = model.head("price_linear") * distance + model.head("price_square") * distance**2
        return logits + tf.where(tf.math.is_finite(distance), price, 0.0)

    def _similarity(self, user: UserArrays, texts: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Return sim(u, i), see InterestHead: float32 [users, items]."""
        cosines = _product(texts, items)
        if self.model.config.similarity == "user":
            return cosines
        owner, count = tf.constant(ragged.owner(user.offsets)), len(user)
        share = self.model.head("sharpness") * cosines + user.weights[:, None]
        share = tf.exp(share - tf.gather(tf.math.unsorted_segment_max(share, owner, count), owner))
        total = tf.math.unsorted_segment_sum(share, owner, count)
        return tf.math.divide_no_nan(tf.math.unsorted_segment_sum(share * cosines, owner, count), total)

    def _mlp(self, users: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """MLP([x_u, o_i]) from the parts of its first layer: float32 [users, items]."""
        x = tf.nn.relu(users[:, None] + items)
        for kernel, bias in self.model.middle:
            x = tf.nn.relu(tf.nn.bias_add(_product(self._factor(x), self._factor(kernel.T)), bias))
        return tf.linalg.matvec(x, self.model.head("last/kernel")[:, 0])

    def _factor(self, values: np.ndarray | tf.Tensor) -> tf.Tensor:
        """Return values on the device in the precision of products."""
        return tf.cast(tf.convert_to_tensor(values), self.precision)


def _product(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Return left · rightᵀ, float32 [..., rows of `right`]."""
    flat = tf.matmul(tf.reshape(left, [-1, left.shape[-1]]), right, transpose_b=True)
    return tf.reshape(tf.cast(flat, tf.float32), [*left.shape[:-1], right.shape[0]])
