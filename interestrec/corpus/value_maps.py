"""Maps from a measured value (stars, seconds, hours) to [0, 1], fitted on train."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_KNOTS = 1000
_LOG_TOP = 0.99  # quantile of train that the logarithm maps to 1 where no `high` is given


@dataclass(frozen=True)
class ValueMap:
    """A map as configured; the names and meanings are those of the settings."""

    map: str
    low: float | None = None
    high: float | None = None
    thresholds: tuple[float, ...] = ()
    per_words: bool = False
    missing: float | None = None

    @property
    def limits(self) -> tuple[float, float]:
        """Values outside of which a row is malformed."""
        if self.map == "linear" and self.low is not None and self.high is not None:
            return self.low, self.high
        return (0.0, np.inf) if self.map == "log" else (-np.inf, np.inf)


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


def _fit_linear(chosen: ValueMap, train: np.ndarray) -> dict[str, object]:
    return {"low": chosen.low, "high": chosen.high}


def _fit_log(chosen: ValueMap, train: np.ndarray) -> dict[str, object]:
    top = float(np.quantile(train, _LOG_TOP)) if chosen.high is None and len(train) else chosen.high
    return {"high": top if top else 1.0}


def _fit_quantile(chosen: ValueMap, train: np.ndarray) -> dict[str, object]:
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


def _fit_threshold(chosen: ValueMap, train: np.ndarray) -> dict[str, object]:
    return {"steps": list(chosen.thresholds)}


# Name of a map -> how its parameters are found from the settings and the train values, and the map itself.
MAPS: Mapping[str, tuple[Callable[[ValueMap, np.ndarray], dict], Callable[..., np.ndarray]]] = {
    "linear": (_fit_linear, linear),
    "log": (_fit_log, logarithmic),
    "quantile": (_fit_quantile, quantile),
    "threshold": (_fit_threshold, threshold),
}
