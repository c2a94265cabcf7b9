"""Suppression of the figures of a corpus that describe small groups; the users of each figure are counted here."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import DataError
from interestrec.core.small_groups import distinct_users, is_disclosable
from interestrec.corpus.figures import bin_of, one_class_kinds
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files, schemas

_NO_SPAN = {"first": None, "last": None, "untimed": None}


def withhold(figures: dict[str, Any], corpus: Corpus, min_users: int) -> dict[str, Any]:
    """Replace by None the figures of `figures.describe` that describe fewer than `min_users` users, one event or item.

    Raises:
        DataError: the corpus has fewer users, so that nothing can be reported.
    """
    if min_users <= 1:
        return figures
    if corpus.users.num_rows < min_users:
        raise DataError(
            f"{corpus.path}: has fewer users than evaluate.min_users, {min_users}, so nothing can be reported about it"
        )
    events, impressions = corpus.timelines, corpus.impressions
    event_splits = _disclosable(events.split, events.user, len(schemas.SPLITS), min_users)
    impression_splits = _disclosable(impressions.split, impressions.user, len(schemas.SPLITS), min_users)
    intensity = figures["intensity"]
    bins = _disclosable(bin_of(events.intensity), events.user, len(intensity["counts"]), min_users)
    relevant = _disclosable(corpus.relevant(events.intensity).astype(np.int64), events.user, 2, min_users)
    return {
        **figures,
        "min_users": min_users,
        "events": _mask(figures["events"], event_splits),
        "impressions": _mask(figures["impressions"], impression_splits),
        "candidates": _mask(figures["candidates"], impression_splits),
        "events_per_user": _quantiles(figures["events_per_user"], np.diff(events.offsets), min_users),
        "events_per_item": dict.fromkeys(figures["events_per_item"]),
        "intensity": {
            **intensity,
            "counts": [count if bins[n] else None for n, count in enumerate(intensity["counts"])],
            "relevant_share": intensity["relevant_share"] if relevant.all() else None,
        },
        "time": dict.fromkeys(figures["time"], _NO_SPAN),
        "cold": _cold(figures["cold"], corpus, min_users),
        "user_attributes": {
            name: _attribute(values, corpus.users[name], min_users)
            for name, values in figures["user_attributes"].items()
        },
        "event_types": _event_types(figures["event_types"], corpus, min_users),
        "one_class_impressions": _one_class(figures["one_class_impressions"], corpus, min_users),
        "drops": [],  # the number of users behind the dropped rows is unknown
        "value_maps": None,  # quantiles are values of single events
    }


def _disclosable(part: np.ndarray, user: np.ndarray, parts: int, min_users: int) -> np.ndarray:
    return is_disclosable(distinct_users(part, user, parts), min_users)


def _mask(figures: dict[str, Any], disclosable: np.ndarray) -> dict[str, Any]:
    return {name: value if fit else None for (name, value), fit in zip(figures.items(), disclosable, strict=True)}


def _quantiles(figures: dict[str, Any], counts: np.ndarray, min_users: int) -> dict[str, Any]:
    """Keep a quantile, which is the count of one user, if enough users have at least and at most this count."""
    return {
        name: value
        if value is not None and min((counts >= value).sum(), (counts <= value).sum()) >= min_users
        else None
        for name, value in figures.items()
    }


def _cold(figures: dict[str, dict[str, Any]], corpus: Corpus, min_users: int) -> dict[str, dict[str, Any]]:
    events = corpus.timelines
    train = events.split == schemas.TRAIN
    masked: dict[str, dict[str, Any]] = {}
    for code, split in enumerate(schemas.SPLITS[1:], 1):
        in_split = events.split == code
        masked[split] = {}
        for kind, number in (("users", events.user), ("items", events.item)):
            cold = ~np.isin(number[in_split], np.unique(number[train]))
            fit = _disclosable(cold.astype(np.int64), events.user[in_split], 2, min_users).all()
            masked[split][kind] = figures[split][kind] if fit else None
    return masked


def _attribute(figures: dict[str, Any], column: pa.ChunkedArray, min_users: int) -> dict[str, Any]:
    missing = figures["missing"]
    known = len(column) - missing
    if "values" not in figures:
        suppressed = min(missing, known) < min_users and missing > 0
        return {
            **figures,
            "missing": None if suppressed else missing,
            "distinct": None,
            "min": None,
            "max": None,
            "median": figures["median"] if known >= 2 * min_users else None,
        }
    counts = [(entry["values"], entry["counts"]) for entry in pc.value_counts(column).to_pylist()]
    disclosable = is_disclosable(np.array([count for _, count in counts], dtype=np.int64), min_users)
    names = {value for (value, _), fit in zip(counts, disclosable, strict=True) if fit}
    return {
        "missing": missing if missing == 0 or None in names else None,
        "distinct": None,
        "values": [entry for entry in figures["values"] if entry["value"] in names],
    }


def _event_types(rows: list[dict[str, Any]], corpus: Corpus, min_users: int) -> list[dict[str, Any]]:
    column = files.read_parquet(corpus.path / artifact_files.TIMELINES, columns=["event"])["event"].cast(pa.string())
    types = [row["event"] for row in rows]
    code = pc.index_in(column, pa.array(types, pa.string())).to_numpy().astype(np.int64)
    disclosable = _disclosable(code, corpus.timelines.user, len(types), min_users)
    return [row for row, fit in zip(rows, disclosable, strict=True) if fit]


def _one_class(figures: dict[str, dict[str, Any]], corpus: Corpus, min_users: int) -> dict[str, dict[str, Any]]:
    impressions = corpus.impressions
    kinds = one_class_kinds(impressions, corpus.relevant(impressions.label))
    kind = np.full(len(impressions.user), len(kinds), dtype=np.int64)  # the last kind has both classes
    for number, rows in enumerate(kinds.values()):
        kind[rows] = number
    masked = {}
    for code, split in enumerate(schemas.SPLITS):
        in_split = impressions.split == code
        disclosable = _disclosable(kind[in_split], impressions.user[in_split], len(kinds) + 1, min_users)
        masked[split] = _mask(figures[split], disclosable[: len(kinds)])
    return masked
