"""Validation during training: what decides when a phase stops, and the scores behind it."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from interestrec.core import ragged
from interestrec.metrics.ranked_lists import rank_lists
from interestrec.metrics.ranking import auc
from interestrec.metrics.task_metrics import TaskRows
from interestrec.model.backend import tf
from interestrec.model.task_logits import ranking_scores, task_parameters, task_thresholds
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_config import ItemCodes
from interestrec.training.batches import Batch, BatchBuilder
from interestrec.training.examples import Examples
from interestrec.training.item_vectors import TextVectorSource
from interestrec.training.negative_source import Negatives
from interestrec.training.objective import tower_arrays

_BATCH = 256
_MAX_EXAMPLES = 4096  # the standard error of their AUC is below 0.005


class ValidFigures(NamedTuple):
    """Figures of the current weights on valid_select."""

    decides: str  # the figure that early stopping goes by; higher is better
    values: Mapping[str, float]


def validation_batches(examples: Examples, builder: BatchBuilder, source: Negatives, seed: int) -> list[Batch]:
    """Return at most 4096 of the examples as batches, with negatives fixed by the seed."""
    rng = np.random.default_rng([seed, 1])
    rows = _draw_positions(examples, rng)
    starts = range(0, len(rows), _BATCH)
    return [builder.build(examples.select(rows[s : s + _BATCH]), source, rng) for s in starts]


def validation_positions(examples: Examples, seed: int) -> np.ndarray:
    """Return the positions of the examples in `validation_batches`, int64 [at most 4096]."""
    return _draw_positions(examples, np.random.default_rng([seed, 1]))


def _draw_positions(examples: Examples, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.permutation(len(examples))[:_MAX_EXAMPLES])


class ValidationScores:
    """Scores of fixed batches by the model's current weights."""

    def __init__(self, model: TwoTower, texts: TextVectorSource, codes: ItemCodes, user_features: np.ndarray) -> None:
        """`user_features` are those of all users, packed."""
        self.model = model
        self.texts = texts
        self.codes = codes
        self.user_features = user_features
        self._forward = tf.function(model, reduce_retracing=True, autograph=False)

    def logits(self, batches: list[Batch]) -> list[tuple[np.ndarray, ...]]:
        """Return the logits of order and of strength of each batch, and scores of tasks, as TwoTower does."""
        items = np.unique(np.concatenate([batch.distinct for batch in batches]))
        vectors = self.texts.current_vectors(items)
        found = []
        for batch in batches:
            towers = tower_arrays(batch, self.codes, self.user_features)
            outputs = self._forward(vectors[np.searchsorted(items, batch.distinct)], *towers)
            found.append(tuple(output.numpy() for output in outputs))
        return found

    def mean_auc(self, batches: list[Batch], relevant_from: float) -> float:
        """Return the mean AUC of examples with both classes, where labels of at least `relevant_from` are relevant.

        It is 0.5, chance, if no example has both classes.
        """
        values = []
        for batch, outputs in zip(batches, self.logits(batches), strict=True):
            logits = self._ranking(outputs)
            offsets = ragged.from_lengths(batch.present.sum(axis=1))
            hits = batch.labels[batch.present] >= relevant_from
            values.append(
                auc(rank_lists(offsets, logits[batch.present].astype(np.float64), hits, hits.astype(np.float64)))
            )
        aucs = np.concatenate(values) if values else np.zeros(0)
        return float(np.nanmean(aucs)) if np.isfinite(aucs).any() else 0.5

    def labelled(self, batches: list[Batch]) -> tuple[np.ndarray, np.ndarray]:
        """Return logits of strength and labels of all candidates with a known label, both float32 [n]."""
        if not batches:
            return np.zeros(0, np.float32), np.zeros(0, np.float32)
        logits = [outputs[1][batch.known] for batch, outputs in zip(batches, self.logits(batches), strict=True)]
        return np.concatenate(logits), np.concatenate([batch.labels[batch.known] for batch in batches])

    def _ranking(self, outputs: tuple[np.ndarray, ...]) -> np.ndarray:
        """Return what the model ranks by, of the outputs of one batch, before the tasks are calibrated."""
        config = self.model.config
        if not config.rank_by:
            return outputs[0]
        scores = {task.name: outputs[2][:, n] for n, task in enumerate(config.tasks)}
        parameters = {
            task.name: task_parameters(task, task_thresholds(self.model, n), {}) for n, task in enumerate(config.tasks)
        }
        return ranking_scores(config, outputs[0], scores, parameters)

    def task_rows(self, batches: list[Batch]) -> list[TaskRows]:
        """Return, for each task, its scores in place of predictions, with the known labels and sampled negatives."""
        outputs = self.logits(batches) if batches else []
        return [self._rows_of(n, batches, [found[2][:, n] for found in outputs]) for n in range(self._tasks)]

    @property
    def _tasks(self) -> int:
        return len(self.model.config.tasks)

    def _rows_of(self, number: int, batches: list[Batch], scores: list[np.ndarray]) -> TaskRows:
        parts = [(np.zeros(0, np.int64), *[np.zeros(0)] * 3)]
        for batch, found in zip(batches, scores, strict=True):
            assert batch.targets is not None
            labels = batch.targets[..., number]
            known = np.isfinite(labels)
            user = np.broadcast_to(batch.user[:, None], found.shape)
            own = slice(labels.shape[1])
            parts.append((user[:, own][known], labels[known], found[:, own][known], np.ones(int(known.sum()))))
            if self.model.config.tasks[number].negatives:
                drawn = batch.drawn
                rates = np.exp(-batch.log_rate[drawn].astype(np.float64))
                parts.append((user[drawn], np.zeros(len(rates)), found[drawn], rates))
        return TaskRows(*(np.concatenate(part) for part in zip(*parts, strict=True)))
