"""Sequence: a causal transformer over item ids that expects the next items of a history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.core.row_products import one_blas_thread, row_products
from interestrec.core.section import Count, Fraction, Positive, Section
from interestrec.scorers.definition import EVENTS, KEPT, ScorerDefinition
from interestrec.scorers.interactions import item_positions
from interestrec.scorers.requests import Events, Requests, candidates_of_catalogue

if TYPE_CHECKING:
    from interestrec.model.next_item_arrays import NextItemArrays
    from interestrec.scorers.sequence_steps import HistorySteps
    from interestrec.scorers.step_batches import StepBatches
    from interestrec.training.training_checkpoint import CheckpointStore

_WEIGHTS = "weights."  # prefix of the model's weights among the arrays
_REQUESTS = 256  # whose histories are read at once


class SequenceSettings(Section):
    """Settings of `sequence`: a causal transformer over item ids."""

    width: Count = 64
    """Length of the vectors of items and steps, a multiple of `heads`; longer ones fit more and cost more time."""
    blocks: Count = 2
    """Transformer blocks; more fit more and cost more time."""
    heads: Count = 2
    """Attention heads of a block."""
    length: Count = 50
    """Most recent steps of a history that are read."""
    step_items: Count | None = None
    """Most items of one step. Items of equal times share steps, as their order means nothing; smaller steps learn more
    from what is taken together and cost more time. `null` = half of the mean number at equal times."""
    negatives: Count = 256
    """Items drawn at random per history that the next ones are compared with."""
    dropout: Fraction = 0.2
    """Share of values that are left out at random in training; larger acts against over-fitting."""
    learning_rate: Positive = 0.003
    """Peak step size of the optimizer; lower it where the loss is not finite."""
    batch_size: Count = 32
    """Histories per optimizer step; smaller takes more steps per epoch."""
    epochs: Count = 20
    """Passes over the events; more fit more and cost proportionally more time."""
    max_steps: Count = 4000
    """Most optimizer steps, which bound the time on large logs; there, the passes are fewer."""


@dataclass(frozen=True)
class SequenceScorer:
    """Scores items by the dot product of their vector and the model's output after the last step of the history."""

    weights: dict[str, np.ndarray]  # of NextItem by name, float32; empty if there was nothing to learn
    warm_items: np.ndarray  # int64 [warm items], corpus rows of the items with events, ascending
    n_items: int
    relevant_from: float
    step_items: int
    heads: int

    @one_blas_thread()
    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]: scores minus the lowest score of the request; 0 for items without events."""
        score = np.zeros((len(requests), self.n_items), dtype=np.float32)
        if not self.weights:
            return score
        rows, steps = self._histories(requests)
        for start in range(0, len(rows), _REQUESTS):
            part = np.arange(start, min(start + _REQUESTS, len(rows)))
            dot = row_products(self._expected(steps, part), self.weights["items"])
            score[np.ix_(rows[part], self.warm_items)] = dot - dot.min(axis=1, keepdims=True)
        return score

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        return candidates_of_catalogue(self.score_catalogue, self.n_items, requests, offsets, item)

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {
            **{f"{_WEIGHTS}{name}": value for name, value in self.weights.items()},
            "warm_items": self.warm_items,
            "n_items": np.array(self.n_items),
            "relevant_from": np.array(self.relevant_from),
            "step_items": np.array(self.step_items),
            "heads": np.array(self.heads),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(
            weights={name.removeprefix(_WEIGHTS): a for name, a in arrays.items() if name.startswith(_WEIGHTS)},
            warm_items=arrays["warm_items"],
            n_items=int(arrays["n_items"]),
            relevant_from=float(arrays["relevant_from"]),
            step_items=int(arrays["step_items"]),
            heads=int(arrays["heads"]),
        )

    def _histories(self, requests: Requests) -> tuple[np.ndarray, HistorySteps]:
        """Return the requests with a positive warm item in their history, int64 [rows], and the steps of these."""
        from interestrec.scorers.sequence_steps import HistorySteps

        position, warm = item_positions(self.warm_items, requests.item)
        kept = warm & (requests.intensity >= self.relevant_from)
        offsets = ragged.filtered(requests.offsets, kept)
        rows = np.flatnonzero(np.diff(offsets))
        offsets = np.append(offsets[rows], offsets[-1])
        steps = HistorySteps.from_entries(
            offsets, position[kept].astype(np.int32), requests.time[kept], self.step_items
        )
        return rows, steps

    def _expected(self, steps: HistorySteps, rows: np.ndarray) -> np.ndarray:
        """Return the model's output after the last step of histories, float32 [rows, width]."""
        from interestrec.model.causal_blocks import similar_lengths

        stop = steps.offsets[1:][rows]
        most = len(self.weights["positions"])
        begin = np.maximum(steps.offsets[:-1][rows], stop - most)
        expected = np.empty((len(rows), self.weights["items"].shape[1]), np.float32)
        for length, chosen in similar_lengths(stop - begin, most):
            inputs = steps.inputs(begin[chosen], stop[chosen], length)
            expected[chosen] = self._model.last_outputs(*inputs, (stop - begin)[chosen] - 1)
        return expected

    @cached_property
    def _model(self) -> NextItemArrays:
        from interestrec.model.next_item_arrays import NextItemArrays

        return NextItemArrays(self.weights, self.heads)


def fit(
    events: Events,
    relevant_from: float,
    checkpoints: Callable[[str], CheckpointStore] | None,
    width: int,
    blocks: int,
    heads: int,
    length: int,
    step_items: int | None,
    negatives: int,
    dropout: float,
    learning_rate: float,
    batch_size: int,
    epochs: int,
    max_steps: int,
    seed: int,
) -> SequenceScorer:
    """Train SASRec (Kang and McAuley 2018) with a softmax over sampled negatives, as eSASRec (Tikhonovich et al. 2025).

    Negatives are uniform over the items with events. Other positives of the batch would be drawn in proportion to their
    popularity, so that popular items are pushed down by as much as they are pulled up, and few different items are
    compared: with these negatives alone the outputs collapse.

    Items of equal times and items without times have no order: it is drawn anew in each epoch. Without any times the
    model therefore learns which items occur together. The result does not depend on the names and the order of users.

    Args:
        events: positive events.
        relevant_from: minimum intensity of a positive history entry.
        checkpoints: returns the checkpoints of a name, from which an interrupted fit resumes; None: there are none.

    Raises:
        NumericError: the loss or its gradient is not finite.
        Interrupted: a signal ended the fit; a checkpoint is saved.
    """
    from interestrec.model.next_item import NextItem, NextItemConfig
    from interestrec.scorers.sequence_steps import GAPS
    from interestrec.scorers.sequence_training import train

    warm_items = np.unique(events.item).astype(np.int64)
    batches = _batches(events, warm_items, length, step_items, negatives, batch_size, seed)
    weights: dict[str, np.ndarray] = {}
    if batches.per_epoch:
        model = NextItem(NextItemConfig(len(warm_items), GAPS, length, width, blocks, heads, dropout), seed)
        train(model, batches, learning_rate, min(epochs * batches.per_epoch, max_steps), checkpoints, seed)
        weights = model.export_weights()
    return SequenceScorer(weights, warm_items, events.n_items, relevant_from, batches.step_items, heads)


def _batches(
    events: Events,
    warm_items: np.ndarray,
    length: int,
    step_items: int | None,
    negatives: int,
    batch_size: int,
    seed: int,
) -> StepBatches:
    """Return the batches of the histories of all users, in an order that does not depend on the users' names."""
    from interestrec.scorers.sequence_steps import HistorySteps, content_order, mean_moment, windows
    from interestrec.scorers.step_batches import StepBatches

    order = np.lexsort((events.time, events.user))
    item = np.searchsorted(warm_items, events.item[order]).astype(np.int32)
    users, first = np.unique(events.user[order], return_index=True)
    offsets = np.append(first, len(order))
    by_content = content_order(offsets, item, events.time[order]) if len(users) else users
    offsets, entries = ragged.take(offsets, by_content)
    time = events.time[order][entries]
    step_items = step_items or max(round(mean_moment(offsets, time) / 2), 1)
    steps = HistorySteps.from_entries(offsets, item[entries], time, step_items)
    return StepBatches(steps, *windows(steps, length), len(warm_items), step_items, negatives, batch_size, seed)


def follow(scorer: SequenceScorer, after: Events, forgotten: np.ndarray) -> SequenceScorer:
    """Keep what was learned; new items are items without events."""
    return replace(scorer, n_items=after.n_items)


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=SequenceScorer,
    fitted_on=EVENTS,
    follows=KEPT,
    follow=follow,
    needs=("relevant_from", "checkpoints", "seed"),
    settings=SequenceSettings,
    is_baseline=False,
    component="sequence",
)
