"""The figures on a corpus without those of small groups; what each is made of is counted anew, by users."""

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


def withhold(found: dict[str, Any], corpus: Corpus, least: int) -> dict[str, Any]:
    """What `describe` found, None in the place of figures of fewer than `least` users or of one event or item.

    Raises:
        DataError: the corpus has fewer users, so that there is nothing to tell.
    """
    if least <= 1:
        return found
    if corpus.users.num_rows < least:
        raise DataError(f"{corpus.path}: has fewer users than evaluate.min_users, {least}: nothing can be told of it")
    events, shown = corpus.timelines, corpus.impressions
    of_events = _told(events.split, events.user, len(schemas.SPLITS), least)
    of_requests = _told(shown.split, shown.user, len(schemas.SPLITS), least)
    bins = _told(bin_of(events.intensity), events.user, len(found["intensity"]["counts"]), least)
    relevant = _told(corpus.relevant(events.intensity).astype(np.int64), events.user, 2, least)
    return {
        **found,
        "min_users": least,
        "events": _masked(found["events"], of_events),
        "impressions": _masked(found["impressions"], of_requests),
        "candidates": _masked(found["candidates"], of_requests),
        "events_per_user": _quantiles(found["events_per_user"], np.diff(events.offsets), least),
        "events_per_item": dict.fromkeys(found["events_per_item"]),
        "intensity": {
            **found["intensity"],
            "counts": [count if bins[n] else None for n, count in enumerate(found["intensity"]["counts"])],
            "relevant_share": found["intensity"]["relevant_share"] if relevant.all() else None,
        },
        "time": dict.fromkeys(found["time"], _NO_SPAN),
        "cold": _cold(found["cold"], corpus, least),
        "user_attributes": {
            name: _attribute(one, corpus.users[name], least) for name, one in found["user_attributes"].items()
        },
        "event_types": _event_types(found["event_types"], corpus, least),
        "one_class_impressions": _one_class(found["one_class_impressions"], corpus, least),
        "drops": [],  # of how many users these rows are, nobody counted
        "value_maps": None,  # quantiles are values of single events
    }


def _told(part: np.ndarray, user: np.ndarray, parts: int, least: int) -> np.ndarray:
    return is_disclosable(distinct_users(part, user, parts), least)


def _masked(figures: dict[str, Any], kept: np.ndarray) -> dict[str, Any]:
    return {name: value if fit else None for (name, value), fit in zip(figures.items(), kept, strict=True)}


def _quantiles(figures: dict[str, Any], counts: np.ndarray, least: int) -> dict[str, Any]:
    """A quantile is a user's own count: it is told where enough have no more, and enough no less."""
    return {
        name: value if value is not None and min((counts >= value).sum(), (counts <= value).sum()) >= least else None
        for name, value in figures.items()
    }


def _cold(figures: dict[str, dict[str, Any]], corpus: Corpus, least: int) -> dict[str, dict[str, Any]]:
    events = corpus.timelines
    train = events.split == schemas.TRAIN
    kept: dict[str, dict[str, Any]] = {}
    for code, split in enumerate(schemas.SPLITS[1:], 1):
        here = events.split == code
        kept[split] = {}
        for kind, number in (("users", events.user), ("items", events.item)):
            new = ~np.isin(number[here], np.unique(number[train]))
            fit = _told(new.astype(np.int64), events.user[here], 2, least).all()
            kept[split][kind] = figures[split][kind] if fit else None
    return kept


def _attribute(figures: dict[str, Any], column: pa.ChunkedArray, least: int) -> dict[str, Any]:
    missing = figures["missing"]
    known = len(column) - missing
    if "values" not in figures:
        hidden = min(missing, known) < least and missing > 0
        return {
            **figures,
            "missing": None if hidden else missing,
            "distinct": None,
            "min": None,
            "max": None,
            "median": figures["median"] if known >= 2 * least else None,
        }
    counts = [(entry["values"], entry["counts"]) for entry in pc.value_counts(column).to_pylist()]
    fit = is_disclosable(np.array([count for _, count in counts], dtype=np.int64), least)
    names = {value for (value, _), kept in zip(counts, fit, strict=True) if kept}
    return {
        "missing": missing if missing == 0 or None in names else None,
        "distinct": None,
        "values": [entry for entry in figures["values"] if entry["value"] in names],
    }


def _event_types(rows: list[dict[str, Any]], corpus: Corpus, least: int) -> list[dict[str, Any]]:
    column = files.read_parquet(corpus.path / artifact_files.TIMELINES, columns=["event"])["event"].cast(pa.string())
    words = [row["event"] for row in rows]
    code = pc.index_in(column, pa.array(words, pa.string())).to_numpy().astype(np.int64)
    fit = _told(code, corpus.timelines.user, len(words), least)
    return [row for row, kept in zip(rows, fit, strict=True) if kept]


def _one_class(figures: dict[str, dict[str, Any]], corpus: Corpus, least: int) -> dict[str, dict[str, Any]]:
    shown = corpus.impressions
    kinds = one_class_kinds(shown, corpus.relevant(shown.label))
    kind = np.full(len(shown.user), len(kinds), dtype=np.int64)  # the last: of two classes
    for number, rows in enumerate(kinds.values()):
        kind[rows] = number
    kept = {}
    for code, split in enumerate(schemas.SPLITS):
        here = shown.split == code
        fit = _told(kind[here], shown.user[here], len(kinds) + 1, least)
        kept[split] = _masked(figures[split], fit[: len(kinds)])
    return kept
