"""What is required of a report, as text: `impressions:warm_users/auc >= 0.62`."""

import operator
import re
from dataclasses import dataclass

from interestrec.core.errors import ConfigError

COMPARISON_SIGNS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
_FORM = re.compile(r"(.+?)\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")


@dataclass(frozen=True)
class MetricBound:
    """A bound that a metric of our system must keep."""

    text: str
    protocol: str | None  # None: the first protocol that has the metric
    slice: str | None  # None: all lists
    metric: str
    sign: str  # of SIGNS
    bound: float

    def holds_for(self, value: float) -> bool:
        """Whether a value keeps the bound."""
        return COMPARISON_SIGNS[self.sign](value, self.bound)


def parse_bound(text: str) -> MetricBound:
    """Read `[protocol:][slice/]metric SIGN number`, SIGN one of >= > <= <.

    What names a slice may itself hold a slash or, behind its equals sign, a colon (`category=a:b/auc>=0.5`), so the
    metric begins behind the last slash, and a protocol is what has no slash and no equals sign before the first colon.

    Raises:
        ConfigError: it cannot be read.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"'{text}' cannot be read; write [protocol:][slice/]metric, one of "
            f"{' '.join(COMPARISON_SIGNS)} and a number, "
            "such as impressions:auc>=0.62"
        )
    target, sign, number = match.groups()
    before, colon, rest = target.partition(":")
    has_protocol = bool(colon) and not set("/=") & set(before)
    slice_name, slash, metric = (rest if has_protocol else target).rpartition("/")
    protocol, slice_name, metric = before.strip(), slice_name.strip(), metric.strip()
    if (has_protocol and not protocol) or (slash and not slice_name) or not metric:
        raise ConfigError(f"'{text}' leaves a name empty; write it as in catalogue:cold_items/ndcg@10>=0.1")
    return MetricBound(
        text.strip(), protocol if has_protocol else None, slice_name if slash else None, metric, sign, float(number)
    )


def validate_bound(text: str) -> str:
    """The text itself, for the settings' validation.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        parse_bound(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return text
