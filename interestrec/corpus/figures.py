"""Descriptive figures of a corpus: sizes, distributions, intensities, times, cold shares, dropped rows."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.corpus.store import NO_TIME, Corpus, Impressions, Timelines
from interestrec.io import artifact_files, files, schemas

BINS = 10  # bins of the histogram of intensities
MAX_DROPS = 10  # reported rules, in descending order of dropped rows
MAX_VALUES = 5  # reported values per user attribute, in descending order of frequency
_EDGES = [n / BINS for n in range(BINS + 1)]


def describe(corpus: Corpus) -> dict[str, Any]:
    """Compute the figures of a corpus as JSON values; a figure without data is None.

    Logged histories count as events. Users and items without events count as 0 in the distributions.
    """
    quality = files.read_json(corpus.path / artifact_files.QUALITY)
    items = files.read_parquet(corpus.path / artifact_files.ITEMS, columns=["has_text", "price", "category"])
    events, impressions = corpus.timelines, corpus.impressions
    n_items, n_users = items.num_rows, corpus.users.num_rows
    return {
        "artifact": str(corpus.path),
        "items": n_items,
        "users": n_users,
        "events": _by_split(events.split),
        "impressions": _by_split(impressions.split),
        "candidates": _by_split(impressions.split, np.diff(impressions.offsets)),
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
        "items_with_only_unknown_tokens": quality.get("counts", {}).get("items_with_only_unknown_tokens", 0),
        "unknown_tokens": quality.get("unknown_tokens", {}),
        "user_attributes": {name: attribute(corpus.users[name]) for name in corpus.user_attributes},
        "event_types": _event_types(corpus),
        "one_class_impressions": _one_class(impressions, corpus.relevant(impressions.label)),
        "drops": largest_drops(quality.get("rules", [])),
        "value_maps": quality.get("value_maps") or None,
    }


def sparsity(user: np.ndarray, item: np.ndarray, n_users: int, n_items: int) -> float | None:
    """Share of all (user, item) pairs without an event."""
    if not n_users or not n_items:
        return None
    pairs = np.sort(user.astype(np.int64) * n_items + item)  # much faster than np.unique if most pairs occur once
    repeated = np.count_nonzero(pairs[1:] == pairs[:-1])
    return 1 - (len(pairs) - repeated) / (n_users * n_items)


def spread(counts: np.ndarray) -> dict[str, float | int | None]:
    """Median, 90th percentile and maximum of counts."""
    if not len(counts):
        return {"median": None, "p90": None, "max": None}
    p90 = np.quantile(counts, 0.9, method="inverted_cdf")
    return {"median": float(np.median(counts)), "p90": int(p90), "max": int(counts.max())}


def histogram(intensity: np.ndarray) -> list[int]:
    """Count intensities in `BINS` equal bins of [0, 1]; an edge belongs to the bin above, 1 to the last bin."""
    return np.bincount(bin_of(intensity), minlength=BINS).tolist()


def bin_of(intensity: np.ndarray) -> np.ndarray:
    """Bin of each intensity; int64."""
    edges = np.array(_EDGES, np.float32)  # the type of intensities, because float32(0.7) < 0.7
    return np.clip(np.searchsorted(edges, intensity, side="right") - 1, 0, BINS - 1)


def attribute(column: pa.ChunkedArray) -> dict[str, Any]:
    """Summarise a user attribute: number of missing and of distinct values, and their distribution.

    Numbers have `min`, `median` and `max`; strings have `values`, the most frequent ones with their counts.
    """
    known = column.drop_null()
    counts: dict[str, Any] = {"missing": column.null_count, "distinct": pc.count_distinct(known).as_py()}
    if pa.types.is_floating(column.type) and len(known):
        numbers = known.to_numpy()
        return {**counts, "min": float(numbers.min()), "median": float(np.median(numbers)), "max": float(numbers.max())}
    pairs = [(entry["values"], entry["counts"]) for entry in pc.value_counts(known).to_pylist()]
    most_frequent = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:MAX_VALUES]
    return {**counts, "values": [{"value": value, "count": count} for value, count in most_frequent]}


def time_span(time: np.ndarray) -> dict[str, str | int | None]:
    """First and last time in ISO 8601 and number of missing times; `time` is int64 [rows], epoch microseconds."""
    known = time[time != NO_TIME]
    first, last = (_iso(known.min()), _iso(known.max())) if len(known) else (None, None)
    return {"first": first, "last": last, "untimed": len(time) - len(known)}


def largest_drops(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rules of `quality.json` that dropped most rows, at most `MAX_DROPS`, each with one example."""
    drops = [(rule["rows_in"] - rule["rows_out"], rule) for rule in rules]
    largest = sorted((pair for pair in drops if pair[0] > 0), key=lambda pair: -pair[0])[:MAX_DROPS]
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
    """Count rows, or sum their integer weights, by name of the split."""
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
    """Share of events with a user, or an item, without events in train, by split after train."""
    train = events.split == schemas.TRAIN
    in_train = {"users": np.zeros(n_users, bool), "items": np.zeros(n_items, bool)}
    in_train["users"][events.user[train]] = True
    in_train["items"][events.item[train]] = True
    shares = {}
    for code, name in enumerate(schemas.SPLITS[1:], 1):
        in_split = events.split == code
        rows = {"users": events.user[in_split], "items": events.item[in_split]}
        shares[name] = {
            kind: float(1 - in_train[kind][numbers].mean()) if len(numbers) else None for kind, numbers in rows.items()
        }
    return shares


def _event_types(corpus: Corpus) -> list[dict[str, Any]]:
    """Count and mean intensity per event type, in descending order of frequency."""
    column = files.read_parquet(corpus.path / artifact_files.TIMELINES, columns=["event"])["event"]
    types = pc.unique(column.cast("string"))
    code = pc.index_in(column.cast("string"), types).to_numpy().astype(np.int64)
    counts = np.bincount(code, minlength=len(types))
    sums = np.bincount(code, corpus.timelines.intensity, minlength=len(types))
    rows = [
        {"event": event, "count": int(count), "mean_intensity": float(total / count)}
        for event, count, total in zip(types.to_pylist(), counts, sums, strict=True)
    ]
    return sorted(rows, key=lambda row: (-row["count"], row["event"]))


def one_class_kinds(impressions: Impressions, relevant: np.ndarray) -> dict[str, np.ndarray]:
    """Find impressions with all labels relevant, with none relevant, and without a label; each bool [impressions]."""
    known = _count_flags(~np.isnan(impressions.label), impressions.offsets)
    relevant_count = _count_flags(relevant, impressions.offsets)
    return {
        "all_relevant": (known > 0) & (relevant_count == known),
        "none_relevant": (known > 0) & (relevant_count == 0),
        "unlabelled": known == 0,
    }


def _one_class(impressions: Impressions, relevant: np.ndarray) -> dict[str, dict[str, int]]:
    """Count the impressions of each kind by split."""
    kinds = one_class_kinds(impressions, relevant)
    counts = {kind: _by_split(impressions.split[rows]) for kind, rows in kinds.items()}
    return {name: {kind: counts[kind][name] for kind in kinds} for name in schemas.SPLITS}


def _count_flags(flags: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Count the True flags in each `offsets[i]:offsets[i + 1]`; int64 [len(offsets) - 1]."""
    return np.diff(ragged.filtered(offsets, flags))


def _iso(microseconds: np.int64) -> str:
    return f"{np.datetime_as_string(microseconds.astype('datetime64[us]'), unit='s')}Z"
