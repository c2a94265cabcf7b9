"""The axis of one setting in plots of a search."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from interestrec.report.text_columns import shorten

_MAX_NAME_WIDTH = 14  # characters of a category on an axis


@dataclass(frozen=True)
class SettingAxis:
    """The axis of one setting: numbers, or categories one after the other."""

    key: str
    dimension: Mapping[str, Any]  # as in tuning.json
    values: Sequence[Any]  # of all trials; the configured settings may lie outside of the space

    @property
    def name(self) -> str:
        """The key without its section."""
        return setting_name(self.key)

    @cached_property
    def categories(self) -> list[Any] | None:
        """Values that are drawn one after the other; None for numbers."""
        if "values" not in self.dimension and all(_is_number(value) for value in self.values):
            return None
        spaced = self.dimension.get("values", [])
        return [*spaced, *sorted({v for v in self.values if v not in spaced}, key=repr)]

    @cached_property
    def is_logarithmic(self) -> bool:
        """Whether equal ratios are equally far apart."""
        return self.categories is None and self.dimension["log"] and all(value > 0 for value in self.values)

    @cached_property
    def ends(self) -> tuple[float, float]:
        """Both ends of the numbers."""
        numbers = [self.dimension["low"], self.dimension["high"], *self.values]
        return min(numbers), max(numbers)

    @property
    def labels(self) -> list[str]:
        """Names of the categories, or both ends of the numbers."""
        if self.categories is not None:
            return [category_name(value) for value in self.categories]
        return [f"{end:g}" for end in self.ends]

    @property
    def label_positions(self) -> list[float]:
        """Places of the labels, between 0 and 1."""
        if self.categories is None:
            return [0.0, 1.0]
        return [self.position(value) for value in self.categories]

    def position(self, value: Any) -> float:
        """Return the place of a value, between 0 and 1."""
        if self.categories is not None:
            return self.categories.index(value) / (len(self.categories) - 1) if len(self.categories) > 1 else 0.5
        low, high = self.ends
        if self.is_logarithmic:
            return math.log(value / low) / math.log(high / low)
        return float((value - low) / (high - low))


def setting_name(key: str) -> str:
    """Return a dotted key without its section: `width` of `finetune.width`, `l2` of `rank.ease.l2`."""
    return key.removeprefix("rank.").partition(".")[2] or key


def category_name(value: Any) -> str:
    """Return the name of a value of a setting as a configuration writes it, numbers with at most five digits."""
    if isinstance(value, float):
        return f"{value:.5g}"
    return shorten(value if isinstance(value, str) else json.dumps(value), _MAX_NAME_WIDTH)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
