"""Maps from a measured value (stars, seconds, hours) to [0, 1], fitted on train."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from interestrec.core.deferred_import import np

if TYPE_CHECKING:
    from interestrec.corpus.preprocess_settings import ValueMapSettings

_KNOTS = 1000
INFINITE = float("inf")
_LOG_TOP = 0.99  # quantile of train that the logarithm maps to 1 where no `high` is given


@dataclass(frozen=True)
class ValueMap:
    """An entry of the registry of maps.

    Args:
        fit: parameters, as keyword arguments of `apply`, from the settings and the train values float64 [n].
        apply: values float64 [n] to float64 [n].
        limits: values outside of which a row is malformed.
    """

    fit: Callable[[ValueMapSettings, np.ndarray], dict[str, Any]]
    apply: Callable[..., np.ndarray]
    limits: Callable[[ValueMapSettings], tuple[float, float]]


def linear(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """(v - low) / (high - low): float64 [n]."""
    return (values - low) / (high - low)


def logarithmic(values: np.ndarray, high: float) -> np.ndarray:
    """min(1, log(1 + v) / log(1 + high)) for v ≥ 0: float64 [n]."""
    return np.minimum(np.log1p(values) / np.log1p(high), 1.0)


def quantile(values: np.ndarray, knots: Sequence[float], shares: Sequence[float]) -> np.ndarray:
    """Share of train values below, equal ones counted half, linear between knots: float64 [n]."""
    return np.interp(values, knots, shares)


def threshold(values: np.ndarray, steps: Sequence[float]) -> np.ndarray:
    """Share of the ascending steps that a value reaches: float64 [n]."""
    return np.searchsorted(steps, values, side="right") / len(steps)


def _fit_linear(chosen: ValueMapSettings, train: np.ndarray) -> dict[str, Any]:
    return {"low": chosen.low, "high": chosen.high}


def _fit_log(chosen: ValueMapSettings, train: np.ndarray) -> dict[str, Any]:
    top = float(np.quantile(train, _LOG_TOP)) if chosen.high is None and len(train) else chosen.high
    return {"high": top if top else 1.0}


def _fit_quantile(chosen: ValueMapSettings, train: np.ndarray) -> dict[str, Any]:
    """Knots are all train values where these are few, else a thousand of their quantiles; without any, all is 1/2."""
    if not len(train):
        return {"knots": [0.0], "shares": [0.5]}
    ordered = np.sort(train)
    knots = np.unique(ordered)
    if len(knots) > _KNOTS:
        knots = np.unique(np.quantile(ordered, np.linspace(0, 1, _KNOTS), method="nearest"))
    below, up_to = (np.searchsorted(ordered, knots, side=side) for side in ("left", "right"))
    shares = (below + up_to) / (2 * len(ordered))
    return {"knots": knots.tolist(), "shares": shares.tolist()}


def _fit_threshold(chosen: ValueMapSettings, train: np.ndarray) -> dict[str, Any]:
    return {"steps": list(chosen.thresholds)}


def _configured(chosen: ValueMapSettings) -> tuple[float, float]:
    return (-INFINITE, INFINITE) if chosen.low is None or chosen.high is None else (chosen.low, chosen.high)


def _not_negative(chosen: ValueMapSettings) -> tuple[float, float]:
    return 0.0, INFINITE


def _any(chosen: ValueMapSettings) -> tuple[float, float]:
    return -INFINITE, INFINITE


# Maps by the name that `map` of `preprocess.intensity.values` takes.
MAPS: Mapping[str, ValueMap] = {
    "linear": ValueMap(_fit_linear, linear, _configured),
    "log": ValueMap(_fit_log, logarithmic, _not_negative),
    "quantile": ValueMap(_fit_quantile, quantile, _any),
    "threshold": ValueMap(_fit_threshold, threshold, _any),
}
