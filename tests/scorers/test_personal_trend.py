"""The trend among the neighbours of the history, by hand and against dense algebra."""

import numpy as np
import pytest

from interestrec.scorers import personal_trend, trending
from interestrec.scorers.requests import Events
from tests.scoring.asking import events, requests, split_candidates

DEFAULTS = {"half_life": 5.0, "neighbours": 100, "shrinkage": 2.0, "lift": 1.0, "text": 0.0}


def fitted(log: Events, vectors: np.ndarray | None = None, **settings: float | None) -> personal_trend.PersonalTrend:
    texts = np.zeros((log.n_items, 2), np.float32) if vectors is None else vectors.astype(np.float32)
    return personal_trend.fit(log, 0.5, texts, **{**DEFAULTS, **settings})  # type: ignore[arg-type]


def random_log(seed: int) -> Events:
    rng = np.random.default_rng(seed)
    pairs = [(int(u), int(i)) for u, i in zip(rng.integers(0, 12, 80), rng.integers(0, 9, 80), strict=True)]
    return events(pairs, 12, 10, days=(rng.random(80) * 20).tolist())


def test_the_trend_among_the_users_of_an_item_by_hand() -> None:
    # users 0 and 1 have item 0; user 0 had item 1 now, user 1 had item 2 a half-life ago, user 2 had item 2 now
    log = events([(0, 0), (1, 0), (0, 1), (1, 2), (2, 2)], 3, 4, days=[5, 5, 10, 5, 10])
    # recencies: item 0 1/2 + 1/2, item 1 1, item 2 1/2 + 1; shares 2/7, 2/7, 3/7
    model = fitted(log)
    lift1 = np.log1p(1 / np.sqrt(2) / (2 * 2 / 7))
    lift2 = np.log1p(0.5 / np.sqrt(2) / (2 * 3 / 7))
    trend = np.log1p(np.array([2, 2, 3, 0]) / 7 * 1e4)
    score = model.score_catalogue(requests([0]))[0]
    np.testing.assert_allclose(score, trend + np.array([0, lift1, lift2, 0]) / 2, rtol=1e-6)


def test_without_a_history_it_is_exactly_the_trend() -> None:
    log = random_log(1)
    vectors = np.random.default_rng(2).normal(size=(10, 3))
    score = fitted(log, vectors, text=2.0).score_catalogue(requests([], [3], intensity=[0.4]))
    np.testing.assert_array_equal(score, [trending.fit(log, 0.5, 5.0).score] * 2)


def test_a_history_that_is_no_ones_else_leaves_the_trend() -> None:
    log = events([(0, 0), (1, 1), (2, 1)], 3, 3)
    score = fitted(log).score_catalogue(requests([0], [2]))
    np.testing.assert_array_equal(score, [trending.fit(log, 0.5, 5.0).score] * 2)


@pytest.mark.parametrize("seed", range(5))
def test_all_parts_against_dense_algebra(seed: int) -> None:
    log, rng = random_log(seed), np.random.default_rng(seed)
    vectors = rng.normal(size=(10, 4))
    vectors[8] = 0
    model = fitted(log, vectors, lift=0.7, text=1.3, history_half_life=4.0)

    age = (log.time.max() - log.time) / 86_400_000_000
    lately, users = np.zeros((12, 10)), np.zeros((12, 10))
    np.maximum.at(lately, (log.user, log.item), 2 ** (-age / 5))
    users[log.user, log.item] = 1
    near = (users / np.sqrt(np.maximum(users.sum(axis=1, keepdims=True), 1))).T @ lately
    np.fill_diagonal(near, 0)
    share = lately.sum(axis=0) / lately.sum()
    lift = np.log1p(np.divide(near, 2 * share, out=np.zeros_like(near), where=share > 0))
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(length > 0, length, 1)
    everyone = np.bincount(log.item, minlength=10) @ unit / len(log.item)

    asked = requests([1, 4, 7], [9, 8], days=[1, 5, 9, 2, 6])
    weight = np.zeros((2, 10))
    weight[0, [1, 4, 7]] = 2.0 ** (-np.array([8, 4, 0]) / 4)
    weight[1, [9, 8]] = 2.0 ** (-np.array([4, 0]) / 4)
    weight /= weight.sum(axis=1, keepdims=True) + 1
    texts = (weight @ unit - weight.sum(axis=1, keepdims=True) * everyone) @ unit.T
    expected = trending.fit(log, 0.5, 5.0).score + 0.7 * weight @ lift + 1.3 * texts
    np.testing.assert_allclose(model.score_catalogue(asked), expected, rtol=1e-4, atol=1e-5)


def test_a_new_item_is_ranked_by_its_text() -> None:
    log = events([(0, 0), (1, 1)], 2, 4)
    vectors = np.array([[1, 0], [0, 1], [0.9, 0.1], [0.1, 0.9]])
    score = fitted(log, vectors, text=1.0).score_catalogue(requests([0], [1]))
    assert score[0, 2] > score[0, 3]
    assert score[1, 2] < score[1, 3]


def test_each_item_keeps_its_most_lifted_items() -> None:
    log = random_log(3)
    every, few = (fitted(log, neighbours=count).lifts.toarray() for count in (100, 2))
    for whole, kept in zip(every, few, strict=True):
        best = np.lexsort((np.arange(10), -whole))[:2]
        assert set(np.flatnonzero(kept)) == {n for n in best if whole[n] > 0}
        np.testing.assert_array_equal(kept[best], whole[best])


def test_without_times_the_users_of_the_history_rank() -> None:
    log = events([(0, 0), (0, 1), (1, 2)], 2, 3, days=[None] * 3)
    score = fitted(log).score_candidates(requests([0], days=[None]), *split_candidates([[1, 2]]))
    assert score[0] > score[1] == 0
