"""Amazon reviews: the keys of 2018 and of 2023."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from interestrec.core.errors import DataError, InputMissingError
from interestrec.formats.amazon import AmazonData, read
from interestrec.rawfiles.raw_log import RawLog

OLD_REVIEW = {"reviewerID": "A1", "asin": "B1", "overall": 5.0, "unixReviewTime": 1_500_000_000}
OLD_ITEM = {
    "asin": "B1",
    "title": "A game",
    "brand": "Acme",
    "categories": [["Games", "Board", "Old"], ["Toys"]],
    "price": "$12.99",
    "description": ["First.", "Second."],
    "date": "December 2, 2011",
}
NEW_REVIEW = {"user_id": "A1", "asin": "B9", "parent_asin": "B1", "rating": 4, "timestamp": 1_500_000_000_500}
NEW_ITEM = {
    "parent_asin": "B1",
    "title": "A game",
    "store": "Acme",
    "main_category": "Video Games",
    "categories": ["Games", "Board"],
    "features": ["Fun"],
    "description": [],
    "price": 12.5,
    "details": {"Date First Available": "April 5, 2012", "a": 1},
}


def section(directory: Path, **changes: Any) -> AmazonData:
    usual = {"format": "amazon", "root": directory, "reviews": ["reviews.jsonl"], "metadata": ["meta.jsonl"]}
    return AmazonData(**{**usual, **changes})


def run(directory: Path, reviews: list[Any], items: list[Any], tolerated: int = 0) -> RawLog:
    for name, rows in {"reviews.jsonl": reviews, "meta.jsonl": items}.items():
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (directory / name).write_text("".join(f"{line}\n" for line in lines))
    log = RawLog(directory)
    read(log, section(directory, max_bad_rows=tolerated))
    return log


def items_of(log: RawLog, columns: str) -> list[tuple]:
    return log.sql(f"SELECT {columns} FROM items ORDER BY ord")


def test_2018(tmp_path: Path) -> None:
    log = run(tmp_path, [OLD_REVIEW], [OLD_ITEM])
    assert log.sql("SELECT user_id, item_id, time, event, value FROM events") == [
        ("A1", "B1", datetime(2017, 7, 14, 2, 40), "review", 5.0)
    ]
    assert items_of(log, "item_id, title, text, category, price, published") == [
        ("B1", "A game Acme", "First. Second.", "Games/Board/Old", 12.99, datetime(2011, 12, 2))
    ]


def test_2023(tmp_path: Path) -> None:
    log = run(tmp_path, [NEW_REVIEW], [NEW_ITEM])
    assert log.sql("SELECT user_id, item_id, time, event, value FROM events") == [
        ("A1", "B1", datetime(2017, 7, 14, 2, 40, 0, 500_000), "review", 4.0)
    ]
    assert items_of(log, "item_id, title, text, category, price, published") == [
        ("B1", "A game Acme", "Fun", "Games/Board", 12.5, datetime(2012, 4, 5))
    ]


@pytest.mark.parametrize(
    ("written", "price"),
    [
        (12.5, 12.5),
        (None, None),
        ("from 5.00", None),
        ("$1,299.00", 1299.0),
        ("$5.99 - $9.99", None),
        ("", None),
        ("—", None),
        (".a-box-inner{background-color:#fff}", None),
    ],
)
def test_prices(tmp_path: Path, written: Any, price: float | None) -> None:
    assert items_of(run(tmp_path, [NEW_REVIEW], [{**NEW_ITEM, "price": written}]), "price") == [(price,)]


@pytest.mark.parametrize(
    ("keys", "category"),
    [
        ({"categories": []}, "Video Games"),
        ({"categories": None, "main_category": None}, None),
        ({"categories": None, "category": ["Games", "Cards"]}, "Games/Cards"),
        ({"categories": [[]]}, "Video Games"),
    ],
)
def test_categories(tmp_path: Path, keys: dict, category: str | None) -> None:
    assert items_of(run(tmp_path, [NEW_REVIEW], [{**NEW_ITEM, **keys}]), "category") == [(category,)]


@pytest.mark.parametrize("written", ["2012-04-05", "April 5, 2012"])
def test_dates(tmp_path: Path, written: str) -> None:
    item = {**NEW_ITEM, "details": {"Date First Available": written}}
    assert items_of(run(tmp_path, [NEW_REVIEW], [item]), "published") == [(datetime(2012, 4, 5),)]


def test_absent_keys_are_empty(tmp_path: Path) -> None:
    bare = {"asin": "B1", "title": None, "description": "One text", "date": "soon"}
    assert items_of(run(tmp_path, [OLD_REVIEW], [bare]), "title, text, category, price, published") == [
        ("", "One text", None, None, None)
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ({**NEW_REVIEW, "user_id": None}, "no user or no item"),
        ({**NEW_REVIEW, "user_id": " "}, "no user or no item"),
        ({**NEW_REVIEW, "parent_asin": ""}, "no user or no item"),
        ({**NEW_REVIEW, "rating": "good"}, "no rating"),
        ({**NEW_REVIEW, "rating": float("nan")}, "no rating"),
        ({**NEW_REVIEW, "rating": "1e400"}, "no rating"),
        ({**NEW_REVIEW, "timestamp": None}, "no time"),
        ({**NEW_REVIEW, "timestamp": 9e18}, "no time"),
    ],
)
def test_malformed_reviews(tmp_path: Path, row: Any, reason: str) -> None:
    with pytest.raises(DataError) as error:
        run(tmp_path, [NEW_REVIEW, row], [NEW_ITEM])
    assert str(error.value).startswith(f"{tmp_path / 'reviews.jsonl'}:2: {reason}; 1 such row")
    assert run(tmp_path, [NEW_REVIEW, row], [NEW_ITEM], tolerated=1).rows("events") == 1


def test_metadata_without_an_id_is_a_bad_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"meta\.jsonl:2: neither parent_asin nor asin"):
        run(tmp_path, [NEW_REVIEW], [NEW_ITEM, {"title": "x"}, {"asin": "", "title": "x"}])
    with pytest.raises(InputMissingError):
        read(RawLog(), section(tmp_path, reviews=["absent.jsonl"]))
