"""Batches: padded indices into distinct items, so that a step encodes each item once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.core.prefetch import prefetch

if TYPE_CHECKING:
    from interestrec.corpus.store import Timelines
    from interestrec.training.examples import Examples
    from interestrec.training.negative_source import Negatives


@dataclass(frozen=True)
class Batch:
    """Examples as indices into `distinct`; padding has index 0 and is marked by `intensity` and `present`."""

    distinct: np.ndarray  # int32 [items]
    history: np.ndarray  # int32 [examples, length]
    intensity: np.ndarray  # float32 [examples, length], 0 at padding
    candidates: np.ndarray  # int32 [examples, candidates]
    labels: np.ndarray  # float32 [examples, candidates], 0 at sampled negatives and padding
    present: np.ndarray  # bool [examples, candidates], False at padding
    known: np.ndarray  # bool [examples, candidates], False at sampled negatives and padding
    log_rate: np.ndarray  # float32 [examples, candidates], log sampling rates; 0 if shown
    row: np.ndarray  # int64 [examples], as in Examples

    def __len__(self) -> int:
        return len(self.row)

    def split(self, slices: int) -> list[Batch]:
        """Divide the batch into `slices` batches of consecutive examples, some of which may be empty."""
        return [self._part(rows) for rows in np.array_split(np.arange(len(self)), slices)] if slices > 1 else [self]

    def _part(self, rows: np.ndarray) -> Batch:
        history, candidates = self.history[rows], self.candidates[rows]
        items, index = np.unique(np.concatenate([history.ravel(), candidates.ravel()]), return_inverse=True)
        return Batch(
            distinct=self.distinct[items],
            history=index[: history.size].reshape(history.shape).astype(np.int32),
            intensity=self.intensity[rows],
            candidates=index[history.size :].reshape(candidates.shape).astype(np.int32),
            labels=self.labels[rows],
            present=self.present[rows],
            known=self.known[rows],
            log_rate=self.log_rate[rows],
            row=self.row[rows],
        )


@dataclass(frozen=True)
class BatchLimits:
    """Limits of a batch: its number of examples, and of tokens in the texts of its distinct items."""

    examples: int
    tokens: int | None = None
    lengths: np.ndarray | None = None  # int64 [texts], tokens of each item's text, then of documents; with `tokens`


def batch_offsets(
    examples: Examples, timelines: Timelines, order: np.ndarray, limits: BatchLimits, max_history: int
) -> np.ndarray:
    """Return where each batch begins in `order`, and the end of the last: int64 [batches + 1].

    Sampled negatives do not count. An example that exceeds the limit is a batch of its own.
    """
    if limits.tokens is None or limits.lengths is None:
        return np.append(np.arange(0, len(order), limits.examples), len(order))
    begins, included, tokens = [0], set[int](), 0
    for place, example in enumerate(order):
        history = _history_texts(examples, int(example), timelines, max_history)
        candidates = examples.item[examples.offsets[example] : examples.offsets[example + 1]]
        items = set(history.tolist()) | set(candidates.tolist())
        more = int(limits.lengths[list(items - included)].sum())
        if place > begins[-1] and (place - begins[-1] >= limits.examples or tokens + more > limits.tokens):
            begins.append(place)
            included, tokens, more = set(), 0, int(limits.lengths[list(items)].sum())
        included |= items
        tokens += more
    return np.append(begins, len(order)) if len(order) else np.zeros(1, np.int64)


def _history_texts(examples: Examples, example: int, timelines: Timelines, max_history: int) -> np.ndarray:
    """Return the texts of one example's history: its items, or its document if it has one."""
    if examples.document is not None:
        document = examples.document[example : example + 1]
        return document[document >= 0]
    end = examples.end[example]
    return timelines.item[max(examples.start[example], end - max_history) : end]


def iterate_batches(
    examples: Examples,
    timelines: Timelines,
    source: Negatives,
    order: np.ndarray,
    offsets: np.ndarray,
    max_history: int,
    seed: list[int],
    done: int = 0,
) -> Iterator[Batch]:
    """Yield the batches of examples in `order` after the first `done`; `offsets` are those of `batch_offsets`.

    Negatives are a function of seed and batch number, so that a run resumes at a batch number. Batches are
    prefetched.
    """

    def batch(number: int) -> Batch:
        rows = order[offsets[number] : offsets[number + 1]]
        rng = np.random.default_rng([*seed, number])
        return build_batch(examples.select(rows), timelines, source, max_history, rng)

    return prefetch(range(done, len(offsets) - 1), batch)


def build_batch(
    examples: Examples, timelines: Timelines, source: Negatives, max_history: int, rng: np.random.Generator
) -> Batch:
    """Build a batch with the `max_history` most recent events of each history.

    Only examples with `sampled` get negatives; the others are padded. A negative that is a candidate of the example or
    anywhere in its history, including older events, is an accidental hit and is left out.
    """
    history, intensity = example_histories(examples, timelines, max_history)
    width = int(np.diff(examples.offsets).max())
    row, inside = ragged.padded(examples.offsets[:-1], examples.offsets[1:], width)
    candidates = np.where(inside, examples.item[row], 0)
    labels = np.where(inside, examples.label[row], 0.0)
    present = inside
    log_rate = np.zeros(inside.shape, np.float32)
    if examples.sampled.any():
        negatives = source.draw(examples, rng)
        hit = accidental_hits(negatives, examples, timelines)
        candidates = np.concatenate([candidates, negatives], axis=1)
        labels = np.concatenate([labels, np.zeros(negatives.shape)], axis=1)
        present = np.concatenate([inside, ~hit & examples.sampled[:, None]], axis=1)
        log_rate = np.where(examples.sampled[:, None], source.log_rate(candidates), 0.0)
    known = np.zeros(present.shape, bool)
    known[:, :width] = inside
    distinct, index = np.unique(np.concatenate([history.ravel(), candidates.ravel()]), return_inverse=True)
    return Batch(
        distinct=distinct.astype(np.int32),
        history=index[: history.size].reshape(history.shape).astype(np.int32),
        intensity=intensity,
        candidates=index[history.size :].reshape(candidates.shape).astype(np.int32),
        labels=labels.astype(np.float32),
        present=present,
        known=known,
        log_rate=log_rate.astype(np.float32),
        row=examples.row,
    )


def accidental_hits(negatives: np.ndarray, examples: Examples, timelines: Timelines) -> np.ndarray:
    """Whether each negative is in the example's whole history or among its candidates: bool [examples, count]."""
    example = np.arange(len(examples))
    offsets, rows = ragged.ranges(examples.start, examples.end)
    items = np.concatenate([timelines.item[rows], examples.item]).astype(np.int64)
    owner = np.concatenate([ragged.owner(offsets), ragged.owner(examples.offsets)])
    span = max(int(items.max(initial=0)), int(negatives.max(initial=0))) + 1
    return np.isin(example[:, None] * span + negatives, owner * span + items)


def example_histories(examples: Examples, timelines: Timelines, max_history: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the `histories` of examples; a document is a history of one item with intensity 1."""
    if examples.document is None:
        return histories(examples.start, examples.end, timelines, max_history)
    document = examples.document[:, None]
    return np.maximum(document, 0).astype(np.int32), (document >= 0).astype(np.float32)


def histories(
    start: np.ndarray, end: np.ndarray, timelines: Timelines, max_history: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the last `max_history` events of each range of timeline rows, oldest first.

    Returns:
        items int32 and intensities float32, both [ranges, longest]; padding is item 0 with intensity 0.
    """
    begin = np.maximum(start, end - max_history)
    length = max(int((end - begin).max(initial=0)), 1)
    source, inside = ragged.padded(begin, end, length)
    if len(timelines.item) == 0:
        return np.zeros(inside.shape, np.int32), np.zeros(inside.shape, np.float32)
    items = np.where(inside, timelines.item[source], 0).astype(np.int32)
    return items, np.where(inside, timelines.intensity[source], 0.0).astype(np.float32)
