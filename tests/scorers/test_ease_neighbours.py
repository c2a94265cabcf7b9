"""EASE on the nearest items, against a ridge regression of each item on them."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge

from interestrec.scorers import ease, ease_neighbours
from interestrec.scorers.ease_neighbours import SparseEaseWeights, nearest_items, ridge_solutions
from tests.scoring.asking import events, requests, split_candidates


def nearest(seen: np.ndarray, item: int, count: int) -> np.ndarray:
    size = np.linalg.norm(seen, axis=0)
    cosine = seen.T @ seen[:, item] / (size * size[item])
    cosine[item] = 0
    order = np.lexsort((np.arange(len(cosine)), -cosine.astype(np.float32)))[:count]
    return np.sort(order[cosine[order] > 0])


def solved(seen: np.ndarray, regularization: float, count: int) -> SparseEaseWeights:
    gram = seen.T @ seen
    return nearest_items([sparse.csr_matrix(gram)], np.diag(gram), count).weights(regularization)


@pytest.mark.parametrize("count", [1, 3, 50])
@pytest.mark.parametrize("seed", range(3))
def test_each_item_is_regressed_on_its_nearest_items(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    seen = (rng.random((40, 12)) < 0.25) * rng.random((40, 12))
    seen[0] = 0.5
    expected = np.zeros((12, 12))
    for item in range(12):
        near = nearest(seen, item, count)
        ridge = Ridge(alpha=0.8, fit_intercept=False, solver="cholesky")
        expected[near, item] = ridge.fit(seen[:, near], seen[:, item]).coef_
    found = solved(seen, 0.8, count).weights
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-4, atol=1e-6)


def test_an_item_that_never_occurs_with_another_has_no_weights() -> None:
    seen = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1.0]])
    found = solved(seen, 1.0, 5).weights.toarray()
    np.testing.assert_allclose(found, [[0, 2 / 3, 0], [2 / 3, 0, 0], [0, 0, 0]], rtol=1e-6)


def test_blocks_and_other_items_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    seen = (rng.random((200, 60)) < 0.1) * rng.random((200, 60))
    whole = solved(seen, 0.5, 9).weights
    monkeypatch.setattr(ease_neighbours, "_CELLS", 1)
    np.testing.assert_array_equal(solved(seen, 0.5, 9).weights.toarray(), whole.toarray())


def test_one_problem_without_a_stable_solution_leaves_the_others_as_they_are() -> None:
    stable = np.array([[2.0, 0.5], [0.5, 1.0]])
    indefinite = np.array([[1.0, 3.0], [3.0, 1.0]])  # positive definite with λ = 4 = 2 · 2 · 1, not with 2
    gram, target = np.stack([stable, indefinite, 3 * stable]), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    expected = [np.linalg.solve(gram[n] + r * np.eye(2), target[n]) for n, r in enumerate((1.0, 4.0, 1.0))]
    np.testing.assert_allclose(ridge_solutions(gram, target, 1.0), expected, rtol=1e-12)
    np.testing.assert_array_equal(
        ridge_solutions(gram[[0, 2]], target[[0, 2]], 1.0), ridge_solutions(gram, target, 1.0)[[0, 2]]
    )


def test_where_products_are_left_out_the_solution_is_still_stable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease_neighbours, "_ENTRIES", 80)
    seen = (np.random.default_rng(0).random((300, 40)) < 0.7).astype(float)
    found = solved(seen, 1e-6, 2).weights
    assert np.isfinite(found.data).all()
    assert np.abs(found.data).max() < 2


def test_it_is_restored_bit_by_bit_and_scores_candidates_as_the_catalogue() -> None:
    rng = np.random.default_rng(1)
    pairs = [(int(u), int(i)) for u, i in zip(rng.integers(0, 30, 200), rng.integers(0, 20, 200), strict=True)]
    model = ease.fit(events(pairs, 30, 20), 0.5, 2.0, max_size=5, neighbours=4)
    restored = ease.Ease.from_arrays(model.arrays())
    asked = requests([0, 4, 7], [19], [])
    np.testing.assert_array_equal(restored.score_catalogue(asked), model.score_catalogue(asked))
    lists = [[0, 1, 2, 3], [5, 19], [8]]
    whole = [model.score_catalogue(asked)[row, item] for row, items in enumerate(lists) for item in items]
    np.testing.assert_allclose(restored.score_candidates(asked, *split_candidates(lists)), whole, rtol=1e-5)
