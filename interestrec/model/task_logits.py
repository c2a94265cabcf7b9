"""Scores of tasks and the ranking by them, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interestrec.core.deferred_import import np
from interestrec.core.row_products import pair_dots, row_products
from interestrec.model.rank_formula import ORDER
from interestrec.model.tasks import TASKS
from interestrec.model.two_tower_config import ModelTask, TwoTowerConfig

if TYPE_CHECKING:
    from interestrec.model.two_tower import TwoTower

Calibrations = Mapping[str, Mapping[str, Any]]  # of tasks, by name


class TaskArrays:
    """TaskHeads of a trained model over plain weights; the bits of a user do not depend on the others."""

    def __init__(self, config: TwoTowerConfig, weights: Mapping[str, np.ndarray]) -> None:
        """`weights` by the names of the model's file, float32."""
        self.tasks, self.experts = config.tasks, config.experts
        self.width = config.width
        self.weights = {
            name.removeprefix("task_heads/"): value for name, value in weights.items() if name.startswith("task_heads/")
        }

    def users(self, vector: np.ndarray, task: int) -> tuple[np.ndarray, np.ndarray]:
        """Return k ∘ x_ut + q, float32 [users, width], and p·x_ut + b, float32 [users], of a task by its number."""
        own, weights = self._mixed(vector, task), self.weights
        base = pair_dots(own, weights["user"][task]) + weights["bias"][task]
        return own * weights["pair"][task] + weights["item"][task], base

    def scale(self, task: int) -> np.float32:
        """Return c, the weight of the similarity."""
        return self.weights["scale"][task]

    def thresholds(self, task: int) -> list[float]:
        """Return the rising thresholds of a task."""
        return rising(self.weights.get(f"thresholds_{task}", np.zeros(0, np.float32)))

    def _mixed(self, vector: np.ndarray, task: int) -> np.ndarray:
        """Return x_ut, float32 [users, width]."""
        if not self.experts:
            return vector
        gates = row_products(vector, self._gates[task])
        gates -= gates.max(axis=1, keepdims=True)
        share = np.exp(gates)
        total = share[:, 0].copy()
        for number in range(1, self.experts):
            total += share[:, number]
        found = vector.copy()
        for number, (first, bias, second) in enumerate(self._experts):
            hidden = np.maximum(row_products(vector, first) + bias, 0)
            found += (share[:, number] / total)[:, None] * row_products(hidden, second)
        return found

    @cached_property
    def _experts(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        first, bias, second = (self.weights[f"expert_{name}"] for name in ("first", "bias", "second"))
        parts = [slice(n * self.width, (n + 1) * self.width) for n in range(self.experts)]
        return [
            (np.ascontiguousarray(first[:, part].T), bias[part], np.ascontiguousarray(second[n].T))
            for n, part in enumerate(parts)
        ]

    @cached_property
    def _gates(self) -> list[np.ndarray]:
        gate = self.weights["gate"].T.reshape(len(self.tasks), self.experts, self.width)
        return [np.ascontiguousarray(part) for part in gate]


def rising(raw: np.ndarray) -> list[float]:
    """Return b_0 = r_0, b_k = b_{k-1} + log(1 + exp(r_k)) of raw thresholds r."""
    return np.cumsum(np.concatenate([raw[:1], np.logaddexp(0, raw[1:])])).tolist()


def task_thresholds(model: TwoTower, number: int) -> list[float]:
    """Return the rising thresholds of a task by the current weights of a model."""
    assert model.task_heads is not None
    return rising(model.task_heads.thresholds_of(number).numpy())


def task_parameters(task: ModelTask, thresholds: Sequence[float], calibrations: Calibrations) -> dict[str, Any]:
    """Return the parameters of a task with its thresholds and its calibration, if it has one."""
    own = {"thresholds": list(thresholds)} if thresholds else {}
    return {**task.parameters, **own, **calibrations.get(task.name, {})}


def ranking_scores(
    config: TwoTowerConfig,
    order: np.ndarray | None,
    scores: Mapping[str, np.ndarray],
    parameters: Mapping[str, Mapping[str, Any]],
) -> np.ndarray:
    """Return Σ power · log E[task], float32 of the shape of scores; `order` counts as the logit of order.

    Args:
        order: logits of order; None if the formula does not name them.
        scores: of the tasks that the formula names.
        parameters: of the same tasks, with calibration.
    """
    kinds = {task.name: TASKS[task.kind] for task in config.tasks}
    total: np.ndarray | None = None
    for name, power in config.rank_by:
        if name == ORDER:
            assert order is not None
            part = order
        else:
            part = kinds[name].log_expected(scores[name], parameters[name])
        part = np.float32(power) * part
        total = part if total is None else total + part
    assert total is not None
    return total
