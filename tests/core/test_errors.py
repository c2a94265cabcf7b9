"""Errors that keep the reason apart from what stands in the raw data."""

import pickle

from interestrec.core.errors import DataError


def test_a_value_stands_in_its_place_or_behind_the_reason() -> None:
    assert str(DataError("the time '{value}' is not one", "it's\nu1")) == "the time 'it's\nu1' is not one"
    assert str(DataError("the time '{value}' is not one", "")) == "the time '' is not one"
    assert str(DataError("no such column", "; there is: u1")) == "no such column; there is: u1"


def test_a_withheld_value_is_nowhere_in_the_error() -> None:
    error = DataError("the time '{value}' is not one", "u1").without_value()
    assert str(error) == "the time '…' is not one"
    assert (error.exit_status, error.value, "u1" in repr(error)) == (65, None, False)
    assert str(DataError("no such column", "; there is: u1").without_value()) == "no such column"


def test_an_error_of_another_process_says_the_same() -> None:
    error = DataError("the time '{value}' is not one", "u1")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
