"""Requirements on a report as text, such as `impressions:warm_users/auc >= 0.62`."""

import operator
import re
from dataclasses import dataclass

from interestrec.core.errors import ConfigError

COMPARISON_SIGNS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
_FORM = re.compile(r"(.+?)\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")


@dataclass(frozen=True)
class MetricBound:
    """A bound on a metric of `interestrec`."""

    text: str
    protocol: str | None  # None for the first protocol that has the metric
    slice: str | None  # None for all lists
    metric: str
    sign: str  # a key of COMPARISON_SIGNS
    bound: float

    def holds_for(self, value: float) -> bool:
        """Return whether a value satisfies the bound."""
        return COMPARISON_SIGNS[self.sign](value, self.bound)


def parse_bound(text: str) -> MetricBound:
    """Parse `[protocol:][slice/]metric SIGN number`, SIGN one of >= > <= <.

    The name of a slice may contain a slash or, after its equals sign, a colon (`category=a:b/auc>=0.5`). Therefore the
    metric begins after the last slash, and the text before the first colon is a protocol only if it has neither a slash
    nor an equals sign.

    Raises:
        ConfigError: the text does not have this form.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"'{text}' cannot be read; write [protocol:][slice/]metric, one of {' '.join(COMPARISON_SIGNS)}, and a "
            "number, such as impressions:auc>=0.62"
        )
    target, sign, number = match.groups()
    before, colon, rest = target.partition(":")
    has_protocol = bool(colon) and not set("/=") & set(before)
    slice_name, slash, metric = (rest if has_protocol else target).rpartition("/")
    protocol, slice_name, metric = before.strip(), slice_name.strip(), metric.strip()
    if (has_protocol and not protocol) or (slash and not slice_name) or not metric:
        raise ConfigError(f"'{text}' has an empty name; write it as in catalogue:cold_items/ndcg@10>=0.1")
    return MetricBound(
        text.strip(), protocol if has_protocol else None, slice_name if slash else None, metric, sign, float(number)
    )


def validate_bound(text: str) -> str:
    """Return the text unchanged; a validator of settings.

    Raises:
        ValueError: the text cannot be parsed.
    """
    try:
        parse_bound(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return text
