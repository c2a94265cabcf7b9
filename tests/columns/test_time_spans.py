"""Spans of times and what is implausible about them."""

from datetime import UTC, datetime

import pyarrow as pa

from interestrec.columns.time_spans import TimeSpan, time_span
from interestrec.rawfiles.raw_log import RawLog

TODAY = datetime(2026, 6, 1, tzinfo=UTC)


def span(*times: datetime | None) -> TimeSpan:
    log = RawLog()
    log.load("timed", pa.table({"time": pa.array(times, pa.timestamp("us"))}))
    return time_span(log, "timed", TODAY)


def test_a_plausible_span() -> None:
    found = span(datetime(1990, 1, 1), datetime(2027, 12, 31), None)
    assert (found.timed, found.untimed, found.outside, found.warnings) == (2, 1, 0, [])
    assert found.sentence == "1990-01-01 00:00 to 2027-12-31 00:00"
    assert span(None).sentence == "none"
    assert span(None).warnings == []


def test_times_that_lie_outside() -> None:
    plausible = [datetime(2020, 1, 1 + n % 28) for n in range(99)]
    assert span(*plausible, datetime(1970, 1, 1)).warnings == []  # 1 of 100
    [warning] = span(*plausible[1:], datetime(1970, 1, 1), datetime(2028, 1, 1)).warnings
    assert warning.startswith("2 of 100 times (2%) lie outside the years 1990 to 2027")


def test_times_that_are_equal() -> None:
    [warning] = span(datetime(2020, 1, 1), datetime(2020, 1, 1)).warnings
    assert warning.startswith("all 2 times are equal")
    assert span(datetime(2020, 1, 1)).warnings == []
