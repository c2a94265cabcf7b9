"""The formula by which a model with tasks ranks: a product of powers of what its tasks expect."""

from __future__ import annotations

import math
import re
from collections.abc import Collection

from interestrec.core.choices import suggestion

ORDER = "order"  # in a formula: the likelihood that the logit of order stands for, up to a factor
Powers = tuple[tuple[str, float], ...]
_FACTOR = re.compile(r"\s*(?P<name>[^\s*^]+)\s*(?:\^\s*(?P<power>[^\s*^]*)\s*)?(?P<end>\*|$)?")


def parse_formula(text: str, tasks: Collection[str]) -> Powers:
    """Parse a formula such as `click * dwell^0.5` into names and powers.

    Args:
        tasks: names of the tasks; `order` stands for the logit of order.

    Raises:
        ValueError: it is none, or names no task; the message tells the position, counted from 1.
    """
    choices = [*tasks, ORDER]
    powers: dict[str, float] = {}
    at = 0
    while True:
        match = _FACTOR.match(text, at)
        if match is None:
            raise ValueError(f"'{text}': expected the name of a task at position {_position(text, at)}")
        name, place = match["name"], match.start("name") + 1
        if name not in choices:
            raise ValueError(
                f"'{text}': no task is called '{name}' (position {place}){suggestion(name, choices)}; there are: "
                f"{', '.join(choices)}"
            )
        if name in powers:
            raise ValueError(f"'{text}': '{name}' occurs twice (position {place}); add up its powers")
        powers[name] = 1.0 if match["power"] is None else _power(text, match)
        if match["end"] is None:
            raise ValueError(f"'{text}': expected * or ^ at position {_position(text, match.end())}")
        if not match["end"]:
            return tuple(powers.items())
        at = match.end()


def _power(text: str, match: re.Match[str]) -> float:
    try:
        power = float(match["power"])
    except ValueError:
        power = math.nan
    if not math.isfinite(power) or power == 0:
        raise ValueError(
            f"'{text}': '{match['power']}' at position {match.start('power') + 1} is not a power; write a number other "
            "than 0, such as 0.5"
        )
    return power


def _position(text: str, at: int) -> int:
    return at + len(text[at:]) - len(text[at:].lstrip()) + 1
