"""Deletion curves of three users, by hand."""

from typing import Any

import pyarrow as pa
import pytest

from interestrec.evaluation.deletion_curves import AREA, deletion_rows, deletion_sentences
from interestrec.io.schemas import DELETIONS

SCHEMA = DELETIONS.set(DELETIONS.get_field_index("by"), pa.field("by", pa.string()))
USERS = {"a": (30, False), "b": (30, True), "c": (5, False)}  # number of events, whether the item is cold
DROPS = {  # by order: of 1 and of 2 events
    ("a", "effect"): (3.0, 5.0),
    ("a", "random"): (1.0, 2.0),
    ("b", "effect"): (1.0, 1.0),
    ("b", "random"): (1.0, 3.0),
    ("c", "effect"): (2.0,),
    ("c", "random"): (0.5,),
    ("c", "attention"): (1.0,),
}


def table(drops: dict[tuple[str, str], tuple[float, ...]]) -> pa.Table:
    rows = [
        {
            "user_id": user,
            "item_id": "i",
            "history": USERS[user][0],
            "cold_item": USERS[user][1],
            "by": by,
            "removed": removed,
            "score_drop": drop,
            "rank": 10 * drop,
        }
        for (user, by), values in drops.items()
        for removed, drop in enumerate(values, 1)
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def of(rows: list[dict[str, Any]], segment: str, by: str, removed: int) -> dict[str, Any]:
    (found,) = [r for r in rows if (r["segment"], r["by"], r["removed"]) == (segment, by, removed)]
    return found


def test_means_are_over_the_users_who_have_a_value() -> None:
    rows = deletion_rows(table(DROPS), 200, 1, 1)
    assert of(rows, "all", "effect", 1)["score_drop"] == 2.0
    assert of(rows, "all", "effect", 2) | {"users": 2, "score_drop": 3.0, "rank": 30.0} == of(rows, "all", "effect", 2)
    assert of(rows, "all", "effect", AREA)["score_drop"] == pytest.approx((4 + 1 + 2) / 3)
    assert of(rows, "all", "random", AREA)["lead"] == pytest.approx((2.5 - 1 + 1.5) / 3)
    assert of(rows, "all", "attention", 1)["lead"] == 1.0  # of user c alone
    assert of(rows, "all", "effect", 1)["lead"] is None
    assert of(rows, "short_history", "effect", AREA)["users"] == 1
    assert of(rows, "cold_item", "random", 2)["lead"] == -2.0
    one = of(rows, "cold_item", "random", 1)
    assert (one["ci_low"], one["ci_high"], one["lead_low"]) == (1.0, 1.0, 0.0)
    every = of(rows, "all", "random", AREA)
    assert every["lead_low"] < every["lead"] < every["lead_high"]


def test_segments_of_few_users_are_withheld_with_those_from_which_they_follow() -> None:
    assert {row["segment"] for row in deletion_rows(table(DROPS), 50, 1, 2)} == {"all"}
    assert deletion_rows(table(DROPS), 50, 1, 4) == []
    assert deletion_rows(table({}), 50, 1, 1) == []


def test_sentences_say_what_is_beyond_noise() -> None:
    rows = deletion_rows(table(DROPS), 200, 1, 1)
    to_random, to_attention = sorted(deletion_sentences(rows), key=lambda told: "attention" in told)
    assert "no further beyond noise than without random events" in to_random
    assert "further, beyond noise, than without the events of largest attention" in to_attention
