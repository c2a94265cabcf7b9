"""One user, item or impression of a corpus, read by filters: what is asked for is loaded, not the corpus."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from interestrec.core.errors import ArtifactError, DataError, from_os_error
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, encryption, schemas

LIKERS = 10  # users shown of those who like an item
NEAR = 5  # ids suggested for one that is not there
LOOKED_AT = 100_000  # ids that suggestions are looked for among
_EVENT = ["user", "item", "time", "event", "value", "intensity", "split", "position"]
_LONGEST_PREFIX = 64


def find_user(corpus: Corpus, user_id: str, limit: int) -> dict[str, Any]:
    """A user as JSON values: half of valid, attributes, events and impressions by split, the latest events.

    Raises:
        DataError: there is no such user; the message names near ids.
    """
    found = _by_id(corpus.path / artifact_files.USERS, "user_id", user_id)[0]
    mine = ds.field("user") == found["user"]
    events = _rows(corpus.path / artifact_files.TIMELINES, mine, _EVENT)
    shown = _rows(corpus.path / artifact_files.IMPRESSIONS, mine, ["split"])
    latest = _first(events, [("time", "descending"), ("position", "descending")], limit)
    return {
        "user_id": user_id,
        "valid_part": found["valid_part"],
        "attributes": {name: value for name, value in found.items() if name not in schemas.USERS.names},
        "events": _by_split(events),
        "impressions": _by_split(shown),
        "latest": _titled(corpus, latest, ["time", "event", "value", "intensity", "split"]),
    }


def find_item(corpus: Corpus, item_id: str, limit: int) -> dict[str, Any]:
    """An item as JSON values: attributes, tokens, events by split, mean intensity, who likes it most.

    A user likes it as much as their strongest event with it; of equals, more events come first, then users by number.

    Raises:
        DataError: there is no such item; the message names near ids.
    """
    found = _by_id(corpus.path / artifact_files.ITEMS, "item_id", item_id)[0]
    number = found.pop("item")
    mine = ds.field("item") == number
    tokens = _rows(corpus.text_features_path, mine, ["title_tokens", "text_tokens"]).to_pylist()[0]
    events = _rows(corpus.path / artifact_files.TIMELINES, mine, ["user", "intensity", "split"])
    return {
        **found,
        "published": _iso(found["published"]),
        "tokens": {name: len(tokens[f"{name}_tokens"]) for name in ("title", "text")},
        "events": _by_split(events),
        "mean_intensity": pc.mean(events["intensity"]).as_py(),
        "liked_most_by": _likers(corpus, events, min(limit, LIKERS)),
    }


def find_impression(corpus: Corpus, impression_id: str, limit: int) -> dict[str, Any]:
    """All impressions of an id, which may be in several splits, as JSON values.

    Of each: user, time, split, the latest of its history (latest last), and its candidates, highest label first.

    Raises:
        DataError: there is no such impression; the message names near ids.
    """
    found = _by_id(corpus.path / artifact_files.IMPRESSIONS, "impression_id", impression_id)
    return {"impression_id": impression_id, "found": [_impression(corpus, row, limit) for row in found]}


LOOKUPS: Mapping[str, Callable[[Corpus, str, int], dict[str, Any]]] = {
    "user": find_user,
    "item": find_item,
    "impression": find_impression,
}


def near_ids(ids: pa.ChunkedArray, wanted: str) -> list[str]:
    """Ids that share the longest beginning with the wanted one, at most `NEAR`, in their order."""
    for length in range(min(len(wanted), _LONGEST_PREFIX), 0, -1):
        near = pc.unique(ids.filter(pc.starts_with(ids, wanted[:length], ignore_case=True)))
        if len(near):
            return near.slice(0, NEAR).to_pylist()
    return []


def _by_id(path: Path, column: str, wanted: str) -> list[dict[str, Any]]:
    rows = _rows(path, ds.field(column) == wanted).to_pylist()
    if rows:
        return rows
    near = near_ids(_first_ids(path, column), wanted)
    hint = f"; near it: {', '.join(near)}" if near else "; no id begins like it"
    raise DataError(f"{path.parent}: there is no {column.removesuffix('_id')} '{wanted}'{hint}")


def _impression(corpus: Corpus, row: dict[str, Any], limit: int) -> dict[str, Any]:
    user, first, end = row["user"], row["history_start"], row["history_end"]
    within = (ds.field("user") == user) & (ds.field("position") >= max(first, end - limit))
    history = _rows(corpus.path / artifact_files.TIMELINES, within & (ds.field("position") < end), _EVENT).sort_by(
        "position"
    )
    shown = _rows(
        corpus.path / artifact_files.CANDIDATES, ds.field("impression") == row["impression"], ["item", "label"]
    )
    placed = shown.append_column("place", pa.array(range(shown.num_rows)))
    best = _first(placed, [("label", "descending"), ("place", "ascending")], limit)
    return {
        "user_id": _ids(corpus.path / artifact_files.USERS, "user", [user], ["user_id"])[user]["user_id"],
        "time": _iso(row["time"]),
        "split": row["split"],
        "history_length": end - first,
        "history": _titled(corpus, history, ["time", "event", "intensity"]),
        "candidate_count": shown.num_rows,
        "candidates": _titled(corpus, best, ["label"]),
    }


def _likers(corpus: Corpus, events: pa.Table, most: int) -> list[dict[str, Any]]:
    by_user = events.group_by("user").aggregate([("intensity", "max"), ("intensity", "count")])
    order = [("intensity_max", "descending"), ("intensity_count", "descending"), ("user", "ascending")]
    rows = by_user.sort_by(order).slice(0, most).to_pylist()
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
    """The first rows in an order, nulls behind all others."""
    keys = [(*key, "at_end") for key in order]
    return rows.take(pc.sort_indices(rows, sort_keys=keys).slice(0, limit))


def _titled(corpus: Corpus, rows: pa.Table, names: list[str]) -> list[dict[str, Any]]:
    """Rows with the id and title of their item and these columns as JSON values."""
    wanted = rows.to_pylist()
    items = _ids(corpus.path / artifact_files.ITEMS, "item", (row["item"] for row in wanted), ["item_id", "title"])
    titled = []
    for row in wanted:
        values = {name: _iso(row[name]) if name == "time" else row[name] for name in names}
        titled.append({**items[row["item"]], **values})
    return titled


def _ids(path: Path, key: str, numbers: Iterable[int], names: list[str]) -> dict[int, dict[str, Any]]:
    """Columns of a table by the number of their row."""
    rows = _rows(path, ds.field(key).isin(sorted(set(numbers))), [key, *names]).to_pylist()
    return {row.pop(key): row for row in rows}


def _by_split(rows: pa.Table) -> dict[str, int]:
    found = pc.value_counts(rows["split"].cast(pa.string())).to_pylist()
    counts = {entry["values"]: entry["counts"] for entry in found}
    return {name: counts.get(name, 0) for name in schemas.SPLITS}


def _iso(time: Any) -> str | None:
    return None if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _rows(path: Path, condition: ds.Expression, names: list[str] | None = None) -> pa.Table:
    """The rows of a Parquet file that meet a condition; row groups that cannot hold one are not read."""
    return _read(path, lambda source: source.to_table(columns=names, filter=condition))


def _first_ids(path: Path, column: str) -> pa.ChunkedArray:
    return _read(path, lambda source: source.head(LOOKED_AT, columns=[column]))[column]


def _read(path: Path, read: Callable[[ds.Dataset], pa.Table]) -> pa.Table:
    try:
        options = {"page_checksum_verification": True, **encryption.reader_options(path)}
        checked = ds.ParquetFileFormat(default_fragment_scan_options=ds.ParquetFragmentScanOptions(**options))
        return read(ds.dataset(path, format=checked))
    except FileNotFoundError as error:
        raise from_os_error(error, path) from error
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"{path}: not readable as Parquet ({error}); run the stage that wrote it again") from error
