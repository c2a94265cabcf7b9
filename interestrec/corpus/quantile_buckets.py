"""Numbers cut into buckets of about equally many values."""

import numpy as np


def quantile_edges(values: np.ndarray, buckets: int) -> list[float]:
    """Return ascending edges of at most `buckets` buckets with about equally many values; the lowest is never empty.

    Where there are at most `buckets` distinct values, each gets a bucket: quantiles of few values would merge some.

    Args:
        values: float64 [n].
    """
    distinct = np.unique(values)
    if len(distinct) <= buckets:
        return [float(edge) for edge in (distinct[1:] + distinct[:-1]) / 2]
    edges = np.unique(np.quantile(values, np.arange(1, buckets) / buckets))
    return [float(edge) for edge in edges if edge > distinct[0]]


def bucket_codes(values: np.ndarray, edges: list[float]) -> np.ndarray:
    """Return the numbers of the buckets from 1, int64 [n]; beyond all fitted values it is the outermost bucket."""
    return 1 + np.searchsorted(np.array(edges, np.float64), values, side="right")
