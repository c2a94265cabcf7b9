"""Goodreads from the UCSD Book Graph."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.formats.goodreads import GoodreadsData, read
from interestrec.rawfiles.raw_log import RawLog
from tests.formats.inputs import ITEMS, rows_of

AUTHORS = [{"author_id": "604031", "name": "Ronald J. Fields"}, {"author_id": "626222", "name": 'Anita "Di"'}]


def write(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(record) + "\n" for record in records).encode()))


def interaction(user: str, book: str, stars: int, added: datetime, **changes: str) -> dict[str, Any]:
    when = f"{added:%a %b %d %H:%M:%S} -0700 {added.year}"
    fields = {"user_id": user, "book_id": book, "review_id": f"r{book}", "is_read": stars > 0, "rating": stars}
    return {**fields, "review_text_incomplete": "", "date_added": when, "read_at": "", **changes}


def book(number: str, title: str, authors: list[str]) -> dict[str, Any]:
    written = [{"author_id": author, "role": ""} for author in authors]
    shelves = [{"count": "15419", "name": "to-read"}]
    fields = {"book_id": number, "title": title, "description": "A tale,\nof \\'80s", "publication_year": "1984"}
    return {**fields, "authors": written, "popular_shelves": shelves, "similar_books": []}


def genres(number: str, votes: dict[str, int]) -> dict[str, Any]:
    return {"book_id": number, "genres": votes}


def write_books(directory: Path, books: list[dict[str, Any]], votes: list[dict[str, Any]]) -> None:
    write(directory / "goodreads_books.json.gz", books)
    write(directory / "goodreads_book_authors.json.gz", AUTHORS)
    write(directory / "goodreads_book_genres_initial.json.gz", votes)


def write_sample(raw: Path, rng: np.random.Generator) -> dict[str, Any]:
    events = [
        interaction(user, item[1:], int(stars) if kind == "buy" else 0, datetime.fromtimestamp(time, UTC))
        for user, item, time, stars, kind in rows_of(rng)
    ]
    write(raw / "goodreads_interactions_dedup.json.gz", events)
    votes = [genres(str(n), {"fiction": 2, "history, biography": n}) for n in range(ITEMS)]
    write_books(raw, [book(str(n), f"Tale {n}", ["604031", "626222"]) for n in range(ITEMS)], votes)
    return {"format": "goodreads"}


def run(directory: Path, **changes: Any) -> RawLog:
    log = RawLog(directory)
    read(log, GoodreadsData(format="goodreads", root=directory, **changes))
    assert log.rows_read == log.rows_kept + log.rows_left_out + log.rows("bad_rows")
    return log


def test_events_and_books(tmp_path: Path) -> None:
    added = datetime(2017, 8, 25, 13, 55, 2)
    write(
        tmp_path / "goodreads_interactions_dedup.json.gz",
        [interaction("8842281e", "24375664", 5, added), interaction("8842281e", "18245960", 0, added)],
    )
    books = [book("24375664", "Loonshots", ["626222", "604031", "0"]), book("18245960", "Good", []), book("", "x", [])]
    write_books(
        tmp_path, books, [genres("24375664", {"fiction": 3, "history": 8, "poetry": 8}), genres("18245960", {})]
    )
    log = run(tmp_path)
    assert log.sql("SELECT user_id, item_id, time, event, value FROM events ORDER BY ord") == [
        ("8842281e", "24375664", datetime(2017, 8, 25, 20, 55, 2), "rating", 5.0),
        ("8842281e", "18245960", datetime(2017, 8, 25, 20, 55, 2), "shelf", 0.0),
    ]
    assert log.sql("SELECT item_id, title, text, category FROM items ORDER BY ord") == [
        ("24375664", 'Loonshots Anita "Di" Ronald J. Fields', "A tale,\nof \\'80s", "history"),
        ("18245960", "Good", "A tale,\nof \\'80s", None),
    ]


def test_books_of_the_csv_file_get_their_ids(tmp_path: Path) -> None:
    rows = "0,948,1,5,0\n0,947,1,0,1\n1,946,0,0,0\n"
    (tmp_path / "goodreads_interactions.csv").write_text("user_id,book_id,is_read,rating,is_reviewed\n" + rows)
    (tmp_path / "book_id_map.csv").write_text("book_id_csv,book_id\n948,34684622\n947,948\n")
    write(tmp_path / "goodreads_books.json.gz", [book("34684622", "A", ["604031"]), book("948", "B", [])])
    files = {"interactions": ["goodreads_interactions.csv"], "book_id_map": "book_id_map.csv", "time": None}
    log = run(tmp_path, authors=None, genres=None, **files)
    assert log.sql("SELECT user_id, item_id, event FROM events ORDER BY ord") == [
        ("0", "34684622", "rating"),
        ("0", "948", "shelf"),
        ("1", "number 946", "shelf"),
    ]
    assert log.sql("SELECT title, category FROM items ORDER BY ord") == [("A", None), ("B", None)]
