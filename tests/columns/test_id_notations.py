"""Ids mean the same in every kind of file."""

import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.columns.id_notations import IdSpelling, decide_id
from interestrec.columns.id_repairs import repair_advice
from interestrec.core.errors import DataError
from interestrec.rawfiles.raw_log import RawLog
from tests.columns.columns import column, values
from tests.examples import examples

NAME = uuid.UUID("00000000-0000-0000-0000-00000000000a")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["17850", "17850.0", " 17850\t", "2.5"], ["17850", "17850", "17850", "2.5"]),
        (["17850.0", "85123A"], ["17850.0", "85123A"]),
        (["1.785e+04", "12"], ["17850", "12"]),
        (["0012", "0012.0"], ["0012", "0012"]),
        (["NA", "null", "\\N", "-", "", "57"], [None, None, None, None, None, "57"]),
        ([17850.0, float("nan"), 2.5, 1e18], ["17850", None, "2.5", "1000000000000000000"]),
        ([2**53 + 1, -1], ["9007199254740993", "-1"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([Decimal("17850.00")]), ["17850"]),
        (pa.array(["Café"], pa.string()).cast(pa.binary()), ["Café"]),
        (pa.array([NAME.bytes], pa.uuid()), [str(NAME)]),
        ([True], ["true"]),
    ],
)
def test_ids_of_every_type(written: Any, read: list) -> None:
    assert values(decide_id(column(written))) == read


def test_a_decision_covers_all_files() -> None:
    assert values(decide_id(column(["17850.0"], [17850.0], [17850]))) == ["17850"] * 3
    assert values(decide_id(column(["17850.0"], ["C1"]))) == ["17850.0", "C1"]


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(DataError, match="column 'v' holds bytes that are not UTF-8 text"):
        decide_id(column(pa.array([b"\xc3"], pa.binary())))


def test_the_words_for_missing_values_can_be_chosen() -> None:
    assert values(decide_id(column(["NA", "guest", ""], nulls=("Guest",)))) == ["NA", None, None]


@pytest.mark.parametrize(
    ("spelling", "read"),
    [
        ({"zero_pad": 4}, ["0007", "12345", "0A.0"]),
        ({"strip_zeros": True}, ["7", "12345", "A.0"]),
        ({"strip_fraction": True}, ["007", "12345", "A"]),
        ({"case": "lower"}, ["007", "12345", "a.0"]),
        ({"strip_fraction": True, "strip_zeros": True, "zero_pad": 2}, ["07", "12345", "0A"]),
    ],
)
def test_spellings(spelling: dict, read: list[str]) -> None:
    assert values(decide_id(column(["007", "12345", "A.0"]), IdSpelling(**spelling))) == read
    assert values(decide_id(column(["000"]), IdSpelling(strip_zeros=True))) == ["0"]


@examples(30)
@given(st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=10))
def test_whole_numbers_are_the_same_id_in_every_spelling(numbers: list[int]) -> None:
    expected = [str(number) for number in numbers]
    for written in (
        numbers,
        [float(n) for n in numbers],
        expected,
        [f"{n}.0" for n in numbers],
        [f" {n} " for n in numbers],
    ):
        assert values(decide_id(column(written))) == expected


def advice(missing: list[str], known: list[str]) -> dict[str, int]:
    log = RawLog()
    log.load("m", pa.table({"id": pa.array(missing, pa.string())}))
    log.load("k", pa.table({"id": pa.array(known, pa.string())}))
    found = repair_advice(log, "FROM m", "FROM k")
    assert found.missing == len(missing)
    return {repair.setting: repair.found for repair in found.repairs}


def test_repairs_say_how_many_ids_they_find() -> None:
    assert advice(["7", "12", "x"], ["0007", "0012"]) == {"{zero_pad: 4}": 2, "{strip_zeros: true}": 2}
    assert advice(["A1", "b2"], ["a1", "B2"]) == {"{case: lower}": 2}
    assert advice(["7.0", "A"], ["7"]) == {"{strip_fraction: true}": 1}
    both = {"{zero_pad: 2, strip_fraction: true}": 1, "{strip_zeros: true, strip_fraction: true}": 1}
    assert advice(["7.0", "A"], ["07"]) == both
    assert advice(["x"], ["y"]) == {}
