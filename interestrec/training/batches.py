"""Batches: padded indices into distinct items, so that a step encodes each item once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.core.prefetch import prefetch
from interestrec.training.padded_histories import elapsed, example_histories

if TYPE_CHECKING:
    from interestrec.corpus.moments import Moments
    from interestrec.corpus.store import Timelines
    from interestrec.training.examples import Examples
    from interestrec.training.negative_source import Negatives, SharedNegatives

_MOST_COUNTED = 8  # events of an example, so that long invoices share the cost of a step's negatives
_BLOCK = 1 << 20  # examples that are looked at together
_DENSE_SHARE = 4  # of the catalogue that negatives must exceed, one part in so many, for features of all items at once


@dataclass(frozen=True)
class Batch:
    """Examples as indices into `distinct`; padding has index 0 and is marked by `intensity` and `present`.

    An example's candidates are its own, [examples, candidates], followed by the negatives that all examples share,
    [shared]; columns of the latter follow those of the former in labels and masks.
    """

    distinct: np.ndarray  # int32 [items]
    history: np.ndarray  # int32 [examples, length]
    intensity: np.ndarray  # float32 [examples, length], 0 at padding
    days: np.ndarray  # float32 [examples, length], log(1 + days) from the event to the request; 0 where unknown
    user: np.ndarray  # int32 [examples]
    candidates: np.ndarray  # int32 [examples, candidates]
    shared: np.ndarray  # int32 [shared]
    position: np.ndarray  # int32 [examples, candidates], of own candidates in the impression; 0 if not read
    labels: np.ndarray  # float32 [examples, candidates + shared], 0 at sampled negatives and padding
    present: np.ndarray  # bool [examples, candidates + shared], False at padding and accidental hits
    known: np.ndarray  # bool [examples, candidates + shared], False at sampled negatives and padding
    log_rate: np.ndarray  # float32 [examples, candidates + shared], log sampling rates; 0 if not sampled
    moments: np.ndarray  # float32 [examples, candidates + shared, ITEM_FEATURES], see corpus/moments.py
    user_moments: np.ndarray  # float32 [examples, USER_FEATURES]
    row: np.ndarray  # int64 [examples], as in Examples
    targets: np.ndarray | None = None  # float32 [examples, candidates, tasks], NaN where unknown; None: no tasks

    def __len__(self) -> int:
        return len(self.row)

    def split(self, slices: int) -> list[Batch]:
        """Divide the batch into `slices` batches of consecutive examples, some of which may be empty."""
        return [self._part(rows) for rows in np.array_split(np.arange(len(self)), slices)] if slices > 1 else [self]

    def _part(self, rows: np.ndarray) -> Batch:
        history, candidates = self.history[rows], self.candidates[rows]
        read = np.concatenate([history.ravel(), candidates.ravel(), self.shared])
        items, index = np.unique(read, return_inverse=True)
        own = history.size + candidates.size
        return replace(
            self,
            distinct=self.distinct[items],
            history=index[: history.size].reshape(history.shape).astype(np.int32),
            candidates=index[history.size : own].reshape(candidates.shape).astype(np.int32),
            shared=index[own:].astype(np.int32),
            targets=None if self.targets is None else self.targets[rows],
            **{name: getattr(self, name)[rows] for name in _PER_EXAMPLE},
        )

    @property
    def drawn(self) -> np.ndarray:
        """bool [examples, candidates + shared]: sampled negatives of the example."""
        drawn = self.present.copy()
        drawn[:, : self.candidates.shape[1]] = False
        return drawn


_PER_EXAMPLE = (
    *("intensity", "days", "user", "position", "labels", "present", "known", "log_rate"),
    *("moments", "user_moments", "row"),
)


@dataclass(frozen=True)
class BatchLimits:
    """Limits of a batch: its number of examples, and of tokens in the texts of its distinct items."""

    examples: int
    tokens: int | None = None
    lengths: np.ndarray | None = None  # int64 [texts], tokens of each item's text, then of documents; with `tokens`
    lists: int | None = None  # rows of the batch, however few events each has


def batch_offsets(
    examples: Examples, timelines: Timelines, order: np.ndarray, limits: BatchLimits, max_history: int
) -> np.ndarray:
    """Return where each batch begins in `order`, and the end of the last: int64 [batches + 1].

    An impression counts once and an example made from events as often as it has events, at most eight times; sampled
    negatives do not count. An example that exceeds a limit is a batch of its own.
    """
    weight = np.ones(len(examples), np.uint8)
    for start in range(0, len(weight), _BLOCK):
        rows = slice(start, min(start + _BLOCK, len(weight)))
        counts = np.minimum(np.diff(examples.offsets[rows.start : rows.stop + 1]), _MOST_COUNTED)
        weight[rows] = np.where(examples.sampled[rows], counts, 1)
    weight = weight[order]
    begins, included, tokens, size = [0], set[int](), 0, 0
    for place, example in enumerate(order):
        items, more = set[int](), 0
        if limits.tokens is not None and limits.lengths is not None:
            history = _history_texts(examples, int(example), timelines, max_history)
            candidates = examples.item[examples.offsets[example] : examples.offsets[example + 1]]
            items = set(history.tolist()) | set(candidates.tolist())
            more = int(limits.lengths[list(items - included)].sum())
        full = size + int(weight[place]) > limits.examples or tokens + more > (limits.tokens or np.inf)
        full |= place - begins[-1] >= (limits.lists or np.inf)
        if place > begins[-1] and full:
            begins.append(place)
            included, tokens, size = set(), 0, 0
            more = int(limits.lengths[list(items)].sum()) if limits.lengths is not None and items else 0
        included |= items
        tokens += more
        size += int(weight[place])
    return np.append(begins, len(order)) if len(order) else np.zeros(1, np.int64)


def _history_texts(examples: Examples, example: int, timelines: Timelines, max_history: int) -> np.ndarray:
    """Return the texts of one example's history: its items, or its document if it has one."""
    if examples.document is not None:
        document = examples.document[example : example + 1]
        return document[document >= 0]
    end = examples.end[example]
    return timelines.item[max(examples.start[example], end - max_history) : end]


@dataclass(frozen=True)
class BatchBuilder:
    """Builds batches with the `max_history` most recent events of each history."""

    timelines: Timelines
    moments: Moments
    max_history: int
    relevant_from: float  # label from which an event of an example with `sampled` is a positive of its list
    repeats: bool = False  # whether lists may hold items of the history, see `build`
    corrects: bool = True  # whether rates of negatives are subtracted, see SharedNegatives
    positions: bool = False  # whether impressions log the order in which they showed their candidates

    def iterate(
        self,
        examples: Examples,
        source: Negatives,
        order: np.ndarray,
        offsets: np.ndarray,
        seed: list[int],
        done: int = 0,
    ) -> Iterator[Batch]:
        """Yield the batches of examples in `order` after the first `done`; `offsets` are those of `batch_offsets`.

        Negatives are a function of seed and batch number, so that a run resumes at a batch number. Batches are
        prefetched.
        """

        def batch(number: int) -> Batch:
            rows = order[offsets[number] : offsets[number + 1]]
            return self.build(examples.select(rows), source, np.random.default_rng([*seed, number]))

        return prefetch(range(done, len(offsets) - 1), batch)

    def build(self, examples: Examples, source: Negatives, rng: np.random.Generator) -> Batch:
        """Build a batch.

        Only examples with `sampled` are distinguished from the negatives, among which their own candidates are
        accidental hits and left out. A ranking is learned as it is judged: an event of such an example that is not
        relevant is not present, so that only the strength is learned from it. Where lists leave out items of the
        history, neither such a negative nor such an event is present, however old the entry.
        """
        width = int(np.diff(examples.offsets).max())
        row, inside = ragged.padded(examples.offsets[:-1], examples.offsets[1:], width)
        candidates = np.where(inside, examples.item[row], 0)
        negatives = self._negatives(examples, source, rng)
        hit = accidental_hits(negatives.items, examples, None if self.repeats else self.timelines)
        labels = np.where(inside, examples.label[row], 0.0)
        left_out = self._in_history(examples, candidates) | (labels < self.relevant_from)
        listed = inside & ~(left_out & examples.sampled[:, None])
        none = np.zeros(hit.shape)
        history, intensity = example_histories(examples, self.timelines, self.max_history)
        read = np.concatenate([history.ravel(), candidates.ravel(), negatives.items])
        distinct, index = np.unique(read, return_inverse=True)
        own = history.size + candidates.size
        rates = np.broadcast_to(negatives.log_rate if self.corrects else 0.0, hit.shape)
        return Batch(
            distinct=distinct.astype(np.int32),
            history=index[: history.size].reshape(history.shape).astype(np.int32),
            intensity=intensity,
            days=self._days(examples, history.shape[1]),
            user=examples.user.astype(np.int32),
            candidates=index[history.size : own].reshape(candidates.shape).astype(np.int32),
            shared=index[own:].astype(np.int32),
            position=np.where(inside & self.positions, examples.position[row], 0).astype(np.int32),
            labels=np.concatenate([labels, none], axis=1).astype(np.float32),
            present=np.concatenate([listed, ~hit & examples.sampled[:, None]], axis=1),
            known=np.concatenate([inside, none > 0], axis=1),
            log_rate=np.concatenate([np.zeros(inside.shape), rates], axis=1).astype(np.float32),
            moments=self._moments(examples, candidates, negatives.items),
            user_moments=self.moments.user_features(examples.user, examples.time),
            row=examples.row,
            targets=_padded_targets(examples, row, inside),
        )

    def _negatives(self, examples: Examples, source: Negatives, rng: np.random.Generator) -> SharedNegatives:
        from interestrec.training.negative_source import SharedNegatives

        if examples.sampled.any():
            return source.draw(examples, rng)
        return SharedNegatives(np.zeros(0, np.int32), np.zeros(0, np.float32))

    def _in_history(self, examples: Examples, candidates: np.ndarray) -> np.ndarray:
        """Whether a list would leave out each candidate, as an item of the history: bool [examples, candidates]."""
        if self.repeats or not examples.sampled.any():
            return np.zeros(candidates.shape, bool)
        offsets, rows = ragged.ranges(examples.start, examples.end)
        owner = ragged.owner(offsets)
        if examples.omitted is not None:
            read = rows != examples.omitted[owner]
            owner, rows = owner[read], rows[read]
        span = int(max(candidates.max(initial=0), self.timelines.item[rows].max(initial=0))) + 1
        owned = owner * np.int64(span) + self.timelines.item[rows]
        return np.isin(np.arange(len(examples))[:, None] * np.int64(span) + candidates, owned)

    def _days(self, examples: Examples, length: int) -> np.ndarray:
        """float32 [examples, length]: log(1 + days) from each event of the history to the request."""
        from interestrec.corpus.store import NO_TIME

        if examples.document is not None or not len(self.timelines.time):
            return np.zeros((len(examples), length), np.float32)
        begin = np.maximum(examples.start, examples.end - self.max_history)
        source, inside = ragged.padded(begin, examples.end, length)
        return elapsed(self.timelines.time[source], np.where(inside, examples.time[:, None], NO_TIME))

    def _moments(self, examples: Examples, candidates: np.ndarray, negatives: np.ndarray) -> np.ndarray:
        """float32 [examples, candidates + negatives, ITEM_FEATURES]: what was known of the items at each request."""
        times, request = np.unique(examples.time, return_inverse=True)
        if len(negatives) > len(self.moments.published) // _DENSE_SHARE:  # all items at once are then cheaper
            known = np.stack([self.moments.catalogue_features(time) for time in times])
            return np.concatenate(
                [known[request[:, None], candidates], known[request[:, None], negatives[None]]], axis=1
            )
        items = np.concatenate([candidates, np.broadcast_to(negatives, (len(examples), len(negatives)))], axis=1)
        at = np.broadcast_to(examples.time[:, None], items.shape)
        return self.moments.item_features(items.ravel(), at.ravel()).reshape(*items.shape, -1)


def _padded_targets(examples: Examples, row: np.ndarray, inside: np.ndarray) -> np.ndarray | None:
    """Return the labels of tasks, float32 [examples, candidates, tasks], NaN at padding."""
    if examples.targets is None:
        return None
    return np.where(inside[:, :, None], examples.targets[row], np.float32(np.nan))


def accidental_hits(negatives: np.ndarray, examples: Examples, timelines: Timelines | None) -> np.ndarray:
    """Whether each negative is among the example's candidates or in its whole history: bool [examples, negatives].

    Args:
        negatives: int32 [negatives], distinct and ascending.
        timelines: with the events of histories; None: histories do not count.
    """
    hit = np.zeros((len(examples), len(negatives)), bool)
    if not len(negatives):
        return hit
    items, owner = examples.item, ragged.owner(examples.offsets)
    if timelines is not None:
        offsets, rows = ragged.ranges(examples.start, examples.end)
        items, owner = np.append(items, timelines.item[rows]), np.append(owner, ragged.owner(offsets))
    place = np.minimum(np.searchsorted(negatives, items), len(negatives) - 1)
    found = negatives[place] == items
    hit[owner[found], place[found]] = True
    return hit
