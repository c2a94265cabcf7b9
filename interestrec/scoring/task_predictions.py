"""What the tasks of a model predict of test events, with the labels: what `evaluate` measures them by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from interestrec.core import ragged
from interestrec.corpus.event_columns import candidate_columns, timeline_columns
from interestrec.corpus.store import Corpus
from interestrec.io import schemas
from interestrec.model.two_tower_config import ModelTask
from interestrec.scorers import queries
from interestrec.scorers.requests import Requests
from interestrec.scorers.two_tower_model import TwoTowerModel, mean_of_models
from interestrec.training.label_expressions import parse_label

_IMPRESSIONS = 1 << 14  # of a block
_DRAWN = 20  # negatives of a request


def task_predictions(
    corpus: Corpus, models: Sequence[TwoTowerModel], impressions: np.ndarray, seed: int
) -> Iterator[pa.Table]:
    """Yield tables of schemas.TASK_PREDICTIONS: the mean prediction of models for each event with a known label.

    Of a task with negatives, items drawn alike for each request have label 0 and the weight of those that they stand
    for; items of the history and of the request's own events are not drawn.

    Args:
        models: of one artifact.
        impressions: int64, rows of the corpus's impressions.
        seed: of the negatives.
    """
    columns = candidate_columns(corpus, timeline_columns(corpus))
    tasks = models[0].model.config.tasks
    labels = [parse_label(task.label)(columns) for task in tasks]
    for block, start in enumerate(range(0, len(impressions), _IMPRESSIONS)):
        asked = queries.impression_queries(corpus, impressions[start : start + _IMPRESSIONS])
        for task, of_task in zip(tasks, labels, strict=True):
            known = np.isfinite(of_task[asked.rows])
            offsets, rows = ragged.filtered(asked.request_offsets, known), asked.rows[known]
            item = corpus.impressions.item[rows]
            yield _table(corpus, models, task, asked.requests, offsets, item, of_task[rows], np.ones(len(rows)))
            if task.negatives:
                offsets, item, weight = _drawn(asked, corpus, np.random.default_rng([seed, block]))
                zero = np.zeros(len(item), np.float32)
                yield _table(corpus, models, task, asked.requests, offsets, item, zero, weight)


def _drawn(
    asked: queries.ImpressionQueries, corpus: Corpus, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return negatives of requests: offsets, int64 [requests + 1], items and weights."""
    count, items = len(asked.requests), corpus.items.num_rows
    item = rng.integers(0, items, count * _DRAWN).astype(np.int32)
    owner = np.repeat(np.arange(count), _DRAWN)
    own = ragged.owner(asked.request_offsets), corpus.impressions.item[asked.rows]
    read = ragged.owner(asked.requests.offsets), asked.requests.item
    taken = np.concatenate([pair[0].astype(np.int64) * items + pair[1] for pair in (own, read)])
    kept = ~np.isin(owner.astype(np.int64) * items + item, taken)
    offsets = ragged.filtered(np.arange(count + 1) * _DRAWN, kept)
    return offsets, item[kept], np.full(int(kept.sum()), items / _DRAWN)


def _table(
    corpus: Corpus,
    models: Sequence[TwoTowerModel],
    task: ModelTask,
    requests: Requests,
    offsets: np.ndarray,
    item: np.ndarray,
    label: np.ndarray,
    weight: np.ndarray,
) -> pa.Table:
    predicted = mean_of_models([model.expected(requests, offsets, item, task.name) for model in models])
    user = ragged.repeat(offsets, requests.user)
    columns = {
        "task": pa.array([task.name] * len(item), pa.string()).dictionary_encode(),
        "kind": pa.array([task.kind] * len(item), pa.string()).dictionary_encode(),
        "user_id": corpus.users["user_id"].take(pa.array(user)),
        "item_id": corpus.items["item_id"].take(pa.array(item)),
        "label": label,
        "predicted": predicted,
        "weight": weight,
    }
    return pa.table(columns).cast(schemas.TASK_PREDICTIONS)
