"""The Yelp Open Dataset."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interestrec.core.errors import DataError
from interestrec.formats.events import read_preset
from interestrec.formats.yelp import YelpData
from interestrec.rawfiles.raw_log import RawLog
from tests.formats.inputs import ITEMS, USERS, rows_of


def write(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def write_sample(raw: Path, rng: np.random.Generator) -> dict[str, Any]:
    reviews = [
        {
            "review_id": f"r{n}",
            "user_id": user,
            "business_id": item,
            "stars": stars,
            "useful": 0,
            "funny": 0,
            "cool": 1,
            "text": 'Said "so",\nand left',
            "date": f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}",
        }
        for n, (user, item, time, stars, _) in enumerate(rows_of(rng))
    ]
    businesses = [
        {
            "business_id": f"i{n}",
            "name": f'Joe\'s "{n}" Diner',
            "city": "Tucson",
            "state": "AZ",
            "stars": 3.5,
            "attributes": {"WiFi": "u'free'"} if n % 2 else None,
            "categories": "Diners, Burgers" if n else None,
            "hours": None,
        }
        for n in range(ITEMS)
    ]
    people = [{"user_id": f"u{n}", "name": "N", "fans": n, "elite": "", "friends": "None"} for n in range(USERS)]
    write(raw / "yelp_academic_dataset_review.json", reviews)
    write(raw / "yelp_academic_dataset_business.json", businesses)
    write(raw / "yelp_academic_dataset_user.json", people)
    return {"format": "yelp", "attributes": ["fans"]}


def run(directory: Path, **changes: Any) -> RawLog:
    log = RawLog(directory)
    read_preset(log, YelpData(format="yelp", root=directory, **changes))
    return log


def test_reviews_and_tips_are_events_and_businesses_items(tmp_path: Path) -> None:
    review = {"user_id": "U", "business_id": "B", "stars": 4.0, "text": "x", "date": "2018-07-07 22:09:11"}
    tip = {"user_id": "V", "business_id": "B", "text": "y", "date": "2012-05-18", "compliment_count": 0}
    business = {"business_id": "B", "name": "Oskar", "city": "Tampa", "categories": "Food, Wine"}
    write(tmp_path / "yelp_academic_dataset_review.json", [review])
    write(tmp_path / "yelp_academic_dataset_business.json", [business])
    write(tmp_path / "tip.json", [tip])
    log = run(tmp_path, tips="tip.json")
    assert log.sql("SELECT user_id, item_id, time, event, value FROM events ORDER BY ord") == [
        ("U", "B", datetime(2018, 7, 7, 22, 9, 11), "review", 4.0),
        ("V", "B", datetime(2012, 5, 18), "tip", None),
    ]
    assert log.sql("SELECT item_id, title, text, category FROM items") == [("B", "Oskar", "Food, Wine", "Tampa")]


def test_an_attribute_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_sample(tmp_path, np.random.default_rng(0))
    with pytest.raises(DataError, match="has no column 'age'"):
        run(tmp_path, attributes=["age"])
