"""Conditions on columns of items."""

import numpy as np
import pyarrow as pa
import pytest

from interestrec.answering.item_filters import filter_items
from interestrec.core.errors import UsageError

ITEMS = pa.table(
    {
        "item": pa.array([0, 1, 2, 3]),
        "item_id": ["a", "b", "c", "d"],
        "title": ["A pan", "B", "C", "D"],
        "text": ["", "", "", ""],
        "category": ["kitchen", "kitchen/pans", "kitchenware", None],
        "price": pa.array([10.0, 20.0, None, 5.0]),
        "published": pa.array([0, 86_400_000_000, None, 3], pa.timestamp("us", "UTC")),
        "tags": pa.array([["red", "big"], [], None, ["red"]], pa.list_(pa.string())),
    }
)


@pytest.mark.parametrize(
    ("conditions", "rows"),
    [
        (["category=kitchen"], [0, 1]),  # also below it, but not what only begins alike
        (["category!=kitchen"], [2, 3]),
        (["price<20"], [0, 3]),
        (["price>=10", "category=kitchen"], [0, 1]),
        (["price=20"], [1]),
        (["price=cheap"], []),
        (["tags=red"], [0, 3]),
        (["tags!=red"], [1, 2]),
        (["published>1970-01-01T12:00:00+00:00"], [1]),
        (["title=A pan"], [0]),
        ([], [0, 1, 2, 3]),
    ],
)
def test_items_that_meet_all_conditions(conditions: list[str], rows: list[int]) -> None:
    assert np.flatnonzero(filter_items(ITEMS, conditions)).tolist() == rows


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("kategory=x", r"no column 'kategory' \(did you mean 'category'\?\); there are: item_id, title, category"),
        ("category", "expected COLUMN=VALUE"),
        ("category<x", "compares numbers or times"),
        ("published>yesterday", "compares numbers or times"),
        ("text=x", "no column 'text'"),
    ],
)
def test_what_cannot_be_compared_is_refused(condition: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        filter_items(ITEMS, [condition])
