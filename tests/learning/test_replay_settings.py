"""Lengths of windows as people write them."""

import pytest
from pydantic import ValidationError

from interestrec.learning.replay_settings import ReplaySettings

HOUR = 3_600_000_000


@pytest.mark.parametrize(("text", "hours"), [("12h", 12), ("1d", 24), ("1w", 168), ("2w", 336)])
def test_lengths(text: str, hours: int) -> None:
    assert ReplaySettings(window=text).window_length == hours * HOUR


@pytest.mark.parametrize("text", ["0d", "1", "d", "1m", "1.5d", "-1d", "1d ", "1D", "100000h"])
def test_other_lengths_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValidationError, match="such as 12h, 1d or 2w"):
        ReplaySettings(window=text)
