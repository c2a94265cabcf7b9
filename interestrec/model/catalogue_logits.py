"""Logits of users for the whole catalogue, without TensorFlow; terms of items alone are computed once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from interestrec.core.deferred_import import np
from interestrec.core.row_products import one_blas_thread, pair_dots, row_products
from interestrec.model.category_matches import category_matches
from interestrec.model.two_tower_arrays import TwoTowerArrays
from interestrec.model.user_arrays import UserArrays, UserHistories

_TILE_USERS, _TILE_ITEMS = 16, 16384  # a tile of pairs fits a core's cache


class CatalogueLogits:
    """The head over all items, split into user terms, item terms and terms of pairs."""

    def __init__(self, model: TwoTowerArrays) -> None:
        self.model = model
        self.items = model.items
        self.n_items = len(model.items.texts)
        self._moment_terms: tuple[np.ndarray, np.ndarray] | None = None

    @one_blas_thread()
    def order(self, histories: UserHistories, moments: np.ndarray) -> np.ndarray:
        """Return the logits of order of TwoTower for all items, up to rounding.

        Args:
            moments: float32 [items, ITEM_FEATURES], at the one time of all users.

        Returns:
            float32 [users, items].
        """
        model, user = self.model, self.model.user(histories)
        logits = self._similarities(user)
        logits *= model.head("scale")
        for level, match in enumerate(category_matches(user, self.items.categories, model.head("match"))):
            if match is not None:
                logits += np.take(match, self.items.categories[:, level], axis=1, mode="wrap")
        logits += row_products(model.head("gain") * user.vector, self.items.candidates)
        logits += self._deep_mlp(user.vector) if model.middle else self._shallow_mlp(user.vector)
        self._add_prices(logits, user.price)
        logits += row_products(model.moments_of_users(user.moments), self._terms_of_moments(moments))
        return logits

    def _terms_of_moments(self, moments: np.ndarray) -> np.ndarray:
        """Return `moments_of_items` and keep it, because requests of one time bring the same array."""
        kept = self._moment_terms
        if kept is None or kept[0] is not moments:
            self._moment_terms = kept = moments, self.model.moments_of_items(moments)
        return kept[1]

    @one_blas_thread()
    def strength(self, histories: UserHistories) -> np.ndarray:
        """Return the logits of strength of TwoTower for all items, float32 [users, items]."""
        model, user = self.model, self.model.user(histories)
        logits = self._similarities(user)
        logits *= model.head("strength_scale")
        logits += row_products(user.vector * model.head("strength_pair"), self.items.candidates)
        logits += pair_dots(user.vector, model.head("strength_user"))[:, None] + model.strength_of_items
        logits += model.head("strength_bias")
        return logits

    @one_blas_thread()
    def task(self, histories: UserHistories, task: int) -> np.ndarray:
        """Return the scores of a task, by its number, for all items, float32 [users, items]."""
        model, user = self.model, self.model.user(histories)
        left, base = model.tasks.users(user.vector, task)
        logits = self._similarities(user)
        logits *= model.tasks.scale(task)
        logits += row_products(left, self.items.candidates)
        logits += base[:, None]
        return logits

    @one_blas_thread()
    def nearness(self, histories: UserHistories) -> np.ndarray:
        """Return g x_u·o_i plus the similarity to the mean text, float32 [users, items], for retrieval."""
        model, user = self.model, self.model.user(histories)
        fused = row_products(model.head("gain") * user.vector, self.items.candidates)
        fused += row_products(model.head("scale") * user.text, self.items.texts)
        return fused

    @one_blas_thread()
    def user_vectors(self, histories: UserHistories) -> np.ndarray:
        """Return the vectors whose products with `item_vectors` are `nearness`, float32 [users, width + text width]."""
        user = self.model.user(histories)
        return np.concatenate([self.model.head("gain") * user.vector, self.model.head("scale") * user.text], axis=1)

    def item_vectors(self, rows: slice) -> np.ndarray:
        """Return the vectors of some items as `nearness` reads them, float32 [items of `rows`, width + text width]."""
        return np.concatenate([self.items.candidates[rows], self.items.texts[rows]], axis=1)

    def _similarities(self, user: UserArrays) -> np.ndarray:
        if self.model.config.similarity == "user":
            return row_products(user.text, self.items.texts)
        out = np.zeros((len(user), len(self.items.texts)), np.float32)
        for number in range(len(user)):
            entries = slice(user.offsets[number], user.offsets[number + 1])
            if user.weights[entries].size:
                cosines = row_products(user.items.texts[user.row[entries]], self.items.texts)
                out[number] = attention_similarity(
                    cosines, user.weights[entries, None], self.model.head("sharpness"), 0
                )
        return out

    def _add_prices(self, logits: np.ndarray, level: np.ndarray) -> None:
        """Add price(u, i) where both prices are known."""
        linear, square = self.model.head("price_linear"), self.model.head("price_square")
        priced, users = np.flatnonzero(np.isfinite(self.items.prices)), np.flatnonzero(np.isfinite(level))
        if not (linear or square) or not len(priced) or not len(users):
            return
        distance = self.items.prices[priced] - level[users, None]
        logits[np.ix_(users, priced)] += linear * distance + square * distance**2

    def _deep_mlp(self, vector: np.ndarray) -> np.ndarray:
        """MLP([x_u, o_i]) with several hidden layers: float32 [users, items].

        Every product is of one user, in a shape that the catalogue determines.
        """
        of_users, of_items = self.model.hidden_of_users(vector), self.model.hidden_of_items
        out = np.empty((len(vector), len(of_items)), np.float32)
        for number, user in enumerate(of_users):
            for start in range(0, len(of_items), _TILE_ITEMS):
                part = slice(start, start + _TILE_ITEMS)
                x = np.maximum(user + of_items[part], 0)
                for kernel, bias in self.model.middle:
                    x = np.maximum(x @ kernel + bias, 0)
                out[number, part] = pair_dots(x, self.model.head("last/kernel")[:, 0])
        return out

    @cached_property
    def _scaled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Parts of `_shallow_mlp`: the units with w_h ≠ 0, their |w_h|, and |w_h| b_ih, [active units, items]."""
        last = self.model.head("last/kernel")[:, 0]
        active = np.flatnonzero(last)
        size = np.abs(last[active])
        return active, size, np.ascontiguousarray((self.model.hidden_of_items[:, active] * size).T)

    def _shallow_mlp(self, vector: np.ndarray) -> np.ndarray:
        """MLP([x_u, o_i]) with one hidden layer: float32 [users, items].

        Σ_h w_h relu(a_uh + b_ih) = Σ_h w_h a_uh + Σ_h sign(w_h) max(|w_h| b_ih, −|w_h| a_uh): only the last sum is over
        pairs, and each of its terms takes two passes over a tile that stays in the core's cache.
        """
        last = self.model.head("last/kernel")[:, 0]
        active, size, items = self._scaled
        hidden = self.model.hidden_of_users(vector)
        out = np.repeat(pair_dots(hidden, last)[:, None], len(self.items.candidates), axis=1)
        users, positive = hidden[:, active] * -size, last[active] > 0
        tiles = [
            (slice(row, row + _TILE_USERS), slice(column, column + _TILE_ITEMS))
            for column in range(0, out.shape[1], _TILE_ITEMS)
            for row in range(0, len(out), _TILE_USERS)
        ]

        def add(tile: tuple[slice, slice]) -> None:
            rows, columns = tile
            _add_maxima(out[rows, columns], users[rows], items[:, columns], positive)

        if len(tiles) == 1:
            add(tiles[0])
            return out
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:  # NumPy releases the GIL
            list(threads.map(add, tiles))
        return out


def attention_similarity(cosines: np.ndarray, weights: np.ndarray, sharpness: np.ndarray, axis: int) -> np.ndarray:
    """Return sim(u, i) by attention to the history, see InterestHead; float32 [candidates].

    Args:
        cosines: float32, of entries and candidates; entries, at least one, are along `axis`.
        weights: float32, attention logits of the entries, broadcast along the other axis.
    """
    share = sharpness * cosines
    share += weights
    share -= share.max(axis=axis, keepdims=True)
    np.exp(share, out=share)
    total = share.sum(axis=axis)
    share *= cosines
    return share.sum(axis=axis) / total


def _add_maxima(out: np.ndarray, user: np.ndarray, items: np.ndarray, positive: np.ndarray) -> None:
    """out[u, i] += Σ_h ± max(user[u, h], items[h, i]), where `positive` is bool [hidden]."""
    tile = np.empty(out.shape, np.float32)
    for h, is_positive in enumerate(positive):
        np.maximum(user[:, h, None], items[h], out=tile)
        (np.add if is_positive else np.subtract)(out, tile, out=out)
