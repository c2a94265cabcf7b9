"""Logits of users for candidates of their own, without TensorFlow."""

from __future__ import annotations

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.core.row_products import one_blas_thread, pair_dots, row_products
from interestrec.model.catalogue_logits import attention_similarity
from interestrec.model.category_matches import category_matches
from interestrec.model.two_tower_arrays import TwoTowerArrays
from interestrec.model.user_arrays import UserArrays, UserHistories


class PairLogits:
    """The head over pairs of users and items; the bits of a pair depend on it and on the user's history alone."""

    def __init__(self, model: TwoTowerArrays) -> None:
        self.model = model
        self.items = model.items

    @one_blas_thread()
    def order(self, histories: UserHistories, offsets: np.ndarray, item: np.ndarray, moments: np.ndarray) -> np.ndarray:
        """Return the logits of order of TwoTower, up to rounding.

        Args:
            offsets: int64 [users + 1]; the candidates of user u are `item[offsets[u]:offsets[u + 1]]`.
            item: int [candidates].
            moments: float32 [candidates, ITEM_FEATURES].

        Returns:
            float32 [candidates].
        """
        model, user, owner = self.model, self.model.user(histories), ragged.owner(offsets)
        candidates = self.items.candidates[item]
        logits = model.head("scale") * self._similarities(user, offsets, item)
        for level, match in enumerate(category_matches(user, self.items.categories, model.head("match"))):
            if match is not None:
                logits += match[owner, self.items.categories[item, level]]
        logits += pair_dots((model.head("gain") * user.vector)[owner], candidates)
        logits += self._mlp(model.hidden_of_users(user.vector)[owner] + model.hidden_of_items[item])
        above = self.items.prices[item] - user.price[owner]
        above[~np.isfinite(above)] = 0.0
        logits += model.head("price_linear") * above + model.head("price_square") * np.square(above)
        of_users = model.moments_of_users(user.moments)
        logits += pair_dots(of_users[owner], model.moments_of_items(moments))
        return logits

    @one_blas_thread()
    def strength(self, histories: UserHistories, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Return the logits of strength of TwoTower, up to rounding; arguments and value as in `order`."""
        model, user, owner = self.model, self.model.user(histories), ragged.owner(offsets)
        logits = model.head("strength_scale") * self._similarities(user, offsets, item)
        logits += pair_dots((user.vector * model.head("strength_pair"))[owner], self.items.candidates[item])
        logits += pair_dots(user.vector, model.head("strength_user"))[owner] + model.strength_of_items[item]
        return logits + model.head("strength_bias")

    @one_blas_thread()
    def task(self, histories: UserHistories, offsets: np.ndarray, item: np.ndarray, task: int) -> np.ndarray:
        """Return the scores of a task, by its number, of TwoTower, up to rounding; the others as in `order`."""
        model, user, owner = self.model, self.model.user(histories), ragged.owner(offsets)
        left, base = model.tasks.users(user.vector, task)
        logits = model.tasks.scale(task) * self._similarities(user, offsets, item)
        logits += pair_dots(left[owner], self.items.candidates[item])
        return logits + base[owner]

    def _similarities(self, user: UserArrays, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """sim(u, i) of all candidates, float32 [candidates]."""
        texts = self.items.texts
        if self.model.config.similarity == "user":
            return pair_dots(user.text[ragged.owner(offsets)], texts[item])
        out = np.zeros(len(item), np.float32)
        for number in range(len(user)):
            own, entries = slice(*offsets[number : number + 2]), slice(*user.offsets[number : number + 2])
            weights = user.weights[entries]
            if len(weights) and own.stop > own.start:
                cosines = row_products(texts[item[own]], user.items.texts[user.row[entries]])
                out[own] = attention_similarity(cosines, weights, self.model.head("sharpness"), 1)
        return out

    def _mlp(self, pairs: np.ndarray) -> np.ndarray:
        """The MLP of pairs from the sums of its first layer, float32 [candidates]."""
        x = np.maximum(pairs, 0)
        for kernel, bias in self.model.middle:
            x = np.maximum(row_products(x, kernel.T) + bias, 0)
        return pair_dots(x, self.model.head("last/kernel")[:, 0])
