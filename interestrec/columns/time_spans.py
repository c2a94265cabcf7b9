"""The span of the times of a log, and what is implausible about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from interestrec.rawfiles.raw_log import RawLog

_FIRST_YEAR = 1990  # logs of what people do on screens begin later
_TOLERATED = 0.01  # share of times that may lie outside the plausible years


@dataclass(frozen=True)
class TimeSpan:
    """Count, extremes and plausibility of times."""

    timed: int  # rows with a time
    untimed: int
    first: datetime | None  # UTC
    last: datetime | None
    outside: int  # rows with a time before 1990 or after the end of next year
    last_year: int  # the last plausible year

    @property
    def sentence(self) -> str:
        """The span as a phrase."""
        if self.first is None or self.last is None:
            return "none"
        return f"{self.first:%Y-%m-%d %H:%M} to {self.last:%Y-%m-%d %H:%M}"

    @property
    def warnings(self) -> list[str]:
        """Sentences on what is implausible."""
        warnings = []
        if self.outside > _TOLERATED * self.timed:
            warnings.append(
                f"{self.outside:,} of {self.timed:,} times ({self.outside / self.timed:.0%}) lie outside the years "
                f"{_FIRST_YEAR} to {self.last_year}; check `time_format` and `time_unit` of the events"
            )
        if self.timed > 1 and self.first == self.last:
            warnings.append(f"all {self.timed:,} times are equal, so nothing can be split or ordered by time")
        return warnings


def time_span(log: RawLog, table: str, today: datetime | None = None) -> TimeSpan:
    """Return the span of the column `time` of a table of the log, such as `events` or `impressions`.

    Args:
        today: the day that plausible years end after; None = now.
    """
    last_year = (today or datetime.now(UTC)).year + 1
    plausible = f"time >= TIMESTAMP '{_FIRST_YEAR}-01-01' AND time < TIMESTAMP '{last_year + 1}-01-01'"
    timed, untimed, first, last, outside = log.sql(
        f"SELECT count(time), count(*) - count(time), min(time), max(time), count(*) FILTER (WHERE NOT ({plausible})) "
        f"FROM {table}"
    )[0]
    return TimeSpan(timed, untimed, first, last, outside, last_year)
