"""Codes of category, price and age: by hand, and from train alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from interestrec.core.errors import DataError
from interestrec.corpus.feature_codes import FeatureShape
from interestrec.corpus.item_attributes import (
    age_codes,
    fit_age,
    fit_attributes,
    fit_category,
    fit_id,
    fit_price,
    id_codes,
    known_category_codes,
    price_codes,
)
from interestrec.corpus.item_settings import KINDS, AttributeField, ItemsSettings
from interestrec.corpus.quantile_buckets import quantile_edges
from interestrec.corpus.store import NO_TIME, Corpus, Timelines
from interestrec.io import schemas

DAY = 86_400_000_000
START = datetime(2026, 3, 1, tzinfo=UTC)


def strings(*values: str | None) -> np.ndarray:
    return np.array(values, object)


def prices_of(logs: np.ndarray) -> np.ndarray:
    return np.expm1(np.asarray(logs, np.float64))


def test_price_is_standardised_within_its_category() -> None:
    # 20 items of `a` with log prices 1 and 3 (mean 2, deviation 1), 20 of `b/x` with 5 and 15 (mean 10, deviation 5).
    logs = np.array([1, 3] * 10 + [5, 15] * 10)
    category = strings(*["a"] * 20, *["b/x"] * 20)
    fitted = fit_price(prices_of(logs), category, np.ones(40, bool), 10)
    assert fitted["categories"]["a"] == pytest.approx({"mean": 2, "deviation": 1})
    assert fitted["categories"]["b"] == pytest.approx({"mean": 10, "deviation": 5})
    assert (fitted["mean"], fitted["deviation"]) == pytest.approx((6, logs.std()))
    # z is -1 or 1 in both categories, up to rounding.
    edge = {**fitted, "edges": [0.0]}
    np.testing.assert_array_equal(price_codes(prices_of(logs), category, edge), [1, 2] * 20)
    # An unknown category and none at all stand against the whole log's mean, 6.
    np.testing.assert_array_equal(price_codes(prices_of([5, 7, 5, 7]), strings("c", "c", None, None), edge), [1, 2] * 2)


def test_a_category_with_few_prices_uses_the_whole_logs() -> None:
    logs = np.array([1.0, 3.0] * 10 + [8.0] * 19)
    category = strings(*["a"] * 20, *["b"] * 19)
    fitted = fit_price(prices_of(logs), category, np.ones(39, bool), 4)
    assert set(fitted["categories"]) == {"a"}


def test_equal_prices_in_a_category_still_tell_another_price() -> None:
    logs = np.array([2.0] * 20 + [1.0, 3.0] * 10)
    category = strings(*["a"] * 20, *["b"] * 20)
    fitted = fit_price(prices_of(logs), category, np.ones(40, bool), 4)
    assert fitted["categories"]["a"]["deviation"] == fitted["deviation"] > 0
    assert np.isfinite(fitted["edges"]).all()


def test_a_missing_price_has_a_code_of_its_own() -> None:
    price = np.array([np.nan, np.inf, -np.inf, -1.0, 0.0, 5.0])
    category = strings(*[None] * 6)
    fitted = fit_price(price, category, np.ones(6, bool), 10)
    np.testing.assert_array_equal(price_codes(price, category, fitted), [0, 0, 0, 0, 1, 2])  # free is a price
    assert fitted["mean"] == pytest.approx(np.log(6) / 2)


def test_prices_of_other_items_change_nothing() -> None:
    rng = np.random.default_rng(0)
    price = rng.lognormal(size=100)
    category = strings(*rng.choice(["a", "b"], 100))
    liked = np.arange(100) < 60
    before = fit_price(price, category, liked, 5)
    codes = price_codes(price, category, before)
    price[60:] *= rng.lognormal(3, 2, size=40)
    price[99] = np.nan
    after = fit_price(price, category, liked, 5)
    assert after == before
    np.testing.assert_array_equal(price_codes(price, category, after)[:60], codes[:60])
    np.testing.assert_array_equal(np.unique(codes[:60]), [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(np.bincount(codes[:60])[1:], [12] * 5)


def test_edges_by_hand() -> None:
    assert quantile_edges(np.arange(9.0), 4) == [2, 4, 6]
    assert quantile_edges(np.array([5.0, 1.0, 1.0, 1.0]), 4) == [3]  # two values, two buckets
    assert quantile_edges(np.array([0.0] * 8 + [1, 2, 3]), 2) == []  # the median is the least: nothing below it
    assert quantile_edges(np.zeros(0), 4) == []


def test_age_counts_back_from_the_last_train_event() -> None:
    end = 1000 * DAY
    published = np.array([1000, 998, 990, 900, 500, 1007, 0], np.int64) * DAY
    published[6] = NO_TIME
    liked = np.array([True, True, True, True, False, False, True])
    fitted = fit_age(published, liked, end, 4)
    assert fitted["edges"] == [1, 6, 55]  # ages 0, 2, 10 and 100 days
    assert fitted["reference"] == "1972-09-27T00:00:00.000000"
    np.testing.assert_array_equal(age_codes(published, fitted), [1, 2, 3, 4, 4, 1, 0])


def test_items_published_after_the_reference_are_the_newest() -> None:
    published = (100 - np.array([-8, -6, -4, 5])) * DAY  # three of train came after its last event
    fitted = fit_age(published, np.ones(4, bool), 100 * DAY, 2)
    assert fitted["edges"] == [2.5]
    np.testing.assert_array_equal(age_codes(published, fitted), [1, 1, 1, 2])
    np.testing.assert_array_equal(age_codes(np.array([101, 109]) * DAY, fitted), [1, 1])


def test_a_category_must_be_seen_twice() -> None:
    category = strings("s/f", "s/f", "s/g", "n", None, "n/x", "s/g", "q")
    liked = np.array([True, True, True, True, True, True, False, False])
    fitted = fit_category(category, liked)
    assert fitted == {"levels": [["n", "s"], ["s/f"]]}
    expected = [[2, 1], [2, 1], [2, 0], [1, 0], [0, 0], [1, 0], [2, 0], [0, 0]]
    np.testing.assert_array_equal(known_category_codes(category, fitted), expected)


def corpus(tmp_path: Path, last: int | None = 10) -> Corpus:
    """Items 0 to 5, of which 0 to 3 have a positive train event; the last train event is on day `last`."""
    columns = {
        "item": range(6),
        "item_id": [f"i{n}" for n in range(6)],
        "title": [""] * 6,
        "text": [""] * 6,
        "category": ["a", "a", None, "b", "b", "b"],
        "price": [1.0, 10.0, None, 1.0, 5.0, 1e9],
        "published": [START + timedelta(days=n) for n in (0, 8, 9)] + [None, START, START + timedelta(days=99)],
        "has_text": [True] * 6,
    }
    made = Corpus(tmp_path, None)
    made.__dict__["items"] = pa.table({n: pa.array(list(v), schemas.ITEMS.field(n).type) for n, v in columns.items()})
    start = int(START.timestamp()) * 1_000_000
    time = np.full(6, NO_TIME) if last is None else start + np.array([1, 2, last, 3, 50, 4]) * DAY
    made.__dict__["timelines"] = Timelines(
        offsets=np.array([0, 6]),
        user=np.zeros(6, np.int32),
        item=np.array([0, 1, 2, 3, 4, 5], np.int32),
        time=time,
        intensity=np.array([1, 1, 0.5, 1, 1, 0], np.float32),
        split=np.array([0, 0, 0, 0, 1, 0], np.int8),
    )
    return made


def fields(**sizes: int | None) -> list[AttributeField]:
    """Fields of every corpus, with their buckets or events; `id=0` leaves the id out, which is there otherwise."""
    keys = {"price": "buckets", "age": "buckets", "id": "events"}
    written = [
        {"name": name, "kind": KINDS[name], **({keys[name]: size} if name in keys else {})}
        for name, size in sizes.items()
    ]
    return ItemsSettings(fields=[{"name": "title"}, *written]).attributes


def test_attributes_of_a_corpus(tmp_path: Path) -> None:
    found = fit_attributes(corpus(tmp_path), fields(price=2, category=None, age=3, id=0))
    assert [(shape.name, shape.sizes) for shape in found.sizes] == [
        ("price", (3,)),
        ("category", (2, 2)),
        ("age", (4,)),
    ]
    np.testing.assert_array_equal(found.codes[:, 0], [1, 2, 0, 1, 2, 2])
    np.testing.assert_array_equal(found.codes[:, 1:3], [[1, 1], [1, 1]] + [[0, 0]] * 4)
    np.testing.assert_array_equal(found.codes[:, 3], [3, 2, 1, 0, 3, 1])
    assert found.codes.dtype == np.int32
    assert found.fitted["age"]["reference"].startswith("2026-03-11")
    assert set(found.fitted) == {"price", "category", "age"}


def test_codes_can_mean_what_they_meant_to_another_model(tmp_path: Path) -> None:
    wanted = fields(price=2, category=None, age=3, id=1)
    known = fit_attributes(corpus(tmp_path), wanted).fitted
    known = {**known, "price": {**known["price"], "edges": [-9.0]}, "id": {"items": ["gone"]}}
    found = fit_attributes(corpus(tmp_path), wanted, known)
    assert found.fitted == known
    assert found.sizes[-1] == FeatureShape("id", (2,))
    assert set(found.codes[:, 0]) == {0, 2}


def test_no_attributes_are_no_columns(tmp_path: Path) -> None:
    found = fit_attributes(corpus(tmp_path), fields(id=0))
    assert found.codes.shape == (6, 0)
    assert (found.sizes, found.fitted) == ((), {})


def test_a_field_that_no_train_item_has_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no item of train has a known age; remove 'age' from items\.fields"):
        fit_attributes(corpus(tmp_path, last=None), fields(age=3))


def test_items_with_enough_events_are_told_by_themselves() -> None:
    fitted = fit_id(strings("b", "a", "c", "d"), np.array([5, 7, 4, 0]), 5)
    assert fitted == {"items": ["a", "b"]}
    np.testing.assert_array_equal(id_codes(strings("d", "a", "new", "b"), fitted), [0, 1, 0, 2])
