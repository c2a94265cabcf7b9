"""Numbers are read by one decision over a column: worked examples, and random prices in many notations."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.columns.number_notations import decide_number
from interestrec.core.errors import DataError
from tests.columns.columns import column, values
from tests.examples import examples


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["12,99 €", "3,39", "1.299,00 €"], [12.99, 3.39, 1299.0]),
        (["$1,299.00", "-$5", "USD 5", "5 kr", "NT$ 90"], [1299.0, -5.0, 5.0, 5.0, 90.0]),
        (["1 299,00", "1\u00a0299,50", "99,-", "\u22125,5"], [1299.0, 1299.5, 99.0, -5.5]),
        (["1'299.00", "CHF 1\u2019000.50", "Fr. 5.00"], [1299.0, 1000.5, 5.0]),
        (["1,29,900.00"], [129900.0]),
        (["1,299", "12,990", "999"], [1299.0, 12990.0, 999.0]),
        (["0,299", "1,299"], [0.299, 1.299]),
        (["0.299", "1.299"], [0.299, 1.299]),
        (["1.299", "499"], [1.299, 499.0]),
        (["R$ 1.290,00", "R$ 5"], [1290.0, 5.0]),
        (["1e3", "2.5E-1", "+7"], [1000.0, 0.25, 7.0]),
        (
            ["4.50", "from 5", "5-9", "$5 - $9", ".a{width:5px}", "inf", "1_000", "5 apples", "1.2.3", "12:30"],
            [4.5, *[None] * 9],
        ),
        (["5.5", "NaN", "-", "", "N/A"], [5.5, None, None, None, None]),
        ([1.5, float("nan"), float("inf")], [1.5, None, None]),
        ([1, None, 3], [1.0, None, 3.0]),
    ],
)
def test_notations_are_decided_over_the_column(written: list, read: list) -> None:
    assert values(decide_number(column(written))) == read


def test_a_decision_covers_all_files() -> None:
    assert values(decide_number(column(["1.299"], ["12,50"], [5.5]))) == [1299.0, 12.5, 5.5]


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        (["12.50", "12,50"], "1 values have a decimal point and 1 a decimal comma; set `decimal` in data.events"),
        (["$1.299", "$12.990"], "do not tell whether the point separates decimals or thousands"),
        (["1.299", "1,299"], "do not tell whether the point separates decimals or thousands"),
    ],
)
def test_what_is_not_certain_is_refused(written: list, complaint: str) -> None:
    with pytest.raises(DataError) as error:
        decide_number(column(written))
    assert complaint in str(error.value)
    assert decide_number(column(written), must_decide=False).doubt


def test_what_the_configuration_says_counts() -> None:
    written = ["$1.299", "12,50", "2.5"]
    assert values(decide_number(column(written), ",")) == [1299.0, 12.5, None]
    assert values(decide_number(column(written), ".")) == [1.299, None, 2.5]


def test_unreadable_values_are_those_that_are_neither_read_nor_missing() -> None:
    notation = decide_number(column(["$5", "from 5", "NULL", ""]))
    log = notation.column.log
    assert log.sql(f"SELECT v FROM file0 WHERE {notation.unreadable('VARCHAR')}") == [("from 5",)]
    assert not notation.reads_all()


WRITERS: dict[str, Callable[[float], str]] = {
    "plain": lambda price: f"{price:.2f}",
    "dollars": lambda price: f"${price:,.2f}",
    "code before": lambda price: f"USD {price:,.2f}",
    "german": lambda price: f"{price:,.2f} €".translate(str.maketrans(",.", ".,")),
    "french": lambda price: f"{price:,.2f} €".replace(",", "\u202f").replace(".", ","),
    "swiss": lambda price: f"CHF {price:,.2f}".replace(",", "'"),
    "swedish": lambda price: f"{price:,.2f} kr".replace(",", " ").replace(".", ","),
    "brazilian": lambda price: f"R$ {price:,.2f}".translate(str.maketrans(",.", ".,")),
    "scientific": lambda price: f"{price:.8e}",
}


@pytest.mark.parametrize("kind", WRITERS)
@examples(15)
@given(
    st.lists(st.integers(0, 10_000_000).map(lambda cents: cents / 100), min_size=1, max_size=12),
    st.lists(st.sampled_from(["", "NULL", "-", "none"]), max_size=2),
)
def test_what_was_written_is_read_back(kind: str, prices: list[float], missing: list[str]) -> None:
    written = [*map(WRITERS[kind], prices), *missing]
    assert values(decide_number(column(written))) == pytest.approx([*prices, *[None] * len(missing)])
