"""Products of sparse rows: one result in both forms of a matrix."""

import numpy as np
import pytest
from scipy import sparse

from interestrec.scorers.interactions import products, quick_form


@pytest.mark.parametrize("share", [0.001, 0.3])
def test_both_forms_of_a_matrix_give_the_same_bits(share: float) -> None:
    rng = np.random.default_rng(4)
    rows, matrix = (
        sparse.random(*shape, part, format="csr", dtype=np.float32, rng=rng)
        for shape, part in (((40, 90), 0.2), ((90, 70), share))
    )
    quick = quick_form(matrix)
    assert isinstance(quick, np.ndarray) == (share == 0.3)
    np.testing.assert_array_equal(products(rows, quick), products(rows, matrix))
    np.testing.assert_array_equal(products(rows, matrix.toarray()), products(rows, matrix))
