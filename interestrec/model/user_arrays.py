"""The user side of the two-tower model over plain weights, without TensorFlow: what scoring reads of users.

Histories are ragged, so that the bits of a user do not depend on the longest history of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.row_products import one_blas_thread, row_products
from interestrec.model.causal_blocks import block_weights, causal_block, gelu, similar_lengths
from interestrec.model.read_weights import BLOCK_HEADS

if TYPE_CHECKING:
    from interestrec.corpus.feature_codes import FeatureShape
    from interestrec.model.two_tower_config import ItemArrays, TwoTowerConfig


@dataclass(frozen=True)
class UserHistories:
    """Histories of users, the entries of user u at `offsets[u]:offsets[u + 1]`, and what else is known of the users."""

    items: ItemArrays  # that entries are rows of
    offsets: np.ndarray  # int64 [users + 1]
    row: np.ndarray  # int [entries], oldest first, at most `max_history` per user
    intensity: np.ndarray  # float32 [entries]; an entry of intensity 0 has no part in any mean
    days: np.ndarray  # float32 [entries], ln(1 + days) since each entry, 0 where unknown
    features: np.ndarray  # int32 [users, columns], packed
    moments: np.ndarray  # float32 [users, USER_FEATURES], see corpus/moments.py

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True)
class UserArrays:
    """Users as the head reads them; only entries with an intensity above 0."""

    items: ItemArrays  # that entries are rows of
    offsets: np.ndarray  # int64 [users + 1]
    row: np.ndarray  # int [entries]
    weights: np.ndarray  # float32 [entries], attention logits α of the texts
    attention: np.ndarray  # float32 [entries], weights of x_u, whose sum is 1 per user
    vector: np.ndarray  # float32 [users, width], x_u
    moments: np.ndarray  # float32 [users, USER_FEATURES]

    def __len__(self) -> int:
        return len(self.vector)

    @cached_property
    def text(self) -> np.ndarray:
        """float32 [users, text width], the mean text of the history by the softmax of the weights; 0 if it is empty."""
        return _means(_softmax(self.weights, self.offsets), self.row, self.offsets, self.items.texts)

    @cached_property
    def price(self) -> np.ndarray:
        """float32 [users], mean price of the history, NaN where no entry has one."""
        price = self.items.prices[self.row]
        known = np.isfinite(price)
        owner = ragged.owner(self.offsets)[known]
        count = np.bincount(owner, minlength=len(self))
        total = np.bincount(owner, price[known], minlength=len(self))
        return np.divide(total, count, out=np.full(len(self), np.nan), where=count > 0).astype(np.float32)


class UserTowerArrays:
    """HistoryTower and TextMean of a trained model."""

    def __init__(self, config: TwoTowerConfig, weights: Mapping[str, np.ndarray]) -> None:
        """`weights` of the model by the names of its file, float32."""
        self.config = config
        self.weights = weights
        tower = {name.removeprefix("user_tower/"): value for name, value in weights.items() if "user_tower/" in name}
        self.tower = tower
        self.blocks = block_weights(tower, "/")
        self.first, self.second = (np.ascontiguousarray(tower[f"{name}/kernel"].T) for name in ("first", "second"))
        self._projected: tuple[ItemArrays, np.ndarray, np.ndarray] | None = None

    @one_blas_thread()
    def __call__(self, histories: UserHistories) -> UserArrays:
        """Return what the head reads of users."""
        present = histories.intensity > 0
        offsets = ragged.filtered(histories.offsets, present)
        later = _later(histories.offsets, present)
        strength = np.log(histories.intensity[present])
        row, days = histories.row[present], histories.days[present]
        recent = np.log1p(later[present])
        items = histories.items
        along_texts, along_entries = self._projections(items)
        text_weights = along_texts[row] + strength
        text_weights -= self.weights["text_mean/forgetting"] * recent
        if self.blocks:
            entries = self._in_order(histories, later)[present]
            place = np.arange(len(row))
            weights = row_products(entries, self.tower["attention"].T)[:, 0] + strength
        else:
            entries, place = items.entries, row
            weights = along_entries[row] + strength
        weights -= self.tower["forgetting"] * recent + self.tower["forgetting_days"] * days
        attention = _softmax(weights, offsets)
        vector = _means(attention, place, offsets, entries)
        vector[np.diff(offsets) == 0] += self.tower["empty"]
        shapes = self.config.user_features
        if shapes:
            vector += feature_vectors(self.tower, "user_features", shapes, histories.features)
        inner = gelu(row_products(vector, self.first) + self.tower["first/bias"])
        vector += row_products(inner, self.second)
        return UserArrays(items, offsets, row, text_weights, attention, vector, histories.moments)

    def _projections(self, items: ItemArrays) -> tuple[np.ndarray, np.ndarray]:
        """Return a·x_i of the texts and a·z_i of the entries of items, float32 [items] each, and keep them.

        Both are looked up once per entry of each history.
        """
        kept = self._projected
        if kept is None or kept[0] is not items:
            texts = row_products(items.texts, self.weights["text_mean/attention"].T)[:, 0]
            kept = items, texts, row_products(items.entries, self.tower["attention"].T)[:, 0]
            self._projected = kept
        return kept[1:]

    def _in_order(self, histories: UserHistories, later: np.ndarray) -> np.ndarray:
        """Return the entries after the transformer blocks, float32 [entries, width]."""
        tower, most = self.tower, self.config.max_history
        place = np.minimum(later, most - 1).astype(np.int64)
        found = histories.items.entries[histories.row] + tower["places"][place]
        found += histories.days[:, None] * tower["age"]
        some = np.flatnonzero(np.diff(histories.offsets))
        begin, end = histories.offsets[some], histories.offsets[some + 1]
        for length, chosen in similar_lengths(end - begin, most):
            source, inside = ragged.padded(begin[chosen], end[chosen], length)
            x = np.where(inside[:, :, None], found[source], np.float32(0))
            for block in self.blocks:
                x = causal_block(x, block, BLOCK_HEADS)
            found[source[inside]] = x[inside]
        return found


def feature_vectors(
    weights: Mapping[str, np.ndarray], layer: str, shapes: tuple[FeatureShape, ...], packed: np.ndarray
) -> np.ndarray:
    """Return what EntityFeatures gives for users, float32 [users, width].

    Args:
        layer: its name, by which its weights begin.
        packed: int32 [users, columns], as of `FittedFeatures.packed`.
    """
    parts, column, value = [], 0, sum(shape.columns for shape in shapes)
    for shape in shapes:
        for number in range(len(shape.sizes)):
            table = weights[f"{layer}/{shape.name}_{number}"]
            vectors = _mean_of_codes(table, packed[:, column : column + shape.shared])
            narrow = weights.get(f"{layer}/{shape.name}_{number}_map")
            parts.append(vectors if narrow is None else row_products(vectors, narrow.T))
            column += shape.shared
        if shape.dense:
            values = np.ascontiguousarray(packed[:, value : value + shape.dense]).view(np.float32)
            parts.append(row_products(values, weights[f"{layer}/{shape.name}_kernel"].T))
            value += shape.dense
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total


def _mean_of_codes(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the mean vector of the codes above 0 of each user, that of code 0 where there are none; [users, inner]."""
    if codes.shape[1] == 1:
        return table[codes[:, 0]]
    known = codes > 0
    known[~known.any(axis=1)] = True
    share = known / np.count_nonzero(known, axis=1, keepdims=True).astype(np.float32)
    total = np.zeros((len(codes), table.shape[1]), np.float32)
    for column, code in enumerate(codes.T):  # all at once would need `shared` times the memory of the result
        total += share[:, column, None].astype(np.float32) * table[code]
    return total


def _later(offsets: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Return the number of present entries after each entry of its history, float32 [entries]."""
    done = ragged.from_lengths(present)
    return (ragged.repeat(offsets, done[offsets[1:]]) - done[1:]).astype(np.float32)


def _softmax(logits: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the softmax of the logits of each user, float32 [entries]."""
    some = np.diff(offsets) > 0
    if not some.any():
        return logits
    begin, size = offsets[:-1][some], np.diff(offsets)[some]
    share = np.exp(logits - np.repeat(np.maximum.reduceat(logits, begin), size))
    share /= np.repeat(np.add.reduceat(share, begin), size)
    return share


def _means(share: np.ndarray, row: np.ndarray, offsets: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return Σ share · vectors[row] of each user, float32 [users, width]."""
    return sparse.csr_matrix((share, row, offsets), shape=(len(offsets) - 1, len(vectors))) @ vectors
