"""Book-Crossing's three files."""

from pathlib import Path
from typing import Any

import numpy as np

from interestrec.formats.book_crossing import BookCrossingData
from interestrec.formats.events import read_preset
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.text_layout import TextLayout
from tests.formats.inputs import ITEMS, USERS, rows_of

BOOKS = ["ISBN", "Book-Title", "Book-Author", "Year-Of-Publication", "Publisher", "Image-URL-S"]
RATINGS = ["User-ID", "ISBN", "Book-Rating"]
USER = ["User-ID", "Location", "Age"]


def write(path: Path, rows: list[Any]) -> None:
    """Write as the dump of a database: all values quoted, quotes after a backslash, a bare NULL, Latin-1."""
    lines = [
        ";".join("NULL" if value is None else '"' + str(value).replace('"', '\\"') + '"' for value in row)
        for row in rows
    ]
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode("latin-1"))


def write_sample(raw: Path, rng: np.random.Generator) -> dict[str, Any]:
    ratings = [
        (user[1:], f"034545104{item[1:]}", 0 if kind == "view" else int(2 * stars))
        for user, item, _, stars, kind in rows_of(rng)
    ]
    write(raw / "BX-Book-Ratings.csv", [RATINGS, *ratings])
    books = [
        (f"034545104{n}", f'Caf\xe9 "{n}"; a novel', "M. Author", 1998, "Harper", "http://x") for n in range(ITEMS)
    ]
    write(raw / "BX-Books.csv", [BOOKS, *books])
    users = [(n, "bonn, nordrhein-westfalen, germany", None if n == 0 else 20 + n) for n in range(USERS)]
    write(raw / "BX-Users.csv", [USER, *users])
    return {"format": "book_crossing", "attributes": ["Age"]}


def test_a_rating_of_zero_is_an_implicit_event(tmp_path: Path) -> None:
    write(tmp_path / "BX-Book-Ratings.csv", [RATINGS, (276725, "034545104X", 0), (276726, "0155061224", 5)])
    write(
        tmp_path / "BX-Books.csv",
        [
            BOOKS,
            ("034545104X", 'Flesh "Tones"; a novel', "M. J. Rose", 2002, "Ballantine", "u"),
            ("0155061224", "R\xe8gles", "Judith", 0, "H", "u"),
        ],
    )
    log = RawLog(tmp_path)
    read_preset(log, BookCrossingData(format="book_crossing", root=tmp_path))
    assert log.sql("SELECT user_id, item_id, time, event, value FROM events ORDER BY ord") == [
        ("276725", "034545104X", None, "implicit", 0.0),
        ("276726", "0155061224", None, "rating", 5.0),
    ]
    assert log.sql("SELECT item_id, title, category FROM items ORDER BY ord") == [
        ("034545104X", 'Flesh "Tones"; a novel M. J. Rose', "Ballantine"),
        ("0155061224", "R\xe8gles Judith", "H"),
    ]


def test_copies_with_commas(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("User-ID,ISBN,Book-Rating\n1,a,10\n")
    (tmp_path / "b.csv").write_text('ISBN,Book-Title,Book-Author,Publisher\na,"Caf\xe9, ""X""",N,P\n')
    log = RawLog(tmp_path)
    files = {"ratings": "r.csv", "books": "b.csv"}
    settings = BookCrossingData(format="book_crossing", root=tmp_path, layout=TextLayout(delimiter=","), **files)
    read_preset(log, settings)
    assert log.sql("SELECT title FROM items") == [('Caf\xe9, "X" N',)]
