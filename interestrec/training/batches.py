"""Batches: padded indices of distinct items, so that a step encodes each item once."""

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
    """Indices point into `distinct`; padding points to row 0 and is told by `intensity` and `present`."""

    distinct: np.ndarray  # int32 [items]
    history: np.ndarray  # int32 [examples, length]
    intensity: np.ndarray  # float32 [examples, length], 0 at padding
    candidates: np.ndarray  # int32 [examples, candidates]
    labels: np.ndarray  # float32 [examples, candidates], 0 at sampled negatives and padding
    present: np.ndarray  # bool [examples, candidates], False at padding
    known: np.ndarray  # bool [examples, candidates], False at sampled negatives and padding
    log_rate: np.ndarray  # float32 [examples, candidates], log of how often sampling puts it there; 0 at what was shown
    row: np.ndarray  # int64 [examples], where the log has the example

    def __len__(self) -> int:
        return len(self.row)

    def split(self, slices: int) -> list[Batch]:
        """So many batches of consecutive examples, each with the distinct items of its own; some may be empty."""
        return [self._part(rows) for rows in np.array_split(np.arange(len(self)), slices)] if slices > 1 else [self]

    def _part(self, rows: np.ndarray) -> Batch:
        history, candidates = self.history[rows], self.candidates[rows]
        used, index = np.unique(np.concatenate([history.ravel(), candidates.ravel()]), return_inverse=True)
        return Batch(
            distinct=self.distinct[used],
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
class Size:
    """Where one batch ends: after so many examples, or before its distinct items' texts have more tokens."""

    examples: int
    tokens: int | None = None
    lengths: np.ndarray | None = None  # int64 [texts], tokens of each item's text, then of documents; with `tokens`


def starts(examples: Examples, timelines: Timelines, order: np.ndarray, size: Size, max_history: int) -> np.ndarray:
    """Where in `order` each batch begins, and its end: int64 [batches + 1].

    Sampled negatives are not foreseen. An example that is larger than the limit is a batch by itself.
    """
    if size.tokens is None or size.lengths is None:
        return np.append(np.arange(0, len(order), size.examples), len(order))
    found, inside, tokens = [0], set[int](), 0
    for place, example in enumerate(order):
        read = _reads(examples, int(example), timelines, max_history)
        shown = examples.item[examples.offsets[example] : examples.offsets[example + 1]]
        items = set(read.tolist()) | set(shown.tolist())
        more = int(size.lengths[list(items - inside)].sum())
        if place > found[-1] and (place - found[-1] >= size.examples or tokens + more > size.tokens):
            found.append(place)
            inside, tokens, more = set(), 0, int(size.lengths[list(items)].sum())
        inside |= items
        tokens += more
    return np.append(found, len(order)) if len(order) else np.zeros(1, np.int64)


def _reads(examples: Examples, example: int, timelines: Timelines, max_history: int) -> np.ndarray:
    """What stands for the history of one example: items, or one document or none."""
    if examples.document is not None:
        document = examples.document[example : example + 1]
        return document[document >= 0]
    end = examples.end[example]
    return timelines.item[max(examples.start[example], end - max_history) : end]


def in_batches(
    examples: Examples,
    timelines: Timelines,
    source: Negatives,
    order: np.ndarray,
    begins: np.ndarray,
    max_history: int,
    seed: list[int],
    done: int = 0,
) -> Iterator[Batch]:
    """Batches of the examples in the given order, cut where `starts` says, without the first `done`.

    Negatives are a function of seed and batch number, so that where a run stands is a number. Batches are built ahead.
    """

    def one(number: int) -> Batch:
        chosen = order[begins[number] : begins[number + 1]]
        rng = np.random.default_rng([*seed, number])
        return build(examples.select(chosen), timelines, source, max_history, rng)

    return prefetch(range(done, len(begins) - 1), one)


def build(
    examples: Examples, timelines: Timelines, source: Negatives, max_history: int, rng: np.random.Generator
) -> Batch:
    """One batch with the `max_history` most recent events of each history.

    Every example has room for the negatives of the source, but only those with `sampled` take them. A negative that is
    anywhere in the example's history, also before those most recent events, or is its own candidate is an accidental
    hit and is left out.
    """
    history, intensity = history_of(examples, timelines, max_history)
    width = int(np.diff(examples.offsets).max())
    row, inside = ragged.padded(examples.offsets[:-1], examples.offsets[1:], width)
    candidates = np.where(inside, examples.item[row], 0)
    labels = np.where(inside, examples.label[row], 0.0)
    present = inside
    log_rate = np.zeros(inside.shape, np.float32)
    if examples.sampled.any():
        negatives = source.draw(examples, rng)
        hit = taken(negatives, examples, timelines)
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


def taken(negatives: np.ndarray, examples: Examples, timelines: Timelines) -> np.ndarray:
    """bool [examples, count]: the item is in the example's whole history or among its candidates."""
    example = np.arange(len(examples))
    offsets, rows = ragged.ranges(examples.start, examples.end)
    items = np.concatenate([timelines.item[rows], examples.item]).astype(np.int64)
    owner = np.concatenate([ragged.owner(offsets), ragged.owner(examples.offsets)])
    span = max(int(items.max(initial=0)), int(negatives.max(initial=0))) + 1
    return np.isin(example[:, None] * span + negatives, owner * span + items)


def history_of(examples: Examples, timelines: Timelines, max_history: int) -> tuple[np.ndarray, np.ndarray]:
    """`histories` of examples; a document is a history of one item with intensity 1."""
    if examples.document is None:
        return histories(examples.start, examples.end, timelines, max_history)
    document = examples.document[:, None]
    return np.maximum(document, 0).astype(np.int32), (document >= 0).astype(np.float32)


def histories(
    start: np.ndarray, end: np.ndarray, timelines: Timelines, max_history: int
) -> tuple[np.ndarray, np.ndarray]:
    """The last `max_history` events of each range of timeline rows, oldest first.

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
