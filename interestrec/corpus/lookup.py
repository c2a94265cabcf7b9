"""Look-up of one user, item or impression of a corpus by filtered reads, without loading the corpus."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from interestrec.core.errors import ArtifactError, DataError, from_os_error
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, encryption, schemas

MAX_LIKERS = 10  # users reported per item
MAX_SUGGESTIONS = 5  # ids suggested for an unknown id
MAX_IDS_SEARCHED = 100_000  # ids searched for suggestions
_EVENT_COLUMNS = ["user", "item", "time", "event", "value", "intensity", "split", "position"]
_MAX_PREFIX = 64


def find_user(corpus: Corpus, user_id: str, limit: int) -> dict[str, Any]:
    """Return a user as JSON values: validation half, attributes, events and impressions by split, the latest events.

    Raises:
        DataError: the corpus has no such user; the message suggests similar ids.
    """
    user = _by_id(corpus.path / artifact_files.USERS, "user_id", user_id)[0]
    condition = ds.field("user") == user["user"]
    events = _rows(corpus.path / artifact_files.TIMELINES, condition, _EVENT_COLUMNS)
    impressions = _rows(corpus.path / artifact_files.IMPRESSIONS, condition, ["split"])
    latest = _first(events, [("time", "descending"), ("position", "descending")], limit)
    return {
        "user_id": user_id,
        "valid_part": user["valid_part"],
        "attributes": {name: value for name, value in user.items() if name not in schemas.USERS.names},
        "events": _by_split(events),
        "impressions": _by_split(impressions),
        "latest": _titled(corpus, latest, ["time", "event", "value", "intensity", "split"]),
    }


def find_item(corpus: Corpus, item_id: str, limit: int) -> dict[str, Any]:
    """Return an item as JSON values: attributes, tokens, events by split, mean intensity, the users who like it most.

    Users are in descending order of their highest intensity, then of their number of events, then by user number.

    Raises:
        DataError: the corpus has no such item; the message suggests similar ids.
    """
    item = _by_id(corpus.path / artifact_files.ITEMS, "item_id", item_id)[0]
    condition = ds.field("item") == item.pop("item")
    columns = ["title_tokens", "text_tokens"]
    tokens = [_rows(path, condition, columns).to_pylist()[0] for path in corpus.token_files[:1]]
    events = _rows(corpus.path / artifact_files.TIMELINES, condition, ["user", "intensity", "split"])
    return {
        **item,
        "published": _iso(item["published"]),
        "tokens": {name: len(row[f"{name}_tokens"]) for row in tokens for name in ("title", "text")},
        "events": _by_split(events),
        "mean_intensity": pc.mean(events["intensity"]).as_py(),
        "liked_most_by": _likers(corpus, events, min(limit, MAX_LIKERS)),
    }


def find_impression(corpus: Corpus, impression_id: str, limit: int) -> dict[str, Any]:
    """Return all impressions with an id, which may be in several splits, as JSON values.

    Each has user, time, split, the latest events of its history (latest last), and its candidates by descending label.

    Raises:
        DataError: the corpus has no such impression; the message suggests similar ids.
    """
    rows = _by_id(corpus.path / artifact_files.IMPRESSIONS, "impression_id", impression_id)
    return {"impression_id": impression_id, "found": [_impression(corpus, row, limit) for row in rows]}


LOOKUPS: Mapping[str, Callable[[Corpus, str, int], dict[str, Any]]] = {
    "user": find_user,
    "item": find_item,
    "impression": find_impression,
}


def similar_ids(ids: pa.ChunkedArray, query: str) -> list[str]:
    """Return the ids that share the longest prefix with `query`, at most `MAX_SUGGESTIONS`, in their order."""
    for length in range(min(len(query), _MAX_PREFIX), 0, -1):
        matches = pc.unique(ids.filter(pc.starts_with(ids, query[:length], ignore_case=True)))
        if len(matches):
            return matches.slice(0, MAX_SUGGESTIONS).to_pylist()
    return []


def _by_id(path: Path, column: str, query: str) -> list[dict[str, Any]]:
    rows = _rows(path, ds.field(column) == query).to_pylist()
    if rows:
        return rows
    similar = similar_ids(_first_ids(path, column), query)
    hint = f"; similar ids: {', '.join(similar)}" if similar else "; no id has a similar prefix"
    raise DataError(f"{path.parent}: there is no {column.removesuffix('_id')} '{query}'{hint}")


def _impression(corpus: Corpus, row: dict[str, Any], limit: int) -> dict[str, Any]:
    user, first, end = row["user"], row["history_start"], row["history_end"]
    position = ds.field("position")
    condition = (ds.field("user") == user) & (position >= max(first, end - limit)) & (position < end)
    history = _rows(corpus.path / artifact_files.TIMELINES, condition, _EVENT_COLUMNS).sort_by("position")
    in_impression = ds.field("impression") == row["impression"]
    candidates = _rows(corpus.path / artifact_files.CANDIDATES, in_impression, ["item", "label"])
    numbered = candidates.append_column("place", pa.array(range(candidates.num_rows)))
    best = _first(numbered, [("label", "descending"), ("place", "ascending")], limit)
    return {
        "user_id": _ids(corpus.path / artifact_files.USERS, "user", [user], ["user_id"])[user]["user_id"],
        "time": _iso(row["time"]),
        "split": row["split"],
        "history_length": end - first,
        "history": _titled(corpus, history, ["time", "event", "intensity"]),
        "candidate_count": candidates.num_rows,
        "candidates": _titled(corpus, best, ["label"]),
    }


def _likers(corpus: Corpus, events: pa.Table, limit: int) -> list[dict[str, Any]]:
    by_user = events.group_by("user").aggregate([("intensity", "max"), ("intensity", "count")])
    order = [("intensity_max", "descending"), ("intensity_count", "descending"), ("user", "ascending")]
    rows = by_user.sort_by(order).slice(0, limit).to_pylist()
    names = _ids(corpus.path / artifact_files.USERS, "user", (row["user"] for row in rows), ["user_id"])
    return [
        {
            "user_id": names[row["user"]]["user_id"],
            "intensity": row["intensity_max"],
            "events": row["intensity_count"],
        }
        for row in rows
    ]


def _first(rows: pa.Table, order: list[tuple[str, str]], limit: int) -> pa.Table:
    """Return the first rows in an order, nulls last."""
    keys = [(*key, "at_end") for key in order]
    return rows.take(pc.sort_indices(rows, sort_keys=keys).slice(0, limit))


def _titled(corpus: Corpus, rows: pa.Table, names: list[str]) -> list[dict[str, Any]]:
    """Return rows as JSON values: the id and title of their item, and the columns `names`."""
    records = rows.to_pylist()
    items = _ids(corpus.path / artifact_files.ITEMS, "item", (row["item"] for row in records), ["item_id", "title"])
    titled = []
    for row in records:
        values = {name: _iso(row[name]) if name == "time" else row[name] for name in names}
        titled.append({**items[row["item"]], **values})
    return titled


def _ids(path: Path, key: str, numbers: Iterable[int], names: list[str]) -> dict[int, dict[str, Any]]:
    """Return columns of the rows of a table with these numbers, by number."""
    rows = _rows(path, ds.field(key).isin(sorted(set(numbers))), [key, *names]).to_pylist()
    return {row.pop(key): row for row in rows}


def _by_split(rows: pa.Table) -> dict[str, int]:
    value_counts = pc.value_counts(rows["split"].cast(pa.string())).to_pylist()
    counts = {entry["values"]: entry["counts"] for entry in value_counts}
    return {name: counts.get(name, 0) for name in schemas.SPLITS}


def _iso(time: Any) -> str | None:
    return None if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _rows(path: Path, condition: ds.Expression, names: list[str] | None = None) -> pa.Table:
    """Read the rows of a Parquet file that satisfy a condition; row groups excluded by statistics are not read."""
    return _read(path, lambda source: source.to_table(columns=names, filter=condition))


def _first_ids(path: Path, column: str) -> pa.ChunkedArray:
    return _read(path, lambda source: source.head(MAX_IDS_SEARCHED, columns=[column]))[column]


def _read(path: Path, read: Callable[[ds.Dataset], pa.Table]) -> pa.Table:
    try:
        options = {"page_checksum_verification": True, **encryption.reader_options(path)}
        parquet = ds.ParquetFileFormat(default_fragment_scan_options=ds.ParquetFragmentScanOptions(**options))
        return read(ds.dataset(path, format=parquet))
    except FileNotFoundError as error:
        raise from_os_error(error, path) from error
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"{path}: not readable as Parquet ({error}); run the stage that wrote it again") from error
