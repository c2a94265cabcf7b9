"""Logits of users for the whole catalogue; terms of items alone are computed once."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from interestrec.model.backend import tf
from interestrec.model.head import MATCH_SMOOTHING, InterestHead, UserSide
from interestrec.model.two_tower import History, ItemArrays, TwoTower

_CELLS = 1 << 22  # pairs × values per pair that are in memory at one time
_TILE_USERS, _TILE_ITEMS = 16, 16384  # a tile of pairs fits a core's cache


class CatalogueLogits:
    """The head over all items, split into user terms, item terms and terms of pairs."""

    def __init__(self, model: TwoTower, items: ItemArrays) -> None:
        self.model = model
        self.items = items
        self._mlp = self._deep_mlp if model.head.middle else _shallow_mlp(model.head, items.candidates)

    def order(self, history: History, moments: np.ndarray) -> np.ndarray:
        """Return the logits of TwoTower.order for all items, up to rounding.

        Args:
            history: of arrays.
            moments: float32 [items, ITEM_FEATURES], at the one time of all requests.

        Returns:
            float32 [users, items].
        """
        head, user = self.model.head, self._side(history)
        logits = self._similarities(user)
        logits *= head.scale.numpy()
        self._add_matches(logits, np.asarray(history.categories), np.asarray(history.intensity) > 0)
        vector = user.vector.numpy()
        logits += (head.gain.numpy() * vector) @ self.items.candidates.T
        logits += self._mlp(vector)
        self._add_prices(logits, user.price.numpy())
        logits += self.model.moment_terms.catalogue(moments, np.asarray(history.moments))
        return logits

    def strength(self, history: History) -> np.ndarray:
        """Return the logits of TwoTower.strength for all items, float32 [users, items]; argument as in `order`."""
        head, user = self.model.head, self._side(history)
        vector, items = user.vector.numpy(), self.items.candidates
        logits = self._similarities(user)
        logits *= head.strength_scale.numpy()
        logits += (vector * head.strength_pair.numpy()) @ items.T
        logits += (vector @ head.strength_user.numpy())[:, None] + items @ head.strength_item.numpy()
        return logits + head.strength_bias.numpy()

    def nearness(self, history: History) -> np.ndarray:
        """Return g x_u·o_i plus the similarity to the mean text, float32 [users, items], for retrieval."""
        head, user = self.model.head, self._side(history)
        fused = (head.gain.numpy() * user.vector.numpy()) @ self.items.candidates.T
        return fused + head.scale.numpy() * (user.text.numpy() @ self.items.texts.T)

    def _side(self, history: History) -> UserSide:
        return self.model.compiled.user(History(*(tf.constant(part) for part in history)))

    def _similarities(self, user: UserSide) -> np.ndarray:
        if self.model.head.similarity == "user":
            return user.text.numpy() @ self.items.texts.T
        users, length = user.weights.shape
        out = np.empty((users, len(self.items.texts)), np.float32)
        step = max(_CELLS // (users * length), 1)
        for start in range(0, out.shape[1], step):
            items = tf.constant(self.items.texts[None, start : start + step])
            similarities = self.model.compiled.attention_similarity(user.texts, user.weights, items)
            out[:, start : start + step] = similarities.numpy()
        return out

    def _add_matches(self, logits: np.ndarray, history: np.ndarray, present: np.ndarray) -> None:
        """Add Σ_l w_l match_l: one value per user and category, looked up by the items' categories."""
        total = present.sum(axis=1, keepdims=True) + MATCH_SMOOTHING
        for level, weight in enumerate(self.model.head.match.numpy()):
            codes = int(self.items.categories[:, level].max(initial=-1)) + 1
            if not codes or not weight:
                continue
            counts = np.zeros((len(logits), codes + 1), np.float32)  # the last column stands for no category
            history_codes = history[:, :, level]
            user, event = np.nonzero(present & (history_codes >= 0) & (history_codes < codes))
            np.add.at(counts, (user, history_codes[user, event]), 1.0)
            logits += np.take(weight * np.sqrt(counts / total), self.items.categories[:, level], axis=1, mode="wrap")

    def _add_prices(self, logits: np.ndarray, level: np.ndarray) -> None:
        """Add price(u, i) where both prices are known."""
        linear, square = (weight.numpy() for weight in (self.model.head.price_linear, self.model.head.price_square))
        priced, users = np.flatnonzero(np.isfinite(self.items.prices)), np.flatnonzero(np.isfinite(level))
        if not (linear or square) or not len(priced) or not len(users):
            return
        distance = self.items.prices[priced] - level[users, None]
        logits[np.ix_(users, priced)] += linear * distance + square * distance**2

    def _deep_mlp(self, user: np.ndarray) -> np.ndarray:
        """MLP([x_u, o_i]) with several hidden layers: float32 [users, items]."""
        out = np.empty((len(user), len(self.items.candidates)), np.float32)
        step = max(_CELLS // (len(user) * self.model.head.first_user.units), 1)
        for start in range(0, out.shape[1], step):
            items = tf.constant(self.items.candidates[None, start : start + step])
            out[:, start : start + step] = self.model.compiled.mlp(tf.constant(user), items).numpy()
        return out


def _shallow_mlp(head: InterestHead, vectors: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return MLP([x_u, o_i]) with one hidden layer as a function from user vectors [users, width] to [users, items].

    Σ_h w_h relu(a_uh + b_ih) = ½ Σ_h w_h a_uh + ½ Σ_h w_h b_ih + ½ Σ_h sign(w_h) | |w_h| a_uh + |w_h| b_ih |: only the
    last sum is over pairs, and each of its terms takes three passes over a tile that stays in the core's cache.
    """
    last = head.last.kernel.numpy()[:, 0]
    user_kernel, user_bias = (weight.numpy() for weight in head.first_user.weights)
    items = vectors @ head.first_item.kernel.numpy()
    linear = 0.5 * (items @ last)
    active = np.flatnonzero(last)
    sign, half = np.sign(last[active]), 0.5 * np.abs(last[active])
    scaled_items = np.ascontiguousarray((items[:, active] * half).T)

    def mlp(user: np.ndarray) -> np.ndarray:
        hidden = user @ user_kernel + user_bias
        out = (0.5 * (hidden @ last))[:, None] + linear
        scaled = hidden[:, active] * half
        rows = np.array_split(
            np.arange(len(user)), max(len(user) // _TILE_USERS, 1)
        )  # no tile of a single remaining row
        tiles = [
            (slice(part[0], part[-1] + 1), slice(start, start + _TILE_ITEMS))
            for start in range(0, len(vectors), _TILE_ITEMS)
            for part in rows
            if len(part)
        ]

        def add(tile: tuple[slice, slice]) -> None:
            users, columns = tile
            _add_absolute_sums(out[users, columns], scaled[users], scaled_items[:, columns], sign)

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:  # NumPy releases the GIL
            list(threads.map(add, tiles))
        return out

    return mlp


def _add_absolute_sums(out: np.ndarray, user: np.ndarray, items: np.ndarray, sign: np.ndarray) -> None:
    """out[u, i] += Σ_h sign_h |user[u, h] + items[h, i]|."""
    tile = np.empty(out.shape, np.float32)
    for h, positive in enumerate(sign > 0):
        np.add(user[:, h, None], items[h], out=tile)
        np.abs(tile, out=tile)
        (np.add if positive else np.subtract)(out, tile, out=out)
