"""Alignment and uniformity of vectors on the unit sphere; lower is better for both.

Wang and Isola 2020, "Understanding contrastive representation learning through alignment and uniformity on the
hypersphere", sections 4.1.1 and 4.1.2, with α = t = 2.
"""

import numpy as np

_BLOCK = 1024  # rows per block; memory holds the distances between two blocks


def alignment(first: np.ndarray, second: np.ndarray) -> float:
    """Mean of ‖x - y‖² over pairs of vectors scaled to length 1: 0 if all pairs coincide, at most 4.

    Args:
        first: float [pairs, width].
        second: float [pairs, width], the positive partner of each row of `first`.

    Returns:
        The mean; NaN without a pair, or if a vector is zero.
    """
    if len(first) == 0:
        return float("nan")
    distance = _directions(first) - _directions(second)
    return float(np.mean(np.sum(distance**2, axis=1)))


def uniformity(vectors: np.ndarray) -> float:
    """Logarithm of the mean of exp(-2 ‖x - y‖²) over all pairs of rows scaled to length 1; from -8 to 0.

    The value is 0 if all vectors coincide. Time is quadratic in the rows, memory is not; sample large inputs.

    Args:
        vectors: float [rows, width].

    Returns:
        The value; NaN with fewer than two rows, or if a vector is zero.
    """
    rows = len(vectors)
    if rows < 2:
        return float("nan")
    blocks = [_directions(vectors[start : start + _BLOCK]) for start in range(0, rows, _BLOCK)]
    total = sum(
        float(np.sum(_kernel(block, blocks[n]))) if n > m else float(np.sum(np.triu(_kernel(block, block), 1)))
        for m, block in enumerate(blocks)
        for n in range(m, len(blocks))
    )
    return float(np.log(total / (rows * (rows - 1) / 2)))


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """exp(-2 ‖x - y‖²) = exp(4 cos - 4) of unit vectors; float64 [rows of first, rows of second]."""
    return np.exp(4 * (first @ second.T) - 4)


def _directions(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to length 1; float64, NaN for zero rows."""
    length = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.full(vectors.shape, np.nan), where=length > 0)
