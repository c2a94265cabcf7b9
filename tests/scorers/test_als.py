"""ALS finds blocks, folds strangers in, and knows nothing of those without a history."""

from dataclasses import replace

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse

from interestrec.scorers import als
from interestrec.scorers.interactions import history_matrix
from tests.scoring.asking import events, requests

BLOCKS = [(u, i) for u in range(10) for i in range(5) if (u + i) % 4] + [
    (u, i) for u in range(10, 20) for i in range(5, 10) if (u + i) % 4
]


def test_a_stranger_gets_items_of_the_block_their_history_is_in() -> None:
    model = als.fit(events(BLOCKS, 30, 12), 0.5, factors=4, regularization=0.1, iterations=10, alpha=5.0, seed=1)
    stranger, empty = model.score_catalogue(requests([0, 1], [], users=[29, 28]))
    assert stranger[2:5].min() > stranger[5:].max()
    assert not empty.any()
    assert not stranger[10:].any()


def test_without_any_event_every_score_is_zero() -> None:
    none = events([(0, 0)], 2, 3)
    empty = type(none)(none.user[:0], none.item[:0], none.intensity[:0], none.time[:0], 2, 3)
    model = als.fit(empty, 0.5, factors=2, regularization=0.1, iterations=1, alpha=1.0, seed=1)
    np.testing.assert_array_equal(model.score_catalogue(requests([0])), np.zeros((1, 3)))


def test_a_weak_event_is_confidence_below_that_of_a_relevant_one_by_hand() -> None:
    """One user of two items: with c = alpha · log(1 + weight), u solves (YᵀCY + λI) u = YᵀC p."""
    log = replace(events([(0, 0), (0, 1)], 1, 2), intensity=np.array([1.0, 0.25], np.float32))
    model = als.fit(log, 0.5, factors=1, regularization=0.3, iterations=5, alpha=2.0, seed=1, weak_evidence=0.8)
    y = model.item_factors[:, 0].astype(float)
    confidence = 2.0 * np.log1p([1.0, 0.8 * 0.25 / 0.5])  # implicit takes these as given where p = 1, and 1 elsewhere
    user = confidence @ y / (y @ y + (confidence - 1) @ y**2 + 0.3)
    score = model.score_catalogue(requests([0, 1], intensity=[1.0, 0.25]))
    np.testing.assert_allclose(score[0], user * y, rtol=1e-4)


def test_an_item_without_factors_gets_those_that_implicit_computes() -> None:
    rng = np.random.default_rng(0)
    pairs = [(user, int(item)) for user in range(12) for item in rng.choice(6, 3, replace=False)]
    model = als.fit(events(pairs, 12, 6), 0.5, 3, 0.1, 5, 4.0, seed=1)
    after = events([*pairs, *((user, 7) for user in range(0, 12, 2)), (1, 6), (1, 6)], 12, 8)
    grown = als.follow(model, after, np.zeros(0, np.int64))
    assert grown.warm_items.tolist() == list(range(8))
    np.testing.assert_array_equal(grown.item_factors[:6], model.item_factors)

    own = sparse.csr_matrix((np.ones(len(pairs), np.float32), np.transpose(pairs)), shape=(12, 6)).log1p()
    oracle = AlternatingLeastSquares(factors=3, regularization=0.1, alpha=4.0, num_threads=1)
    oracle.item_factors = model.item_factors
    oracle.user_factors = oracle.recalculate_user(np.arange(12), own)
    oracle._XtX = model.user_gram
    users = sparse.csr_matrix(np.log1p([[0, 2, *[0] * 10], [1, 0] * 6], dtype=np.float32))
    np.testing.assert_allclose(grown.item_factors[6:], oracle.recalculate_item([6, 7], users), rtol=1e-3)


@pytest.mark.parametrize("factors", [1, 17, 64])
def test_the_number_of_threads_changes_no_bit(factors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(factors)
    pairs = [(int(u), int(i)) for u, i in zip(rng.integers(0, 300, 3000), rng.integers(0, 200, 3000), strict=True)]
    found = []
    for threads in (1, 2, 5):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, number=threads: set(range(number)))
        found.append(als.fit(events(pairs, 300, 200), 0.5, factors, 0.1, 3, 4.0, seed=1))
    for other in found[1:]:
        np.testing.assert_array_equal(other.item_factors, found[0].item_factors)
        np.testing.assert_array_equal(other.user_gram, found[0].user_gram)


def test_the_gram_matrix_is_that_of_the_users_who_fit_the_items() -> None:
    rng = np.random.default_rng(0)
    pairs = [(user, int(item)) for user in range(30) for item in rng.choice(8, 4, replace=False)]
    model = als.fit(events(pairs, 30, 8), 0.5, 2, 0.1, 200, 2.0, seed=1)
    own = sparse.csr_matrix((np.ones(len(pairs), np.float32), np.transpose(pairs)), shape=(30, 8)).log1p()
    users = model.fold_in(own)
    np.testing.assert_allclose(model.user_gram, users.T @ users, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("alpha", [1.0, 16.0])
def test_users_are_folded_in_as_implicit_does(alpha: float) -> None:
    rng = np.random.default_rng(3)
    pairs = zip(rng.integers(0, 40, 300), rng.integers(0, 30, 300), strict=True)
    log = events([(int(user), int(item)) for user, item in pairs], 40, 33)
    model = als.fit(log, 0.5, factors=7, regularization=0.1, iterations=4, alpha=alpha, seed=1)
    asked = requests([0, 3, 3, 9], [], [31, 32], [5], list(range(30)))
    other = AlternatingLeastSquares(factors=7, regularization=0.1, alpha=alpha, num_threads=1)
    other.item_factors = model.item_factors
    seen = history_matrix(asked, model.event_weights, 33)[:, model.warm_items].log1p().tocsr()
    expected = other.recalculate_user(np.arange(5), seen) @ model.item_factors.T
    found = model.score_catalogue(asked)
    np.testing.assert_allclose(found[:, model.warm_items], expected, rtol=1e-4, atol=1e-5)
    assert not found[1:3].any()
