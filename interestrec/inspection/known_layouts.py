"""Public data sets by the columns of their files: layouts that a format of their own reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from interestrec.inspection.column_profile import ColumnProfile
from interestrec.inspection.sampled_table import SampledTable

_MARKED = re.compile(r"\S+-[01]( \S+-[01])*")
_IDS = re.compile(r"\S+( \S+)*")


@dataclass(frozen=True)
class KnownLayout:
    """The `data` section of a layout that was recognised, and what goes with it."""

    data: Mapping[str, Any]
    sentence: str
    value: ColumnProfile | None = None  # column of the measured values
    event: str = "event"
    has_times: bool = True
    is_given_split: bool = False
    used: Sequence[int] = ()  # positions of the tables
    texts: Mapping[str, ColumnProfile] = field(default_factory=dict)  # title, text
    notes: Sequence[str] = ()


def recognise(tables: Sequence[SampledTable]) -> KnownLayout | None:
    """Return the layout that the tables have, None if no format of its own reads them."""
    return next((found for look in _LAYOUTS if (found := look(tables)) is not None), None)


def _with_columns(tables: Sequence[SampledTable], *names: str) -> tuple[int, SampledTable] | None:
    wanted = set(names)
    return next(((n, table) for n, table in enumerate(tables) if wanted <= set(table.names)), None)


def _named(tables: Sequence[SampledTable], pattern: str) -> tuple[int, SampledTable] | None:
    return next(((n, t) for n, t in enumerate(tables) if re.search(pattern, t.group.names[0])), None)


def _movielens(tables: Sequence[SampledTable]) -> KnownLayout | None:
    ratings, movies = _with_columns(tables, "userId", "movieId", "rating", "timestamp"), None
    parted = [(n, table) for n, table in enumerate(tables) if table.delimiter == "::"]
    if ratings is not None:
        movies = _with_columns(tables, "movieId", "title", "genres")
    elif len(parted) >= 2:
        ratings = next(((n, t) for n, t in parted if len(t.columns) == 4 and t.columns[2].is_number), None)
        movies = next(((n, t) for n, t in parted if len(t.columns) == 3 and not t.columns[1].is_number), None)
    if ratings is None or movies is None:
        return None
    # The plain table of films goes before one with further columns.
    plain = [(n, t) for n, t in enumerate(tables) if t.names[:3] == ["movieId", "title", "genres"]]
    movies = min(plain, key=lambda pair: len(pair[1].names)) if plain else movies
    data: dict[str, Any] = {
        "format": "movielens",
        "ratings": ratings[1].group.names[0],
        "movies": movies[1].group.names[0],
    }
    used = [ratings[0], movies[0]]
    texts = {"title": movies[1].columns[1]}
    plots = next(((n, t) for n, t in enumerate(tables) if {"movieId", "overview"} <= set(t.names)), None)
    if plots is not None:
        data["plots"] = {"file": plots[1].group.names[0], "key": "movieId", "column": "overview"}
        used.append(plots[0])
        texts["text"] = plots[1].column("overview")
    users = next(((n, t) for n, t in parted if len(t.columns) == 5), None)
    if users is not None:
        data["users"] = {"file": users[1].group.names[0], "attributes": ["gender", "age", "occupation"]}
        used.append(users[0])
    return KnownLayout(data, "MovieLens: ratings and films", ratings[1].columns[2], "rating", used=used, texts=texts)


def _mind(tables: Sequence[SampledTable]) -> KnownLayout | None:
    behaviours = [(n, t) for n, t in enumerate(tables) if _is_behaviours(t)]
    news = [(n, t) for n, t in enumerate(tables) if t.delimiter == "\t" and not t.has_header and len(t.columns) == 8]
    if not behaviours or not news:
        return None
    names = {
        split: [t.group.names[0] for _, t in behaviours if _split_of(t.group.names[0]) == split]
        for split in ("train", "valid", "test")
    }
    notes = []
    if not names["train"]:
        names = {"train": [t.group.names[0] for _, t in behaviours], "valid": [], "test": []}
    if len(names["train"]) > 1:
        notes.append(f"several files of train: remove those that are excerpts of others: {', '.join(names['train'])}")
    if not names["test"] and names["valid"]:
        names["test"], names["valid"] = names["valid"], []
        notes.append("the files of the valid split are used as test, because there is no other test with labels")
    data = {"format": "mind", "news": [t.group.names[0] for _, t in news]}
    data |= {split: files for split, files in names.items() if files}
    timed = all(t.columns[2].filled_share > 0.99 for _, t in behaviours if t.group.names[0] in names["train"])
    return KnownLayout(
        data,
        "MIND: news and behaviours",
        has_times=timed,
        is_given_split=bool(names["test"]),
        used=[n for n, _ in (*behaviours, *news)],
        texts={"title": news[0][1].columns[3], "text": news[0][1].columns[4]},
        notes=notes,
    )


def _is_behaviours(table: SampledTable) -> bool:
    if table.delimiter != "\t" or len(table.columns) != 5:
        return False
    return all(_MARKED.fullmatch(value) for value, _ in table.columns[4].frequent) and bool(table.columns[4].frequent)


def _split_of(name: str) -> str | None:
    words = set(re.split(r"[\W_]+", name.lower()))
    if "train" in words or "training" in words:
        return "train"
    if words & {"test", "eval"}:
        return "test"
    return "valid" if words & {"dev", "valid", "validation", "val"} else None


def _recbole(tables: Sequence[SampledTable]) -> KnownLayout | None:
    inter, item = _named(tables, r"\.inter$"), _named(tables, r"\.item$")
    if inter is None or item is None:
        return None
    fields = {name.partition(":")[0]: column for column in inter[1].columns for name in [column.name]}
    described = {column.name.partition(":")[0]: column for column in item[1].columns}
    title = next((n for n in described if re.search(r"title|name", n)), None)
    title = title or next((n for n, c in described.items() if c.name.endswith("token_seq")), None)
    if title is None:
        return None
    data: dict[str, Any] = {"format": "recbole", "inter": inter[1].group.names[0], "item": item[1].group.names[0]}
    value = next((n for n, c in fields.items() if n in ("rating", "label", "stars") and c.is_number), None)
    if value:
        data |= {"value": value, "event": value}
    data["title"] = [title]
    texts = {"title": described[title]}
    others = [n for n, c in described.items() if n != title and c.name.endswith("token_seq")]
    if others:
        data["text"] = others[:2]
        texts["text"] = described[others[0]]
    user = _named(tables, r"\.user$")
    if user is not None:
        attributes = [c.name.partition(":")[0] for c in user[1].columns if not c.is_key and c.distinct <= 100]
        if attributes:
            data |= {"user": user[1].group.names[0], "attributes": attributes[:8]}
    return KnownLayout(
        data,
        "RecBole's atomic files",
        fields[value] if value else None,
        value or "event",
        has_times="timestamp" in fields,
        used=[n for n, _ in filter(None, [inter, item, user])],
        texts=texts,
    )


def _amazon(tables: Sequence[SampledTable]) -> KnownLayout | None:
    reviews = _with_columns(tables, "reviewerID", "asin", "overall") or _with_columns(
        tables, "user_id", "parent_asin", "rating"
    )
    if reviews is None:
        return None
    rating = reviews[1].column("overall" if "overall" in reviews[1].names else "rating")
    meta = next(
        (
            (n, t)
            for n, t in enumerate(tables)
            if n != reviews[0] and "title" in t.names and {"asin", "parent_asin"} & set(t.names)
        ),
        None,
    )
    if meta is None or meta[1].group.kind != "json" or reviews[1].group.kind != "json":
        return None
    data = {"format": "amazon", "reviews": list(reviews[1].group.names), "metadata": list(meta[1].group.names)}
    return KnownLayout(
        data,
        "Amazon reviews and metadata",
        rating,
        "review",
        used=[reviews[0], meta[0]],
        texts={"title": meta[1].column("title")},
    )


_LAYOUTS: list[Callable[[Sequence[SampledTable]], KnownLayout | None]] = [_recbole, _movielens, _mind, _amazon]
