"""Ragged arrays: rows of different lengths, laid end to end in flat arrays.

Row r of a ragged array is `values[offsets[r]:offsets[r + 1]]`, as in Arrow's lists and in sparse CSR matrices. Offsets
are int32 or int64 [rows + 1] and do not descend; they begin with 0, unless a function says that a slice of longer
offsets will do. A range is `start:stop` with `start` ≤ `stop`. Every offset, index and position that these functions
return is int64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def from_lengths(lengths: ArrayLike) -> np.ndarray:
    """Offsets of rows with these lengths; int64 [rows + 1].

    >>> from_lengths([2, 0, 3])
    array([0, 2, 2, 5])

    Args:
        lengths: int or bool [rows], ≥ 0.

    Raises:
        ValueError: a length is negative.
    """
    counts = np.asarray(lengths)
    if counts.min(initial=0) < 0:
        raise ValueError("lengths of rows must not be negative")
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, dtype=np.int64, out=offsets[1:])
    return offsets


def from_owner(owner: np.ndarray, rows: int) -> np.ndarray:
    """Offsets of elements that are sorted by their row, the inverse of `owner`; int64 [rows + 1].

    >>> from_owner(np.array([0, 0, 2, 2, 2]), 3)
    array([0, 2, 2, 5])

    Args:
        owner: int [elements] in [0, rows), ascending.
    """
    return np.searchsorted(owner, np.arange(rows + 1)).astype(np.int64, copy=False)


def owner(offsets: np.ndarray) -> np.ndarray:
    """The row of each element; int64 [elements]. A slice of longer offsets will do; its first row is 0.

    >>> owner(np.array([0, 2, 2, 5]))
    array([0, 0, 2, 2, 2])

    Raises:
        ValueError: the offsets descend.
    """
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def positions(offsets: np.ndarray) -> np.ndarray:
    """The place of each element within its row, from 0; int64 [elements]. A slice of longer offsets will do.

    >>> positions(np.array([0, 2, 2, 5]))
    array([0, 1, 0, 1, 2])

    Raises:
        ValueError: the offsets descend.
    """
    return np.arange(offsets[0], offsets[-1], dtype=np.int64) - repeat(offsets, offsets[:-1])


def repeat(offsets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The value of the row of each element; [elements, …] of the type of `values`. A slice of longer offsets will do.

    >>> repeat(np.array([0, 2, 2, 5]), np.array(["a", "b", "c"]))
    array(['a', 'a', 'c', 'c', 'c'], dtype='<U1')

    Args:
        values: [rows, …].

    Raises:
        ValueError: the offsets descend, or there is not one value per row.
    """
    if len(values) != len(offsets) - 1:
        raise ValueError(f"{len(values)} values for {len(offsets) - 1} rows")
    return np.repeat(values, np.diff(offsets), axis=0)


def ranges(starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The integers of each range, one range after the other.

    >>> ranges(np.array([7, 3, 0]), np.array([9, 3, 3]))
    (array([0, 2, 2, 5]), array([7, 8, 0, 1, 2]))

    Args:
        starts: int [ranges].
        stops: int [ranges], exclusive.

    Returns:
        Offsets of the ranges, int64 [ranges + 1], and the integers, int64 [elements].

    Raises:
        ValueError: a range stops before it starts.
    """
    offsets = from_lengths(np.subtract(stops, starts, dtype=np.int64))
    return offsets, np.arange(offsets[-1]) - repeat(offsets, offsets[:-1] - starts)


def take(offsets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows in any order, also several times: a ragged array of them is `values[indices]` with the new offsets.

    >>> take(np.array([0, 2, 2, 5]), np.array([2, 0]))
    (array([0, 3, 5]), array([2, 3, 4, 0, 1]))

    Args:
        rows: int [chosen rows].

    Returns:
        Offsets of the chosen rows, int64 [chosen rows + 1], and the indices of their elements, int64 [elements].

    Raises:
        IndexError: there is no such row.
    """
    return ranges(offsets[:-1][rows], offsets[1:][rows])


def filtered(offsets: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Offsets of the same rows when only some elements are kept; int64 [rows + 1].

    >>> filtered(np.array([0, 2, 2, 5]), np.array([True, False, True, True, False]))
    array([0, 1, 1, 3])

    Args:
        kept: bool [elements].
    """
    return from_lengths(kept)[offsets]


def padded(starts: np.ndarray, stops: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The integers of each range as a row of a matrix, its first `width` ones where the range is longer.

    >>> padded(np.array([7, 3, 0]), np.array([9, 3, 3]), 3)
    (array([[7, 8, 0],
           [0, 0, 0],
           [0, 1, 2]]), array([[ True,  True, False],
           [False, False, False],
           [ True,  True,  True]]))

    Args:
        starts: int [ranges].
        stops: int [ranges], exclusive.

    Returns:
        The integers, int64 [ranges, width], 0 at padding; and bool [ranges, width], False at padding.
    """
    position = np.arange(width)
    inside = position < np.subtract(stops, starts, dtype=np.int64)[:, None]
    return np.where(inside, np.asarray(starts)[:, None] + position, 0), inside
