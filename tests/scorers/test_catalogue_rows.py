"""Scores for the catalogue in sparse form against the dense matrix of the same numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from interestrec.core import ragged
from interestrec.metrics.topk import top_k
from interestrec.scorers.catalogue_rows import DenseRows, SparseRows, centred_rows
from interestrec.scorers.permitted_items import Excluded, PermittedItems


def case(seed: int, requests: int, items: int, has_shared: bool, has_weight: bool) -> tuple[SparseRows, np.ndarray]:
    """Few entries of few values, some below 0, so that ties and empty rows are frequent; and the dense matrix."""
    rng = np.random.default_rng(seed)
    present = rng.random((requests, items)) < rng.choice([0.0, 0.1, 0.5], (requests, 1))
    entries = sparse.csr_matrix(np.where(present, rng.integers(-2, 4, (requests, items)), 0).astype(np.float32))
    shared = rng.integers(0, 3, items).astype(np.float32) if has_shared else None
    weight = rng.choice([0.0, 0.5, 1.0], requests).astype(np.float32) if has_shared and has_weight else None
    dense = entries.toarray()
    if shared is not None:
        dense += (np.ones(requests, np.float32) if weight is None else weight)[:, None] * shared
    return SparseRows(entries, shared, weight), dense


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 12), st.booleans(), st.booleans())
def test_sparse_and_dense_rows_agree(seed: int, items: int, k: int, has_shared: bool, has_weight: bool) -> None:
    rng = np.random.default_rng(seed + 1)
    rows, dense = case(seed, 4, items, has_shared, has_weight)
    permitted = PermittedItems(rng.random(items) < rng.choice([0.2, 0.8, 1.0]), rng.permutation(items))
    lengths = rng.integers(0, items, 4)
    excluded = Excluded(ragged.from_lengths(lengths), rng.integers(0, items, lengths.sum()))

    masked = np.where(permitted.items, dense.astype(np.float64), -np.inf)
    masked[excluded.owner, excluded.item] = -np.inf
    top = top_k(masked, k, permitted.tie_order)
    expected = np.full((4, k), -1)
    expected[:, : top.shape[1]] = np.where(np.take_along_axis(masked, top, axis=1) > -np.inf, top, -1)
    np.testing.assert_array_equal(rows.best(k, permitted, excluded), expected)
    np.testing.assert_array_equal(DenseRows(dense).best(k, permitted, excluded), expected)

    row, item = rng.integers(0, 4, 30), rng.integers(0, items, 30)
    np.testing.assert_array_equal(rows.at(row, item), dense[row, item])

    over = rng.random(items) < 0.7
    over[0] = True
    for found in (rows.moments(over), DenseRows(dense).moments(over)):
        np.testing.assert_allclose(found.mean, dense[:, over].astype(np.float64).mean(axis=1), atol=1e-12)
        deviation = dense[:, over].astype(np.float64).std(axis=1)
        np.testing.assert_allclose(found.deviation, np.where(deviation == 0, np.inf, deviation), atol=1e-9)


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_lists_do_not_depend_on_how_many_rows_are_cut_together(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    score = rng.integers(0, 9, (7, 50)).astype(np.float32)
    permitted = PermittedItems(rng.random(50) < share, rng.permutation(50))
    lengths = rng.integers(0, 5, 7)
    excluded = Excluded(ragged.from_lengths(lengths), rng.integers(0, 50, lengths.sum()))
    before, together = score.copy(), DenseRows(score).best(8, permitted, excluded)
    for cells in (1, 100, 150):
        monkeypatch.setattr("interestrec.scorers.catalogue_rows._COPIED", cells)
        np.testing.assert_array_equal(DenseRows(score).best(8, permitted, excluded), together)
    np.testing.assert_array_equal(score, before)


def test_equal_scores_have_no_deviation_however_large_they_are() -> None:
    shared = np.full(1000, 12345.678, np.float32)
    rows = SparseRows(sparse.csr_matrix((2, 1000), dtype=np.float32), shared)
    moments = rows.moments(np.ones(1000, dtype=bool))
    assert np.isinf(moments.deviation).all()
    assert moments.standardise(np.array([0, 1]), rows.at(np.array([0, 1]), np.array([3, 4]))).tolist() == [0.0, 0.0]


def test_a_request_has_the_same_bits_in_any_company() -> None:
    rows, _ = case(3, 40, 200, has_shared=True, has_weight=True)
    over = np.arange(200) % 3 > 0
    together = rows.moments(over)
    assert rows.weight is not None
    for row in range(40):
        alone = SparseRows(rows.entries[row], rows.shared, rows.weight[row : row + 1]).moments(over)
        assert (alone.mean[0], alone.deviation[0]) == (together.mean[row], together.deviation[row])


def test_what_nothing_is_excluded_from_lists_the_best_in_order() -> None:
    rows = SparseRows(sparse.csr_matrix(np.array([[0, 2, 0, 5, -1]], np.float32)))
    permitted = PermittedItems(np.ones(5, dtype=bool), np.array([4, 3, 2, 1, 0]))
    assert rows.best(5, permitted, Excluded.nothing(1)).tolist() == [[3, 1, 2, 0, 4]]


def test_centred_rows_of_a_hand_worked_example() -> None:
    centred, mean, deviation = centred_rows(np.array([[1.0, 3.0, 8.0]], np.float32), np.array([True, True, False]))
    assert mean.tolist() == [2.0]
    assert deviation.tolist() == [1.0]
    assert centred.tolist() == [[-1.0, 1.0, 6.0]]


@pytest.mark.parametrize("kind", [DenseRows, SparseRows])
def test_no_request_has_no_list(kind: type) -> None:
    empty = np.zeros((0, 6), np.float32)
    rows = DenseRows(empty) if kind is DenseRows else SparseRows(sparse.csr_matrix(empty))
    permitted = PermittedItems(np.ones(6, dtype=bool), np.arange(6))
    assert rows.best(3, permitted, Excluded.nothing(0)).shape == (0, 3)
    assert rows.moments(permitted.items).mean.shape == (0,)
