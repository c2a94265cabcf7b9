"""How vectors lie on the unit sphere: near where they should be, and spread over it elsewhere.

Wang and Isola 2020, "Understanding contrastive representation learning through alignment and uniformity on the
hypersphere", sections 4.1.1 and 4.1.2, with their α = t = 2. Of both, less is better.
"""

import numpy as np

_BLOCK = 1024  # rows; two blocks' distances are in memory at once


def alignment(first: np.ndarray, second: np.ndarray) -> float:
    """Mean of ‖x - y‖² over the rows, both scaled to length 1: 0 where all pairs coincide, at most 4.

    Args:
        first: float [pairs, width].
        second: float [pairs, width], row by row what should lie where `first` does.

    Returns:
        NaN without a pair, or where a vector is zero and has no direction.
    """
    if len(first) == 0:
        return float("nan")
    distance = _directions(first) - _directions(second)
    return float(np.mean(np.sum(distance**2, axis=1)))


def uniformity(vectors: np.ndarray) -> float:
    """log of the mean of exp(-2 ‖x - y‖²) over all pairs of two rows, scaled to length 1; from -8 up to 0.

    0 where all vectors coincide. Time grows with the square of the rows, memory does not: vectors of many items are to
    be sampled.

    Args:
        vectors: float [rows, width].

    Returns:
        NaN with fewer than two rows, or where a vector is zero and has no direction.
    """
    rows = len(vectors)
    if rows < 2:
        return float("nan")
    blocks = [_directions(vectors[start : start + _BLOCK]) for start in range(0, rows, _BLOCK)]
    total = sum(
        float(np.sum(_nearness(one, blocks[n]))) if n > m else float(np.sum(np.triu(_nearness(one, one), 1)))
        for m, one in enumerate(blocks)
        for n in range(m, len(blocks))
    )
    return float(np.log(total / (rows * (rows - 1) / 2)))


def _nearness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """exp(-2 ‖x - y‖²) = exp(4 cos - 4) of unit vectors; float64 [rows of one, rows of other]."""
    return np.exp(4 * (one @ other.T) - 4)


def _directions(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float64; NaN where one is zero."""
    length = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.full(vectors.shape, np.nan), where=length > 0)
