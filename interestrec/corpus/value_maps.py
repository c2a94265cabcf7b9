"""Maps of measured values (stars, seconds, hours) to [0, 1], fitted on train."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from interestrec.core.deferred_import import np

if TYPE_CHECKING:
    from interestrec.corpus.preprocess_settings import ValueMapSettings

_KNOTS = 1000
INFINITE = float("inf")
_LOG_QUANTILE = 0.99  # quantile of train that the logarithm maps to 1 without `high`


@dataclass(frozen=True)
class ValueMap:
    """An entry of the registry of maps.

    Args:
        fit: returns the keyword arguments of `apply` for the settings and the train values float64 [n].
        apply: maps values float64 [n] to float64 [n].
        limits: returns the range of values for the settings; a row with a value outside it is malformed.
    """

    fit: Callable[[ValueMapSettings, np.ndarray], dict[str, Any]]
    apply: Callable[..., np.ndarray]
    limits: Callable[[ValueMapSettings], tuple[float, float]]


def linear(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return (v - low) / (high - low): float64 [n]."""
    return (values - low) / (high - low)


def logarithmic(values: np.ndarray, high: float) -> np.ndarray:
    """Return min(1, log(1 + v) / log(1 + high)) for v ≥ 0: float64 [n]."""
    return np.minimum(np.log1p(values) / np.log1p(high), 1.0)


def quantile(values: np.ndarray, knots: Sequence[float], shares: Sequence[float]) -> np.ndarray:
    """Return the share of train values below v, equal values counted half, linear between knots: float64 [n]."""
    return np.interp(values, knots, shares)


def threshold(values: np.ndarray, steps: Sequence[float]) -> np.ndarray:
    """Return the share of the ascending steps that v reaches: float64 [n]."""
    return np.searchsorted(steps, values, side="right") / len(steps)


def _fit_linear(settings: ValueMapSettings, train: np.ndarray) -> dict[str, Any]:
    return {"low": settings.low, "high": settings.high}


def _fit_log(settings: ValueMapSettings, train: np.ndarray) -> dict[str, Any]:
    top = float(np.quantile(train, _LOG_QUANTILE)) if settings.high is None and len(train) else settings.high
    return {"high": top if top else 1.0}


def _fit_quantile(settings: ValueMapSettings, train: np.ndarray) -> dict[str, Any]:
    """Use all distinct train values as knots, or a thousand quantiles of many; without values the map is 1/2."""
    if not len(train):
        return {"knots": [0.0], "shares": [0.5]}
    ordered = np.sort(train)
    knots = np.unique(ordered)
    if len(knots) > _KNOTS:
        knots = np.unique(np.quantile(ordered, np.linspace(0, 1, _KNOTS), method="nearest"))
    below, not_above = (np.searchsorted(ordered, knots, side=side) for side in ("left", "right"))
    shares = (below + not_above) / (2 * len(ordered))
    return {"knots": knots.tolist(), "shares": shares.tolist()}


def _fit_threshold(settings: ValueMapSettings, train: np.ndarray) -> dict[str, Any]:
    return {"steps": list(settings.thresholds)}


def _configured_limits(settings: ValueMapSettings) -> tuple[float, float]:
    return (-INFINITE, INFINITE) if settings.low is None or settings.high is None else (settings.low, settings.high)


def _nonnegative_limits(settings: ValueMapSettings) -> tuple[float, float]:
    return 0.0, INFINITE


def _no_limits(settings: ValueMapSettings) -> tuple[float, float]:
    return -INFINITE, INFINITE


# Value of `map` under `preprocess.intensity.values` -> value map.
MAPS: Mapping[str, ValueMap] = {
    "linear": ValueMap(_fit_linear, linear, _configured_limits),
    "log": ValueMap(_fit_log, logarithmic, _nonnegative_limits),
    "quantile": ValueMap(_fit_quantile, quantile, _no_limits),
    "threshold": ValueMap(_fit_threshold, threshold, _no_limits),
}
