"""The space that `tune` searches: dimensions by dotted key, from the grids beside settings and from `tune.space`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from interestrec.learning.tune_settings import DimensionSettings

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_LOG_RATIO = 10.0  # ends of a grid this far apart are searched on a logarithmic scale
_LEAST = 4  # numbers of a grid that describe a range; fewer are alternatives


@dataclass(frozen=True)
class Range:
    """Numbers between two ends, both included."""

    low: float
    high: float
    logarithmic: bool
    whole: bool  # whether only integers are meant

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.logarithmic)
        return FloatDistribution(self.low, self.high, log=self.logarithmic)

    def contains(self, value: Any) -> bool:
        """Return whether a value lies between the ends."""
        is_number = isinstance(value, int if self.whole else int | float) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high

    def describe(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"low": self.low, "high": self.high, "log": self.logarithmic}


@dataclass(frozen=True)
class Alternatives:
    """Values without an order, such as names, or numbers and `null`."""

    values: tuple[Any, ...]

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)

    def contains(self, value: Any) -> bool:
        """Return whether a value is one of them."""
        return any(value == own and type(value) is type(own) for own in self.values)

    def describe(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"values": list(self.values)}


Dimension = Range | Alternatives


def dimension_of_grid(values: Sequence[Any]) -> Dimension:
    """Return what is searched where `rank.trials` has a grid: from four positive numbers on, all between them.

    Positive ends that are far apart are searched on a logarithmic scale. A grid with 0, `null`, a truth value or a name
    stays as it is, since its values mean more than their size.
    """
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values) or len(set(numbers)) < _LEAST or min(numbers) <= 0:
        return Alternatives(tuple(values))
    low, high = min(numbers), max(numbers)
    return Range(low, high, high >= _LOG_RATIO * low, all(isinstance(value, int) for value in numbers))


def search_space(
    section: str, grid: Mapping[str, Sequence[Any]], changes: Mapping[str, DimensionSettings | None]
) -> dict[str, Dimension]:
    """Return the dimensions of a section by dotted key.

    Args:
        section: dotted name, such as `rank.ease`.
        grid: values by key of the section, which may be dotted, too.
        changes: `tune.space`; those of other sections are passed over. None removes a dimension.
    """
    space = {f"{section}.{key}": dimension_of_grid(values) for key, values in grid.items()}
    for key, change in changes.items():
        if not key.startswith(f"{section}."):
            continue
        space.pop(key, None)
        if change is not None:
            space[key] = _dimension(change)
    return space


def _dimension(settings: DimensionSettings) -> Dimension:
    if settings.values is not None:
        return Alternatives(tuple(settings.values))
    assert settings.low is not None and settings.high is not None  # checked by the settings
    whole = isinstance(settings.low, int) and isinstance(settings.high, int)
    return Range(settings.low, settings.high, settings.log, whole)
