"""Blocks of rows by their entries, and products that are cut into them."""

import numpy as np
import pytest
from scipy import sparse

from interestrec.core import cell_sums
from interestrec.core.cell_sums import filled_row_blocks
from interestrec.core.column_products import PairProducts


def test_blocks_are_as_long_as_their_entries_permit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_sums, "_ENTRIES", 10)
    found = list(filled_row_blocks(np.array([4, 6, 1, 0, 25, 0, 10, 3])))
    assert found == [(0, 2), (2, 4), (4, 5), (5, 7), (7, 8)]
    assert list(filled_row_blocks(np.zeros(0, np.int64))) == []
    assert list(filled_row_blocks(np.zeros(3, np.int64))) == [(0, 3)]


@pytest.mark.parametrize("entries", [1, 20, 1 << 23])
def test_products_do_not_depend_on_the_blocks(entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    left = sparse.csr_matrix((rng.random((30, 12)) < 0.3) * rng.random((30, 12)))
    right = left.copy()
    right.data = rng.random(right.nnz)
    monkeypatch.setattr(cell_sums, "_ENTRIES", entries)
    blocks = list(PairProducts(left, right, np.arange(30), 1).blocks(np.arange(12)))
    assert entries > 20 or all(block.nnz <= entries or block.shape[0] == 1 for block in blocks)
    np.testing.assert_allclose(sparse.vstack(blocks).toarray(), left.toarray().T @ right.toarray(), rtol=1e-12)
