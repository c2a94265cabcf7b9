"""Formulas of ranking: read, and refused with the place of the mistake."""

import pytest

from interestrec.model.rank_formula import parse_formula

TASKS = ["click", "dwell", "add-to-cart"]


@pytest.mark.parametrize(
    ("text", "powers"),
    [
        ("click", {"click": 1}),
        ("click^1 * dwell^0.5", {"click": 1, "dwell": 0.5}),
        ("  order*add-to-cart ^ -2e-1 ", {"order": 1, "add-to-cart": -0.2}),
    ],
)
def test_products_of_powers(text: str, powers: dict[str, float]) -> None:
    assert dict(parse_formula(text, TASKS)) == powers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the name of a task at position 1"),
        ("click * ", "expected the name of a task at position 9"),
        (
            "click * dwel^2",
            r"no task is called 'dwel' \(position 9\) \(did you mean 'dwell'\?\); there are: click, dwell",
        ),
        ("click^x * dwell", "'x' at position 7 is not a power"),
        ("click^0", "is not a power; write a number other than 0"),
        ("click^inf", "is not a power"),
        ("click^ * dwell", "'' at position 8 is not a power"),
        ("click dwell", r"expected \* or \^ at position 7"),
        ("click * click^2", r"'click' occurs twice \(position 9\)"),
        ("click + dwell", r"expected \* or \^ at position 7"),
    ],
)
def test_what_is_no_formula(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_formula(text, TASKS)
