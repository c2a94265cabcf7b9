"""Ragged arrays against loops over Python lists."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from interestrec.core import ragged

INTEGERS = st.sampled_from([np.int32, np.int64])


@st.composite
def offsets_of(draw: st.DrawFn) -> np.ndarray:
    """Offsets of up to eight rows, empty ones among them, in either type."""
    lengths = draw(st.lists(st.integers(0, 4), max_size=8))
    return np.array([sum(lengths[:row]) for row in range(len(lengths) + 1)], dtype=draw(INTEGERS))


@st.composite
def bounds_of(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Starts and stops of up to eight ranges that may overlap, be empty and come in any order."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=8))
    dtype = draw(INTEGERS)
    return np.array([a for a, _ in pairs], dtype), np.array([a + n for a, n in pairs], dtype)


def rows_of(offsets: np.ndarray) -> list[list[int]]:
    """The elements of each row."""
    return [list(range(a, b)) for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]


def same(found: np.ndarray, expected: list) -> None:
    assert found.dtype == np.int64
    assert found.tolist() == expected


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(ragged)
    assert result.attempted >= 9
    assert result.failed == 0


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8])
def test_from_lengths_by_hand(dtype: type) -> None:
    same(ragged.from_lengths(np.array([2, 0, 3], dtype)), [0, 2, 2, 5])
    same(ragged.from_lengths(np.zeros(0, dtype)), [0])


def test_from_lengths_of_lists_and_flags() -> None:
    same(ragged.from_lengths([]), [0])
    same(ragged.from_lengths([200] * 3), [0, 200, 400, 600])
    same(ragged.from_lengths(np.array([True, False, True])), [0, 1, 1, 2])


def test_from_lengths_counts_beyond_the_type_of_the_lengths() -> None:
    same(ragged.from_lengths(np.full(3, 2**31 - 1, np.int32)), [0, 2**31 - 1, 2**32 - 2, 3 * (2**31 - 1)])


def test_negative_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        ragged.from_lengths([1, -1])
    with pytest.raises(ValueError, match="negative"):
        ragged.ranges(np.array([3]), np.array([2]))
    for function in (ragged.owner, ragged.positions):
        with pytest.raises(ValueError, match="negative"):
            function(np.array([0, 2, 1]))


def test_repeat_needs_one_value_per_row() -> None:
    with pytest.raises(ValueError, match="1 values for 2 rows"):
        ragged.repeat(np.array([0, 2, 3]), np.array([7]))


def test_take_of_a_row_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        ragged.take(np.array([0, 2, 3]), np.array([2]))


@given(offsets_of())
def test_owner_and_positions_are_row_and_column_of_each_element(offsets: np.ndarray) -> None:
    cells = [(row, place) for row, elements in enumerate(rows_of(offsets)) for place in range(len(elements))]
    same(ragged.owner(offsets), [row for row, _ in cells])
    same(ragged.positions(offsets), [place for _, place in cells])


@given(offsets_of())
def test_from_owner_and_from_lengths_give_the_offsets_back(offsets: np.ndarray) -> None:
    same(ragged.from_owner(ragged.owner(offsets), len(offsets) - 1), offsets.tolist())
    same(ragged.from_lengths(np.diff(offsets)), offsets.tolist())


@given(offsets_of(), st.data())
def test_a_slice_of_longer_offsets_counts_rows_from_its_first(offsets: np.ndarray, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(offsets) - 1))
    part, rebased = offsets[start:], offsets[start:] - offsets[start]
    same(ragged.owner(part), ragged.owner(rebased).tolist())
    same(ragged.positions(part), ragged.positions(rebased).tolist())
    values = np.arange(len(part) - 1)
    same(ragged.repeat(part, values), ragged.repeat(rebased, values).tolist())


@given(offsets_of(), st.data())
def test_repeat_gives_every_element_the_value_of_its_row(offsets: np.ndarray, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from([np.dtype(bool), np.dtype(np.int32), np.dtype(np.float32)]))
    values = data.draw(arrays.arrays(dtype, len(offsets) - 1))
    found = ragged.repeat(offsets, values)
    assert found.dtype == dtype
    expected = [values[row : row + 1] for row, elements in enumerate(rows_of(offsets)) for _ in elements]
    assert found.tobytes() == b"".join(value.tobytes() for value in expected)


def test_repeat_of_vectors() -> None:
    found = ragged.repeat(np.array([0, 2, 2, 3]), np.array([[1, 2], [3, 4], [5, 6]]))
    assert found.tolist() == [[1, 2], [1, 2], [5, 6]]


@given(bounds_of())
def test_ranges_are_laid_end_to_end(bounds: tuple[np.ndarray, np.ndarray]) -> None:
    starts, stops = bounds
    expected = [list(range(a, b)) for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]
    offsets, integers = ragged.ranges(starts, stops)
    same(integers, [value for one in expected for value in one])
    same(np.diff(offsets), [len(one) for one in expected])
    same(offsets[:1], [0])


@given(offsets_of(), st.data())
def test_take_chooses_rows_in_any_order(offsets: np.ndarray, data: st.DataObject) -> None:
    rows = rows_of(offsets)
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6)) if rows else []
    found, indices = ragged.take(offsets, np.array(chosen, dtype=data.draw(INTEGERS)))
    same(indices, [element for row in chosen for element in rows[row]])
    same(np.diff(found), [len(rows[row]) for row in chosen])
    same(found[:1], [0])


@given(offsets_of(), st.data())
def test_filtered_counts_what_is_kept_of_each_row(offsets: np.ndarray, data: st.DataObject) -> None:
    kept = data.draw(arrays.arrays(bool, int(offsets[-1])))
    found = ragged.filtered(offsets, kept)
    same(np.diff(found), [sum(kept[element] for element in row) for row in rows_of(offsets)])
    same(found[:1], [0])


@given(bounds_of(), st.integers(0, 6))
def test_padded_rows_hold_the_first_of_each_range(bounds: tuple[np.ndarray, np.ndarray], width: int) -> None:
    starts, stops = bounds
    ranges = [list(range(a, b))[:width] for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]
    integers, inside = ragged.padded(starts, stops, width)
    assert integers.shape == inside.shape == (len(starts), width)
    same(integers, [one + [0] * (width - len(one)) for one in ranges])
    assert inside.dtype == bool
    assert inside.tolist() == [[place < len(one) for place in range(width)] for one in ranges]
