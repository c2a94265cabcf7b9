"""Small raw files as people bring them, each with the parts of a configuration that a person would write for them."""

import csv
import gzip
import io
import json
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

USERS, ITEMS, START = 60, 80, 1_700_000_000
WORDS = "red blue green small big old new wooden steel glass lamp table chair bottle shirt shoe hat book".split()

Expected = dict[str, Any]  # dotted key of the configuration -> value


def events(rng: random.Random, count: int = 900) -> Iterator[tuple[int, int, int]]:
    """Yield user, item and seconds, in the order of time over fifty days."""
    for n in range(count):
        yield rng.randrange(USERS), rng.randrange(ITEMS), START + n * 5000 + rng.randrange(99)


def title(item: int) -> str:
    """A title of four words that no other item has."""
    return " ".join([*random.Random(item).sample(WORDS, 3), str(item)])


def iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def write_csv(path: Path, rows: Sequence[Sequence[Any]], delimiter: str = ",", encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as target:
        csv.writer(target, delimiter=delimiter).writerows(rows)


def shop(raw: Path, rng: random.Random) -> Expected:
    """Two ids of people, names of actions, prices with a currency; the key of the items is called `id`."""
    kinds = ["view", "view", "view", "add_to_cart", "purchase", "remove_from_cart"]
    rows = [(f"v{u}", f"c{u // 2}", f"p{i}", iso(t), rng.choice(kinds)) for u, i, t in events(rng)]
    write_csv(raw / "log.csv", [("visitor_id", "customer_id", "product_id", "when", "action"), *rows])
    items = [(f"p{i}", title(i), f"${i}.99") for i in range(ITEMS)]
    write_csv(raw / "products.csv", [("id", "name", "price"), *items])
    return {
        "data.events.files": ["log.csv"],
        "data.events.columns.item": "product_id",
        "data.events.columns.time": "when",
        "data.events.columns.event": "action",
        "data.items.files": ["products.csv"],
        "data.items.columns": {"item": "id", "title": ["name"], "price": "price"},
        "preprocess.intensity.weights": {"view": 0.2, "add_to_cart": 0.6, "purchase": 1.0},
        "preprocess.intensity.negative": {"remove_from_cart": "zero"},
        "preprocess.split.method": "global_time",
    }


def german_shop(raw: Path, rng: random.Random) -> Expected:
    """Semicolons, Windows-1252, compounds as names."""
    rows = [(u + 1000, i + 500, iso(t), rng.randrange(1, 4)) for u, i, t in events(rng)]
    header = ("Kundennummer", "Artikelnummer", "Bestelldatum", "Menge")
    write_csv(raw / "bestellungen.csv", [header, *rows], ";", "cp1252")
    items = [
        (i + 500, f"Schöne {title(i)} €", f"Lange Beschreibung von {title(i)}", "Küche", f"{i},99 €")
        for i in range(ITEMS)
    ]
    header = ("Artikelnummer", "Bezeichnung", "Beschreibung", "Warengruppe", "Preis")
    write_csv(raw / "artikel.csv", [header, *items], ";", "cp1252")
    return {
        "data.events.delimiter": ";",
        "data.events.columns": {"user": "Kundennummer", "item": "Artikelnummer", "time": "Bestelldatum"},
        "data.items.encoding": "cp1252",
        "data.items.columns.title": ["Bezeichnung"],
        "data.items.columns.text": ["Beschreibung"],
        "data.items.columns.category": "Warengruppe",
        "data.items.columns.price": "Preis",
        "data.events.event": "purchase",
    }


def without_header(raw: Path, rng: random.Random) -> Expected:
    """The layout of MovieLens-100K: no header, two delimiters, Latin-1."""
    rows = [(u + 1, i + 1, rng.randrange(1, 6), t) for u, i, t in events(rng)]
    write_csv(raw / "u.data", rows, "\t")
    write_csv(raw / "u.item", [(i + 1, f"Café {title(i)}", "01-Jan-1995") for i in range(ITEMS)], "|", "latin-1")
    return {
        "data.events.header": False,
        "data.events.delimiter": "\t",
        "data.events.columns": {"user": "1", "item": "2", "time": "4", "value": "3"},
        "data.items.delimiter": "|",
        "data.items.encoding": "latin-1",
        "data.items.columns.item": "1",
        "data.items.columns.title": ["2"],
        "preprocess.intensity.values": {"rating": {"map": "linear", "low": 1, "high": 5}},
        "data.relevant_at": 0.75,
    }


def marks_to_ten(raw: Path, rng: random.Random) -> Expected:
    """Milliseconds, marks from 1 to 10, every fifth title missing."""
    rows = [(f"r{u}", f"b{i}", rng.randrange(1, 11), t * 1000 + 3) for u, i, t in events(rng)]
    write_csv(raw / "reviews.csv", [("reviewer", "book", "score", "ts"), *rows])
    items = [(f"b{i}", title(i) if i % 5 else "", 1950 + i % 60, "Crime" if i % 2 else "Love") for i in range(ITEMS)]
    write_csv(raw / "books.csv", [("book", "title", "year", "genre"), *items])
    return {
        "data.events.columns": {"user": "reviewer", "item": "book", "time": "ts", "value": "score"},
        "data.items.columns": {"item": "book", "title": ["title"], "category": "genre", "published": "year"},
        "preprocess.intensity.values": {"rating": {"map": "linear", "low": 1, "high": 10}},
        "data.relevant_at": 0.67,
    }


def nested_json(raw: Path, rng: random.Random) -> Expected:
    """JSON lines with inner objects and lists, users in Parquet."""
    raw.mkdir(parents=True, exist_ok=True)
    rows = [
        {"user": {"id": u}, "item": {"id": i}, "ts": iso(t), "type": rng.choice(["play", "like", "skip"])}
        for u, i, t in events(rng)
    ]
    songs = [{"song_id": i, "title": title(i), "genres": ["rock", "pop"][: i % 2 + 1]} for i in range(ITEMS)]
    for name, records in {"events": rows, "songs": songs}.items():
        (raw / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    people = {
        "id": list(range(USERS)),
        "gender": [["f", "m"][u % 2] for u in range(USERS)],
        "age": [20 + u % 40 for u in range(USERS)],
    }
    pq.write_table(pa.table(people), raw / "people.parquet")
    return {
        "data.events.columns": {"user": "user.id", "item": "item.id", "time": "ts", "event": "type"},
        "data.items.columns.item": "song_id",
        "data.items.columns.title": ["title"],
        "data.users": {"files": ["people.parquet"], "columns": {"user": "id"}, "attributes": ["gender", "age"]},
        "preprocess.intensity.negative": {"skip": "zero"},
    }


def play_counts(raw: Path, rng: random.Random) -> Expected:
    """Counts with a heavy tail and no times."""
    rows = [(u, f"t{i}", int(rng.paretovariate(1))) for u, i, _ in events(rng)]
    write_csv(raw / "user_plays.tsv", [("user_id", "track_id", "plays"), *rows], "\t")
    write_csv(raw / "tracks.tsv", [("track_id", "track_name"), *((f"t{i}", title(i)) for i in range(ITEMS))], "\t")
    return {
        "data.events.columns": {"user": "user_id", "item": "track_id", "value": "plays"},
        "data.items.columns.title": ["track_name"],
        "preprocess.intensity.values.event.map": "log",
        "preprocess.split.method": "user_random",
    }


def chinese_shop(raw: Path, rng: random.Random) -> Expected:
    """Names and titles in Chinese."""
    rows = [(u, i, iso(t), rng.choice(["点击", "购买"])) for u, i, t in events(rng)]
    write_csv(raw / "订单.csv", [("用户编号", "商品编号", "时间", "行为"), *rows])
    write_csv(
        raw / "商品.csv", [("商品编号", "商品名", "价格"), *((i, f"红色木桌子{i}灯椅书瓶", i) for i in range(ITEMS))]
    )
    return {
        "data.events.columns": {"user": "用户编号", "item": "商品编号", "time": "时间", "event": "行为"},
        "data.items.columns": {"item": "商品编号", "title": ["商品名"], "price": "价格"},
        "preprocess.intensity.weights": {"点击": 0.2, "购买": 1.0},
    }


def parts(raw: Path, rng: random.Random) -> Expected:
    """A directory per day, and Parquet as Spark writes it."""
    for day in range(1, 5):
        rows = list(events(rng, 300))
        write_csv(raw / "events" / f"day=2026-01-0{day}" / f"part-0000{day}.csv", [("uid", "iid", "time"), *rows])
    directory = raw / "items.parquet"
    directory.mkdir(parents=True)
    for n in range(4):
        items = list(range(20 * n, 20 * n + 20))
        table = pa.table({"iid": items, "headline": [title(i) for i in items]})
        pq.write_table(table, directory / f"part-0000{n}-3f2caa10.snappy.parquet")
    (directory / "_SUCCESS").write_text("")
    return {
        "data.events.files": ["events/day=*/*.csv"],
        "data.events.columns": {"user": "uid", "item": "iid", "time": "time"},
        "data.items.columns.title": ["headline"],
    }


def movielens(raw: Path, rng: random.Random) -> Expected:
    """MovieLens-1M: fields separated by `::`, Latin-1."""
    raw.mkdir(parents=True, exist_ok=True)
    rows = [f"{u + 1}::{i + 1}::{rng.randrange(1, 6)}::{t}\n" for u, i, t in events(rng)]
    (raw / "ratings.dat").write_text("".join(rows))
    films = "".join(f"{i + 1}::Café {title(i)} (1995)::Drama|War\n" for i in range(ITEMS))
    (raw / "movies.dat").write_bytes(films.encode("latin-1"))
    (raw / "users.dat").write_text(
        "".join(f"{u + 1}::{'FM'[u % 2]}::{18 + u}::{u % 20}::48067\n" for u in range(USERS))
    )
    return {
        "data.format": "movielens",
        "data.ratings": "ratings.dat",
        "data.movies": "movies.dat",
        "data.users": {"file": "users.dat", "attributes": ["gender", "age", "occupation"]},
    }


def one_export(raw: Path, rng: random.Random) -> Expected:
    """One compressed file whose rows describe their items, which have no id but a title."""
    rows = [(n // 2, f"u{u}@x.org", title(i), iso(t)) for n, (u, i, t) in enumerate(events(rng))]
    text = io.StringIO()
    csv.writer(text).writerows([("order_id", "buyer_email", "product_title", "purchased_at"), *rows])
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "export.csv.gz").write_bytes(gzip.compress(text.getvalue().encode()))
    return {
        "data.events.columns": {"user": "buyer_email", "item": "product_title", "time": "purchased_at"},
        "data.items.files": ["export.csv.gz"],
        "data.items.columns": {"item": "product_title", "title": ["product_title"]},
    }


def pandas_index(raw: Path, rng: random.Random) -> Expected:
    """The nameless first column that pandas writes."""
    rows = [(n, u, f"n{i}", iso(t)) for n, (u, i, t) in enumerate(events(rng))]
    write_csv(raw / "clicks.csv", [("", "user", "news_id", "clicked_at"), *rows])
    news = [(i, f"n{i}", title(i), f"{title(i)} " * 20, "sport", iso(1_600_000_000 + i)) for i in range(ITEMS)]
    write_csv(raw / "news.csv", [("", "news_id", "headline", "body", "section", "published_at"), *news])
    return {
        "data.events.columns": {"user": "user", "item": "news_id", "time": "clicked_at"},
        "data.items.columns": {
            "item": "news_id",
            "title": ["headline"],
            "text": ["body"],
            "category": "section",
            "published": "published_at",
        },
    }


def swapped_dates(raw: Path, rng: random.Random) -> Expected:
    """Dates whose day and month fit either way: a question."""
    rows = [
        (f"c{u}", f"s{i}", f"{1 + n % 12:02}/{1 + n // 12 % 12:02}/2021") for n, (u, i, _) in enumerate(events(rng))
    ]
    write_csv(raw / "orders.csv", [("customer", "sku", "date"), *rows])
    write_csv(raw / "catalogue.csv", [("sku", "label"), *((f"s{i}", title(i)) for i in range(ITEMS))])
    return {"data.events.columns.time": "date", "data.events.time_format": "%d/%m/%Y"}


def friends(raw: Path, rng: random.Random) -> Expected:
    """Numbered columns without names; a table of ties tells which column is the user."""
    rows = [(i + 1, u + 1, rng.randrange(1, 6), iso(t)[:10]) for u, i, t in events(rng)]
    write_csv(raw / "ratings.txt", rows)
    pairs = {(rng.randrange(USERS) + 1, rng.randrange(USERS) + 1) for _ in range(400)}
    write_csv(raw / "trust.txt", [(one, other, 1) for one, other in sorted(pairs)])
    return {"data.events.columns": {"user": "2", "item": "1", "time": "4", "value": "3"}}


SETS: dict[str, Callable[[Path, random.Random], Expected]] = {
    write.__name__: write
    for write in (
        shop,
        german_shop,
        without_header,
        marks_to_ten,
        nested_json,
        play_counts,
        chinese_shop,
        parts,
        movielens,
        one_export,
        pandas_index,
        friends,
        swapped_dates,
    )
}
