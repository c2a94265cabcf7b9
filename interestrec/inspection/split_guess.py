"""The split that a log allows: by time for all, by time for each user, or at random."""

from __future__ import annotations

from dataclasses import dataclass

from interestrec.inspection.column_profile import text_of
from interestrec.inspection.sampled_table import SampledTable
from interestrec.inspection.time_guess import TimeGuess
from interestrec.rawfiles.raw_log import RawLog

_TEST = 0.2
_LEAST_WARM = 0.3  # share of the last events whose users are known from before


@dataclass(frozen=True)
class SplitGuess:
    """A split method, how sure it is, and why."""

    method: str
    why: str


def guess_split(log: RawLog, table: SampledTable, user: str, time: str | None, guess: TimeGuess | None) -> SplitGuess:
    """Return the split method for events with these columns."""
    if time is None or guess is None:
        return SplitGuess("user_random", "the events have no times")
    if table.column(time).filled_share < 1:
        return SplitGuess("user_random", f"{1 - table.column(time).filled_share:.1%} of the rows have no time")
    if not table.is_whole:
        return SplitGuess("global_time", f"the last events of all; only {table.rows:,} rows were looked at")
    per_user = table.rows / max(table.column(user).distinct, 1)
    days = (guess.last - guess.first).total_seconds() / 86400
    if days < 1:
        return SplitGuess("user_random", "the log covers less than a day")
    hundredths = f"ntile(100) OVER (ORDER BY {guess.order})"
    warm, late = log.sql(
        f"""
        WITH
            parted AS (SELECT {text_of(user)} AS u, {hundredths} AS part FROM {table.relation}),
            known AS (SELECT u FROM parted WHERE part <= {100 - 100 * _TEST:g})
        SELECT count(*) FILTER (WHERE u IN (FROM known)), count(*) FROM parted WHERE part > {100 - 100 * _TEST:g}
        """
    )[0]
    if late and warm / late < _LEAST_WARM and per_user >= 2:
        return SplitGuess("user_time", f"only {warm / late:.0%} of the last events are of users seen before")
    return SplitGuess(
        "global_time", f"{days:,.0f} days; {warm / max(late, 1):.0%} of the last events are of known users"
    )
