"""What a corpus holds, counted: sizes, spreads, intensities, times, cold shares, and what was left out."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.corpus.store import NO_TIME, Corpus, Impressions, Timelines
from interestrec.io import artifact_files, files, schemas

BINS = 10  # of the histogram of intensities
DROPS = 10  # rules shown, those that left out most
VALUES = 5  # values shown of an attribute of users, the most frequent
_EDGES = [n / BINS for n in range(BINS + 1)]


def describe(corpus: Corpus) -> dict[str, Any]:
    """Figures on a corpus as JSON values; a figure that nothing stands for is None.

    Stated histories are events too. A user or item without events counts in the spreads, with 0.
    """
    quality = files.read_json(corpus.path / artifact_files.QUALITY)
    items = files.read_parquet(corpus.path / artifact_files.ITEMS, columns=["has_text", "price", "category"])
    events, shown = corpus.timelines, corpus.impressions
    n_items, n_users = items.num_rows, corpus.users.num_rows
    return {
        "artifact": str(corpus.path),
        "items": n_items,
        "users": n_users,
        "events": _by_split(events.split),
        "impressions": _by_split(shown.split),
        "candidates": _by_split(shown.split, np.diff(shown.offsets)),
        "sparsity": sparsity(events.user, events.item, n_users, n_items),
        "events_per_user": spread(np.diff(events.offsets)),
        "events_per_item": spread(np.bincount(events.item, minlength=n_items)),
        "intensity": _intensity(corpus, events.intensity),
        "time": {name: time_span(events.time[events.split == code]) for code, name in enumerate(schemas.SPLITS)},
        "cold": _cold(events, n_users, n_items),
        "items_without": {
            "text": n_items - (pc.sum(items["has_text"]).as_py() or 0),
            "price": items["price"].null_count,
            "category": items["category"].null_count,
        },
        "user_attributes": {name: attribute(corpus.users[name]) for name in corpus.user_attributes},
        "event_types": _event_types(corpus),
        "one_class_impressions": _one_class(shown, corpus.relevant(shown.label)),
        "drops": largest_drops(quality.get("rules", [])),
        "value_maps": quality.get("value_maps") or None,
    }


def sparsity(user: np.ndarray, item: np.ndarray, n_users: int, n_items: int) -> float | None:
    """Share of all pairs of a user and an item without an event."""
    if not n_users or not n_items:
        return None
    pairs = np.sort(user.astype(np.int64) * n_items + item)  # far faster than np.unique where most pairs are met once
    again = np.count_nonzero(pairs[1:] == pairs[:-1])
    return 1 - (len(pairs) - again) / (n_users * n_items)


def spread(counts: np.ndarray) -> dict[str, float | int | None]:
    """Median, maximum, and the least count that 90 % do not exceed."""
    if not len(counts):
        return {"median": None, "p90": None, "max": None}
    p90 = np.quantile(counts, 0.9, method="inverted_cdf")
    return {"median": float(np.median(counts)), "p90": int(p90), "max": int(counts.max())}


def histogram(intensity: np.ndarray) -> list[int]:
    """How many fall into each of `BINS` equal bins of [0, 1]; an edge belongs to the bin above it, 1 to the last."""
    return np.bincount(bin_of(intensity), minlength=BINS).tolist()


def bin_of(intensity: np.ndarray) -> np.ndarray:
    """int64: the bin of each intensity."""
    edges = np.array(_EDGES, np.float32)  # as intensities are: 0.7 in float32 is less than 0.7 in float64
    return np.clip(np.searchsorted(edges, intensity, side="right") - 1, 0, BINS - 1)


def attribute(column: pa.ChunkedArray) -> dict[str, Any]:
    """Of an attribute of users: how many have none, how many values there are, and these shortly.

    A number has `min`, `median` and `max`; words have `values`, the most frequent with their counts.
    """
    known = column.drop_null()
    found: dict[str, Any] = {"missing": column.null_count, "distinct": pc.count_distinct(known).as_py()}
    if pa.types.is_floating(column.type) and len(known):
        numbers = known.to_numpy()
        return {**found, "min": float(numbers.min()), "median": float(np.median(numbers)), "max": float(numbers.max())}
    counts = [(entry["values"], entry["counts"]) for entry in pc.value_counts(known).to_pylist()]
    most = sorted(counts, key=lambda pair: (-pair[1], pair[0]))[:VALUES]
    return {**found, "values": [{"value": value, "count": count} for value, count in most]}


def time_span(time: np.ndarray) -> dict[str, str | int | None]:
    """First and last time as ISO 8601 and how many have none, of int64 microseconds."""
    known = time[time != NO_TIME]
    first, last = (_iso(known.min()), _iso(known.max())) if len(known) else (None, None)
    return {"first": first, "last": last, "untimed": len(time) - len(known)}


def largest_drops(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rules of `quality.json` that left out most rows, at most `DROPS`, each with one example."""
    counted = [(rule["rows_in"] - rule["rows_out"], rule) for rule in rules]
    largest = sorted((pair for pair in counted if pair[0] > 0), key=lambda pair: -pair[0])[:DROPS]
    return [
        {
            "rule": rule["rule"],
            "rows_in": rule["rows_in"],
            "dropped": dropped,
            "reason": rule.get("reason"),
            "example": next(iter(rule.get("examples") or []), None),
        }
        for dropped, rule in largest
    ]


def _by_split(split: np.ndarray, weights: np.ndarray | None = None) -> dict[str, int]:
    """Rows, or the sum of their whole-number weights, by the name of the split."""
    counts = np.bincount(split, weights, minlength=len(schemas.SPLITS))
    return {name: int(count) for name, count in zip(schemas.SPLITS, counts, strict=True)}


def _intensity(corpus: Corpus, intensity: np.ndarray) -> dict[str, Any]:
    share = float(corpus.relevant(intensity).mean()) if len(intensity) else None
    return {
        "edges": _EDGES,
        "counts": histogram(intensity),
        "relevant_at": corpus.relevant_at,
        "relevant_share": share,
    }


def _cold(events: Timelines, n_users: int, n_items: int) -> dict[str, dict[str, float | None]]:
    """By split after train: shares of events whose user, and whose item, has no event in train."""
    train = events.split == schemas.TRAIN
    in_train = {"users": np.zeros(n_users, bool), "items": np.zeros(n_items, bool)}
    in_train["users"][events.user[train]] = True
    in_train["items"][events.item[train]] = True
    shares = {}
    for code, name in enumerate(schemas.SPLITS[1:], 1):
        here = events.split == code
        rows = {"users": events.user[here], "items": events.item[here]}
        shares[name] = {
            kind: float(1 - in_train[kind][numbers].mean()) if len(numbers) else None for kind, numbers in rows.items()
        }
    return shares


def _event_types(corpus: Corpus) -> list[dict[str, Any]]:
    """Every type of event with its count and mean intensity, the most frequent first."""
    column = files.read_parquet(corpus.path / artifact_files.TIMELINES, columns=["event"])["event"]
    words = pc.unique(column.cast("string"))
    code = pc.index_in(column.cast("string"), words).to_numpy().astype(np.int64)
    counts = np.bincount(code, minlength=len(words))
    sums = np.bincount(code, corpus.timelines.intensity, minlength=len(words))
    rows = [
        {"event": word, "count": int(count), "mean_intensity": float(total / count)}
        for word, count, total in zip(words.to_pylist(), counts, sums, strict=True)
    ]
    return sorted(rows, key=lambda row: (-row["count"], row["event"]))


def one_class_kinds(shown: Impressions, relevant: np.ndarray) -> dict[str, np.ndarray]:
    """bool [impressions]: those whose known labels are all relevant, none relevant, and those without a known label."""
    known = _sums(~np.isnan(shown.label), shown.offsets)
    liked = _sums(relevant, shown.offsets)
    return {
        "all_relevant": (known > 0) & (liked == known),
        "none_relevant": (known > 0) & (liked == 0),
        "unlabelled": known == 0,
    }


def _one_class(shown: Impressions, relevant: np.ndarray) -> dict[str, dict[str, int]]:
    """How many of each kind there are, by split."""
    kinds = one_class_kinds(shown, relevant)
    counts = {kind: _by_split(shown.split[rows]) for kind, rows in kinds.items()}
    return {name: {kind: counts[kind][name] for kind in kinds} for name in schemas.SPLITS}


def _sums(flags: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """How many flags are set in each `offsets[i]:offsets[i + 1]`: int64 [len(offsets) - 1]."""
    return np.diff(np.concatenate([[0], np.cumsum(flags)])[offsets])


def _iso(microseconds: np.int64) -> str:
    return f"{np.datetime_as_string(microseconds.astype('datetime64[us]'), unit='s')}Z"
