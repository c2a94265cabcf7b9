"""Sums of pairs of items: blocks of rows, changes, and what is stored, against dense matrices."""

import numpy as np
import pytest
from scipy import sparse

from interestrec.core import cell_sums
from interestrec.core.cell_sums import CellSums
from interestrec.core.column_products import PairProducts

ITEMS = np.arange(9, dtype=np.int64)


def users_by_items(seed: int, users: int = 20) -> sparse.csr_matrix:
    return sparse.random(users, 9, 0.3, "csr", rng=np.random.default_rng(seed))


def dense(sums: CellSums | PairProducts, items: np.ndarray = ITEMS) -> np.ndarray:
    blocks = [block.toarray() for block in sums.blocks(items)]
    matrix = np.concatenate(blocks)
    np.fill_diagonal(matrix, 0.0)
    return matrix


@pytest.mark.parametrize("entries", [1, 40, 1 << 20])
@pytest.mark.parametrize("is_symmetric", [True, False])
def test_stored_sums_have_the_blocks_of_the_products(
    is_symmetric: bool, entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_sums, "_ENTRIES", entries)
    left = sparse.csr_matrix(users_by_items(1).multiply(~np.isin(ITEMS, [2, 5])))
    right = left if is_symmetric else left * 2
    products = PairProducts(left, right, np.arange(20), power=1)
    np.testing.assert_allclose(dense(products), dense(products.stored()))
    some = np.delete(ITEMS, [2, 5])
    np.testing.assert_allclose(dense(products, some), dense(products.stored(), some))
    assert products.stored().is_symmetric == is_symmetric
    restored = CellSums.from_arrays("a.b", products.stored().arrays("a.b"))
    np.testing.assert_array_equal(dense(restored), dense(products.stored()))


@pytest.mark.parametrize("is_symmetric", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_a_change_of_products_is_the_difference_of_both(seed: int, is_symmetric: bool) -> None:
    """Of users who stay, come and go, with entries that stay, change, come and go."""
    rng = np.random.default_rng(seed)
    of_users = users_by_items(seed, 24)  # by user
    changed_users = sparse.csr_matrix(of_users.multiply(rng.choice([0.0, 1.0, 1.0, 3.0], (24, 9))))
    changed_users.eliminate_zeros()
    parts = []
    for matrix, users in ((of_users, rng.permutation(20)), (changed_users, rng.permutation(20) + 4)):
        left = matrix[users]  # the same user is in another row of each
        parts.append(PairProducts(left, left if is_symmetric else left * 2, users, power=1))
    left = users_by_items(7)
    others = PairProducts(left, left if is_symmetric else left * 2, np.arange(50, 70), power=1)
    whole = others.stored().changed(parts[0].change_from(PairProducts(*_none(is_symmetric), power=1)))
    changed = whole.changed(parts[1].change_from(parts[0]))
    np.testing.assert_allclose(dense(whole), dense(others) + dense(parts[0]), rtol=1e-12)
    np.testing.assert_allclose(dense(changed), dense(others) + dense(parts[1]), rtol=1e-12)
    expected = sum(part.stored().count.sum() for part in (others, parts[1]))
    assert changed.count.sum() == expected


def _none(is_symmetric: bool) -> tuple[sparse.csr_matrix, sparse.csr_matrix, np.ndarray]:
    empty = sparse.csr_matrix((0, 9))
    return empty, empty if is_symmetric else empty.copy(), np.zeros(0, np.int64)


def test_sums_without_contributions_do_not_exist() -> None:
    one = CellSums.of_items(np.array([0.1, 0.2, 0.0]), np.array([1, 2, 0]), power=1)
    none = CellSums.of_items(np.zeros(3), np.zeros(3, int), power=1)
    assert len(one.changed(none.change_from(one)).cell) == 0
    assert one.dense(3).tolist() == [0.1, 0.2, 0.0]
    assert one.counts(3).tolist() == [1, 2, 0]


def test_taking_out_nearly_all_is_noticed() -> None:
    both = CellSums.of_items(np.array([1.0 + 2.0**-40]), np.array([2]), power=1)
    gone = CellSums.of_items(np.array([1.0]), np.array([1]), power=1)
    none = CellSums.of_items(np.zeros(1), np.zeros(1, int), power=1)
    assert len(both.lost_items[0]) == 0
    left = both.changed(none.change_from(gone))
    assert left.lost_items[0].tolist() == [0]
    exact = CellSums.of_items(np.array([2.0**-40]), np.array([1]), power=1)
    assert len(left.recounted(exact).lost_items[0]) == 0


def test_users_who_stay_as_they_are_cost_nothing() -> None:
    left, order = users_by_items(1), np.random.default_rng(0).permutation(20)
    same = left[order]
    change = PairProducts(same, same, order, power=2).change_from(PairProducts(left, left, np.arange(20), power=2))
    assert len(change.cell) == 0
