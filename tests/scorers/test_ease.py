"""EASE by hand, and both of its forms against a ridge regression of each item on all others."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from interestrec.scorers import ease, ease_forms
from interestrec.scorers.requests import Requests
from tests.scoring.asking import events, requests


def pairs_of(seen: np.ndarray) -> list[tuple[int, int]]:
    return [(int(u), int(i)) for u, i in zip(*np.nonzero(seen), strict=True)]


def naive(seen: np.ndarray, regularization: float) -> np.ndarray:
    """Each column of B by a regression that may not see the item itself."""
    weights = np.zeros((seen.shape[1], seen.shape[1]))
    for item in range(seen.shape[1]):
        others = np.delete(np.arange(seen.shape[1]), item)
        ridge = Ridge(alpha=regularization, fit_intercept=False, solver="cholesky")
        weights[others, item] = ridge.fit(seen[:, others], seen[:, item]).coef_
    return weights


def asking(n_items: int) -> tuple[Requests, np.ndarray]:
    rng = np.random.default_rng(5)
    history = rng.random((7, n_items)) < 0.4
    return requests(*(np.flatnonzero(row).tolist() for row in history)), history.astype(float)


def test_three_items_by_hand() -> None:
    # users: {0, 1}, {0, 1}, {1, 2}; λ = 1
    log = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2), (2, 2)]
    model = ease.fit(events(log, 3, 4), 0.5, 1.0, 100)
    # XᵀX + I = [[3, 2, 0], [2, 4, 1], [0, 1, 2]]; its inverse is [[7, -4, 2], [-4, 6, -3], [2, -3, 8]] / 13
    expected = np.array([[0, 4 / 6, -2 / 8], [4 / 7, 0, 3 / 8], [-2 / 7, 3 / 6, 0]])
    score = model.score_catalogue(requests([0], [1], [2], [0, 0, 2], [3], []))
    np.testing.assert_allclose(score[:3, :3], expected, rtol=1e-6)
    np.testing.assert_allclose(score[3, :3], expected[0] + expected[2], rtol=1e-6)
    assert not score[4:].any()
    assert not score[:, 3].any()


@pytest.mark.parametrize(
    ("users", "items", "form"),
    [(40, 12, ease.EaseWeights), (11, 30, ease.DualEaseWeights), (20, 30, ease.EaseWeights)],
)
def test_both_forms_are_ridge_regressions_without_the_item_itself(users: int, items: int, form: type) -> None:
    seen = (np.random.default_rng(users).random((users, items)) < 0.3).astype(float)
    seen[0] = 1
    model = ease.fit(events(pairs_of(seen), users, items), 0.5, 2.5, 100)
    assert isinstance(model.solution, form)
    asked, history = asking(items)
    np.testing.assert_allclose(model.score_catalogue(asked), history @ naive(seen, 2.5), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("users", "items"), [(40, 12), (11, 30)])
def test_both_forms_are_restored_bit_by_bit(users: int, items: int) -> None:
    seen = (np.random.default_rng(users).random((users, items)) < 0.3).astype(float)
    model = ease.fit(events(pairs_of(seen), users, items), 0.5, 2.5, 100)
    restored = ease.Ease.from_arrays(model.arrays())
    assert type(restored.solution) is type(model.solution)
    asked, _ = asking(items)
    np.testing.assert_array_equal(restored.score_catalogue(asked), model.score_catalogue(asked))


def test_recency_weighs_the_fit_and_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    seen = rng.random((9, 14)) < 0.4
    seen[0] = True
    age = rng.integers(0, 40, seen.sum())
    age[0] = 0
    log = events(pairs_of(seen), 9, 14, days=list(100.0 - age))
    weighted = np.zeros(seen.shape)
    weighted[seen] = 0.5 ** (age / 20)
    asked = requests([3, 1, 3], days=[80, 100, 60])
    history = np.zeros(14)
    history[[1, 3]] = 1, 0.5
    monkeypatch.setattr(ease_forms, "_CELLS", 1)  # blocks of one item
    model = ease.fit(log, 0.5, 1.5, 100, half_life=20.0)
    np.testing.assert_allclose(model.score_catalogue(asked)[0], history @ naive(weighted, 1.5), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("users", "items"), [(40, 12), (11, 30)])
def test_weak_events_are_smaller_cells_of_the_regression(users: int, items: int) -> None:
    rng = np.random.default_rng(users)
    cells = np.where(rng.random((users, items)) < 0.4, rng.choice([0.1, 0.3, 0.5, 1.0], (users, items)), 0)
    log = events(pairs_of(cells), users, items)
    graded = replace(log, intensity=cells[cells > 0].astype(np.float32))
    model = ease.fit(graded, 0.5, 2.5, 100, weak_evidence=0.7)
    weights = np.where(cells >= 0.5, 1.0, 0.7 * cells / 0.5)
    asked, history = asking(items)
    np.testing.assert_allclose(model.score_catalogue(asked), history @ naive(weights, 2.5), rtol=1e-4, atol=1e-6)
    weak = replace(asked, intensity=np.full(len(asked.item), 0.25, np.float32))  # weighs 0.35
    np.testing.assert_allclose(model.score_catalogue(weak), 0.35 * model.score_catalogue(asked), rtol=1e-4, atol=1e-6)


def test_beyond_the_largest_size_the_solution_is_sparse_and_no_item_is_left_out() -> None:
    seen = (np.random.default_rng(3).random((40, 12)) < 0.3).astype(float)
    seen[0] = 1  # every item occurs with every other, so that each is predicted from all others
    model = ease.fit(events(pairs_of(seen), 40, 13), 0.5, 2.5, max_size=11)
    assert isinstance(model.solution, ease.SparseEaseWeights)
    assert model.items.tolist() == list(range(12))
    asked, history = asking(12)
    expected = history @ naive(seen, 2.5)
    np.testing.assert_allclose(model.score_catalogue(asked)[:, :12], expected, rtol=1e-4, atol=1e-6)
    assert not model.score_catalogue(asked)[:, 12].any()
    whole = ease.fit(events(pairs_of(seen), 40, 13), 0.5, 2.5, max_size=12)
    assert isinstance(whole.solution, ease.EaseWeights)


def test_history_entries_below_relevance_do_not_count() -> None:
    model = ease.fit(events([(0, 0), (0, 1)], 1, 2), 0.5, 1.0, 10)
    assert not model.score_catalogue(requests([0], intensity=[0.4])).any()
    assert model.score_catalogue(requests([0], intensity=[0.5]))[0, 1] > 0
