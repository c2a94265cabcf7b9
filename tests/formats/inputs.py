"""Small raw inputs in every format, each with the `data` section that reads them."""

import gzip
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interestrec.config.loading import load_settings
from interestrec.config.settings import Settings
from interestrec.formats.readers import READERS

START = 1_500_000_000
USERS, ITEMS, ROWS = 6, 8, 36

Section = dict[str, Any]


def settings_of(directory: Path, data: Section, encoder: Path, preprocess: Section | None = None) -> Settings:
    """Settings of a run over a directory of raw files; the workspace lies in it."""
    given = "train" in data
    method = {"split": {"method": "given"}} if given else {}
    config = {
        "version": 1,
        "workspace": str(directory / "workspace"),
        "data": {"root": str(directory / "raw"), "max_items_without_text": 1, **data},
        "preprocess": {**method, **(preprocess or {})},
        "encoders": {"text": {"source": str(encoder)}},
        "runtime": {"threads": 1},
    }
    path = directory / "config.yaml"
    path.write_text(json.dumps(config))  # JSON is YAML
    return load_settings(path, [])


def rows_of(rng: np.random.Generator) -> list[tuple[str, str, int, float, str]]:
    """Events: user, item, seconds, stars, kind."""
    return [
        (
            f"u{rng.integers(USERS)}",
            f"i{rng.integers(ITEMS)}",
            START + 3_600 * n + int(rng.integers(60)),
            float(rng.integers(1, 6)),
            "buy" if rng.random() < 0.5 else "view",
        )
        for n in range(ROWS)
    ]


def _events(suffix: str, delimiter: str = ",") -> Callable[[Path, np.random.Generator], Section]:
    def write(raw: Path, rng: np.random.Generator) -> Section:
        names = ["user", "item", "time", "stars", "kind"]
        rows = rows_of(rng)
        items = [(f"i{n}", f'The "old" house, {n}', "a dog") for n in range(ITEMS)]
        if suffix == "parquet":
            pq.write_table(
                pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), raw / "e.parquet"
            )
            columns = dict(zip(["id", "name", "about"], map(list, zip(*items, strict=True)), strict=True))
            pq.write_table(pa.table(columns), raw / "i.parquet")
        elif suffix == "jsonl":
            _json_lines(raw / "e.jsonl", [dict(zip(names, row, strict=True)) for row in rows])
            _json_lines(raw / "i.jsonl", [dict(zip(["id", "name", "about"], row, strict=True)) for row in items])
        else:
            quoted = [(item, '"' + name.replace('"', '""') + '"', about) for item, name, about in items]
            _delimited(raw / f"e.{suffix}", delimiter, [names, *rows])
            _delimited(raw / f"i.{suffix}", delimiter, [("id", "name", "about"), *quoted])
        columns = {"user": "user", "item": "item", "time": "time", "value": "stars", "event": "kind"}
        return {
            "format": "events",
            "events": {"files": [f"e.{suffix}"], "columns": columns},
            "items": {"files": [f"i.{suffix}"], "columns": {"item": "id", "title": ["name"], "text": ["about"]}},
        }

    return write


def _delimited(path: Path, delimiter: str, rows: list) -> None:
    text = "".join(delimiter.join(map(str, row)) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def _json_lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _mind(raw: Path, rng: np.random.Generator) -> Section:
    news = [(f"i{n}", "sports", "golf", f'A "game {n}', "the sun", "u", "[]", "[]") for n in range(ITEMS)]
    _delimited(raw / "news.tsv", "\t", news)
    for name in ("train", "valid", "test"):
        _delimited(raw / f"{name}.tsv", "\t", [_impression(rng, n) for n in range(12)])
    return {"format": "mind", "news": ["news.tsv"], **{s: [f"{s}.tsv"] for s in ("train", "valid", "test")}}


def _impression(rng: np.random.Generator, n: int) -> tuple[str, ...]:
    shown = rng.choice(ITEMS, 4, replace=False)
    history = " ".join(f"i{i}" for i in rng.choice(ITEMS, rng.integers(3)))
    when = f"11/{n % 28 + 1}/2019 2:14:46 PM"
    marks = " ".join(f"i{item}-{int(place == n % 4)}" for place, item in enumerate(shown))
    return str(n + 1), f"u{n % USERS}", when, history, marks


def _impressions(suffix: str) -> Callable[[Path, np.random.Generator], Section]:
    def write(raw: Path, rng: np.random.Generator) -> Section:
        rows = []
        for n in range(ROWS):
            shown = [int(i) for i in rng.choice(ITEMS, 4, replace=False)]
            rows.append(
                {
                    "id": n,
                    "user": n % USERS,
                    "time": START + 60 * n,
                    "shown": shown,
                    "clicked": shown[n % 4 : n % 4 + 1],
                }
                | {"labels": [int(i == n % 4) for i in range(4)], "history": shown[:2], "seconds": float(n)}
            )
        columns = {"impression": "id", "user": "user", "time": "time", "shown": "shown", "value": "seconds"}
        parts = {"train": rows[:20], "valid": rows[20:28], "test": rows[28:]}
        for name, part in parts.items():
            if suffix == "parquet":
                pq.write_table(pa.Table.from_pylist(part), raw / f"{name}.parquet")
            else:
                _json_lines(raw / f"{name}.jsonl", part)
        data = {"format": "impressions", **{name: [f"{name}.{suffix}"] for name in parts}}
        if suffix == "jsonl":
            return {**data, "columns": {**columns, "labels": "labels", "history": "history"}}
        past = [{"user": u, "read": [u, u + 1], "when": [START, START + 9], "spent": [3.0, 4.0]} for u in range(USERS)]
        table = pa.Table.from_pylist(past)
        when = table["when"].cast(pa.list_(pa.timestamp("s"))).cast(pa.list_(pa.timestamp("us")))
        pq.write_table(table.set_column(2, "when", when), raw / "history.parquet")
        items = {"id": list(range(ITEMS)), "name": [f"game {n}" for n in range(ITEMS)]}
        pq.write_table(pa.table(items), raw / "items.parquet")
        return {
            **data,
            "columns": {**columns, "clicked": "clicked"},
            "history": {
                **{name: ["history.parquet"] for name in parts},
                "columns": {"user": "user", "items": "read", "times": "when", "values": "spent"},
            },
            "items": {"files": ["items.parquet"], "columns": {"item": "id", "title": ["name"]}},
        }

    return write


def _movielens(raw: Path, rng: np.random.Generator) -> Section:
    ratings = [(user[1:], item[1:], stars, time) for user, item, time, stars, _ in rows_of(rng)]
    _delimited(raw / "ratings.csv", ",", [("userId", "movieId", "rating", "timestamp"), *ratings])
    films = [(n, f'"The ""Game"", {n} ({1990 + n})"', "Drama|War") for n in range(ITEMS)]
    _delimited(raw / "movies.csv", ",", [("movieId", "title", "genres"), *films])
    return {"format": "movielens"}


def _movielens_plots(raw: Path, rng: np.random.Generator) -> Section:
    _movielens(raw, rng)
    _delimited(raw / "links.csv", ",", [("movieId", "tmdbId"), *((n, f"{n + 100}.0") for n in range(ITEMS))])
    plots = [(n + 100, '"A storm, then\nrain"') for n in range(ITEMS)]
    _delimited(raw / "plots.csv", ",", [("tmdbId", "overview"), *plots])
    return {"format": "movielens", "links": "links.csv", "plots": {"file": "plots.csv", "key": "tmdbId"}}


def _movielens_parted(raw: Path, rng: np.random.Generator) -> Section:
    ratings = [(user[1:], item[1:], stars, time) for user, item, time, stars, _ in rows_of(rng)]
    _delimited(raw / "ratings.dat", "::", ratings)
    films = "".join(f'{n}::Caf\xe9 "{n} (1995)::Drama|War\n' for n in range(ITEMS))
    (raw / "movies.dat").write_bytes(films.encode("latin-1"))
    return {"format": "movielens", "ratings": "ratings.dat", "movies": "movies.dat"}


def _amazon(year: int) -> Callable[[Path, np.random.Generator], Section]:
    def write(raw: Path, rng: np.random.Generator) -> Section:
        old = year == 2018
        names = ("reviewerID", "asin", "overall") if old else ("user_id", "parent_asin", "rating")
        time, unit = ("unixReviewTime", 1) if old else ("timestamp", 1_000)
        reviews = [
            dict(zip(names, (user, item, stars), strict=True)) | {time: when * unit}
            for user, item, when, stars, _ in rows_of(rng)
        ]
        categories: list = [["Games", "Board"]] if old else ["Games", "Board"]
        price: Any = "$12.99" if old else 12.99
        about = {"title": "The game", "categories": categories, "price": price, "description": ["a", "b"]}
        _json_lines(raw / "reviews.jsonl", reviews)
        _json_lines(raw / "meta.jsonl", [{names[1]: f"i{n}", **about} for n in range(ITEMS)])
        return {"format": "amazon", "reviews": ["reviews.jsonl"], "metadata": ["meta.jsonl"]}

    return write


def _recbole(raw: Path, rng: np.random.Generator) -> Section:
    rows = [(user, item, stars, float(time)) for user, item, time, stars, _ in rows_of(rng)]
    header = ("user_id:token", "item_id:token", "rating:float", "timestamp:float")
    _delimited(raw / "a.inter", "\t", [header, *rows])
    items = [(f"i{n}", f'The "game {n}', "sports") for n in range(ITEMS)]
    _delimited(raw / "a.item", "\t", [("item_id:token", "name:token_seq", "class:token"), *items])
    data = {"inter": "a.inter", "item": "a.item", "value": "rating", "title": ["name"], "category": "class"}
    return {"format": "recbole", **data}


def _with_users(
    write: Callable[[Path, np.random.Generator], Section],
) -> Callable[[Path, np.random.Generator], Section]:
    """The same input and a table of users, of which one has no event."""

    def with_users(raw: Path, rng: np.random.Generator) -> Section:
        data = write(raw, rng)
        people = [(f"u{n}", "FM"[n % 2], 20 + n) for n in range(USERS + 1)]
        if data["format"] == "recbole":
            _delimited(raw / "a.user", "\t", [("user_id:token", "gender:token", "age:float"), *people])
            return {**data, "user": "a.user", "attributes": ["gender", "age"]}
        _delimited(raw / "users.csv", ",", [("who", "gender", "age"), *people])
        users = {"files": ["users.csv"], "columns": {"user": "who"}, "attributes": ["gender", "age"]}
        return {**data, "users": users}

    return with_users


# Name of a kind of input, which begins with the format -> function (directory of raw files, generator) -> the `data`
# section.
KINDS: dict[str, Callable[[Path, np.random.Generator], Section]] = {
    "mind": _mind,
    "events-csv": _events("csv"),
    "events-tsv": _events("tsv", "\t"),
    "events-csv.gz": _events("csv.gz"),
    "events-jsonl": _events("jsonl"),
    "events-parquet": _events("parquet"),
    "impressions-parquet": _impressions("parquet"),
    "impressions-jsonl": _impressions("jsonl"),
    "movielens-csv": _movielens,
    "movielens-plots": _movielens_plots,
    "movielens-dat": _movielens_parted,
    "amazon-2018": _amazon(2018),
    "amazon-2023": _amazon(2023),
    "recbole": _recbole,
    "events-users": _with_users(_events("csv")),
    "recbole-users": _with_users(_recbole),
}


def _sample_of(name: str) -> Callable[[Path, np.random.Generator], Section]:
    """The input that the format's own test file writes, imported when it is needed."""

    def write(raw: Path, rng: np.random.Generator) -> Section:
        try:
            write_sample = importlib.import_module(f"tests.formats.test_{name}").write_sample
        except (ImportError, AttributeError):
            raise AssertionError(
                f"format {name} has no sample; write `write_sample(raw, rng)` into tests/formats/test_{name}.py: it "
                "writes raw files for the rows of `rows_of(rng)` and returns the `data` section"
            ) from None
        return write_sample(raw, rng)

    return write


KINDS |= {name: _sample_of(name) for name in READERS if name not in {kind.partition("-")[0] for kind in KINDS}}


def kinds_of(name: str) -> list[str]:
    """The kinds of input of a format; every format has at least one."""
    return [kind for kind in KINDS if kind.partition("-")[0] == name]
