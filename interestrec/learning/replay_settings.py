"""The section `replay`: the windows of history that are replayed, and the policies that are compared."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from interestrec.core.section import Count, OpenFraction, Section

_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_LENGTH = re.compile(r"([1-9]\d{0,4})([hdw])")


def _check_length(text: str) -> str:
    if not _LENGTH.fullmatch(text):
        raise ValueError(f"'{text}' is no length of a window; write a number and h, d or w, such as 12h, 1d or 2w")
    return text


class ReplaySettings(Section):
    """How `replay` walks through the log: predict a window, score it, learn it, go on."""

    window: Annotated[str, AfterValidator(_check_length)] = "1w"
    """Length of a window: a number and `h`, `d` or `w`, such as `12h`, `1d` or `2w`. A day has 24 hours, whatever the
    calendar says."""
    policies: Annotated[list[str], Field(min_length=1)] = ["refit", "update", "frozen"]
    """What is compared: `refit` trains and fits at every window, `update` lets the first decision follow events,
    `frozen` keeps it; a path is that of another configuration, which is fitted at every window."""
    start: OpenFraction = 0.5
    """Share of the events that are known before the first window."""
    windows: Count | None = None
    """Most windows, from the first one; `null` = all that are complete."""
    tolerance: OpenFraction = 0.02
    """Share of the metric whose loss is acceptable, for the advice on how often to refit."""

    @property
    def window_length(self) -> int:
        """Length of a window in microseconds."""
        number, unit = _LENGTH.fullmatch(self.window).groups()  # type: ignore[union-attr]
        return int(number) * _HOURS[unit] * 3_600_000_000
