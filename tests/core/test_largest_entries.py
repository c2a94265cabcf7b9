"""The largest entries of rows, against a full sort."""

import numpy as np
import pytest
from scipy import sparse

from interestrec.core import cell_sums, column_products, largest_entries


@pytest.mark.parametrize("most", [1, 3, 8, 50])
def test_ties_go_to_the_lower_column(most: int) -> None:
    rng = np.random.default_rng(most)
    dense = rng.integers(0, 5, (20, 12)).astype(np.float32)
    kept = largest_entries.largest_per_row(sparse.csr_matrix(dense), most).toarray()
    for whole, row in zip(dense, kept, strict=True):
        best = [n for n in np.lexsort((np.arange(12), -whole))[:most] if whole[n] > 0]
        expected = np.zeros(12)
        expected[best] = whole[best]
        np.testing.assert_array_equal(row, expected)


@pytest.mark.parametrize("entries", [1, 40, 1 << 20])
def test_blocks_do_not_change_the_products(entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_sums, "_ENTRIES", entries)
    rng = np.random.default_rng(0)
    left, right = (sparse.random(30, 9, 0.3, "csr", rng=rng) for _ in range(2))
    blocks = column_products.PairProducts(left, right, np.arange(30), power=0).blocks(np.arange(9))
    found = largest_entries.item_matrix(blocks, 9, lambda row, column, value: value * (row + 2 * column), 100)
    expected = (left.T @ right).toarray() * (np.arange(9)[:, None] + 2 * np.arange(9))
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-6)
    assert found.dtype == np.float32
