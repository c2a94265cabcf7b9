"""Products of rows: those of NumPy, and the same bits in any company."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from interestrec.core.row_products import one_blas_thread, pair_dots, row_products, row_sums
from tests.examples import examples

KINDS = [np.float32, np.float64]


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@examples(40)
@given(st.integers(0, 10**9), st.sampled_from(KINDS))
def test_products_and_sums_have_the_same_bits_in_any_company(seed: int, kind: type) -> None:
    rng = np.random.default_rng(seed)
    count, others, width = (int(rng.integers(low, high)) for low, high in ((0, 90), (1, 60), (1, 80)))
    rows, right = (rng.normal(size=(n, width)).astype(kind) for n in (count, others))
    wide = np.asfortranarray(np.concatenate([rows, rows], axis=1))  # of which a part is not contiguous
    products = row_products(wide[:, :width], right)
    assert products.dtype == kind
    np.testing.assert_allclose(products, rows @ right.T, rtol=1e-4, atol=1e-4)
    dots, sums = pair_dots(wide[:, :width], right[:1]), row_sums(wide)
    np.testing.assert_allclose(dots, rows @ right[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(sums, 2 * rows.sum(axis=1), rtol=1e-4, atol=1e-4)
    for chosen in (rng.permutation(count)[: count // 2], *rng.permutation(count)[:4, None]):
        np.testing.assert_array_equal(row_products(rows[chosen], right), products[chosen])
        np.testing.assert_array_equal(pair_dots(rows[chosen], right[:1]), dots[chosen])
        np.testing.assert_array_equal(row_sums(wide[chosen]), sums[chosen])


@pytest.mark.parametrize("others", [20_011, 2625, 5232])  # the last tile of 2,616 is short, of 9 rows, and whole
@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_large_catalogue_do_not_see_their_neighbours(kind: type, others: int) -> None:
    rng = np.random.default_rng(1)
    rows, right = rng.normal(size=(70, 50)).astype(kind), rng.normal(size=(others, 50)).astype(kind)
    products = row_products(rows, right)
    np.testing.assert_allclose(products, rows @ right.T, rtol=1e-4, atol=1e-4)
    unaligned = np.frombuffer(b"+" * right.itemsize + right.tobytes(), kind)[1:].reshape(right.shape)  # as in a file
    np.testing.assert_array_equal(row_products(rows, unaligned), products)
    np.testing.assert_array_equal(row_products(rows, right[:2000]), products[:, :2000])
    np.testing.assert_array_equal(row_products(rows, right[37:58]), products[:, 37:58])
    for row in (0, 31, 32, 69):
        np.testing.assert_array_equal(row_products(rows[row : row + 1], right)[0], products[row])
    long = products.repeat(3, axis=1)
    np.testing.assert_array_equal(pair_dots(long[5:6], long[5:6]), pair_dots(long, long)[5:6])


def test_one_thread_is_shared_and_given_back() -> None:
    before = blas_threads()
    with one_blas_thread():
        with one_blas_thread():
            assert blas_threads() == {1}
        assert blas_threads() == {1}
        with ThreadPoolExecutor(1) as other:
            other.submit(row_products, np.ones((1, 2)), np.ones((3, 2))).result()
        assert blas_threads() == {1}
    assert blas_threads() == before
