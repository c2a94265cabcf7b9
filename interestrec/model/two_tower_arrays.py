"""The trained two-tower model over plain weights, without TensorFlow: what all logits of scoring are made of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from interestrec.core.deferred_import import np
from interestrec.core.row_products import pair_dots, row_products
from interestrec.model.read_weights import read_shapes
from interestrec.model.task_logits import TaskArrays
from interestrec.model.two_tower_config import ItemArrays, TwoTowerConfig
from interestrec.model.user_arrays import UserTowerArrays


class TwoTowerArrays:
    """A trained TwoTower with the arrays of items; dropout has no part in scoring."""

    def __init__(self, config: TwoTowerConfig, weights: Mapping[str, np.ndarray], items: ItemArrays) -> None:
        """
        Args:
            weights: float32 by the names of `TwoTower.export_weights`; those of items' texts and features are not read.
        """
        self.config = config
        self.weights = {name: weights[name] for name in read_shapes(config)}
        self.items = items
        self.user = UserTowerArrays(config, self.weights)
        self.tasks = TaskArrays(config, self.weights)
        self.middle = [
            (self.weights[f"head/middle_{number}/kernel"], self.weights[f"head/middle_{number}/bias"])
            for number in range(len(config.hidden) - 1)
        ]

    def head(self, name: str) -> np.ndarray:
        """Return a weight of the head."""
        return self.weights[f"head/{name}"]

    def hidden_of_users(self, vector: np.ndarray) -> np.ndarray:
        """Return the users' part of the MLP's first layer, float32 [users, hidden], from x_u."""
        return row_products(vector, self.head("first_user/kernel").T) + self.head("first_user/bias")

    @cached_property
    def hidden_of_items(self) -> np.ndarray:
        """The items' part of the MLP's first layer, float32 [items, hidden]."""
        return row_products(self.items.candidates, self.head("first_item/kernel").T)

    @cached_property
    def strength_of_items(self) -> np.ndarray:
        """q·o_i of the strength of interest, float32 [items]."""
        return pair_dots(self.items.candidates, self.head("strength_item"))

    def moments_of_users(self, moments: np.ndarray) -> np.ndarray:
        """Return a + A g of MomentTerms, float32 [users, width], from float32 [users, USER_FEATURES]."""
        return self.weights["moment_terms/shared"] + row_products(moments, self.weights["moment_terms/personal"].T)

    def moments_of_items(self, moments: np.ndarray) -> np.ndarray:
        """Return φ(c) of MomentTerms, float32 [n, width], from float32 [n, ITEM_FEATURES]."""
        hidden = row_products(moments, self.weights["moment_terms/first/kernel"].T)
        hidden += self.weights["moment_terms/first/bias"]
        return np.concatenate([moments, np.maximum(hidden, 0, out=hidden)], axis=1)
