"""What followed the items of the history, by hand and against a count of all pairs."""

import numpy as np
import pytest

from interestrec.core import follower_sums
from interestrec.scorers import covisit
from interestrec.scorers.requests import Events
from tests.scoring.asking import events, requests, split_candidates

DEFAULTS = {"window_days": 5.0, "following": 100, "neighbours": 100, "shrinkage": 2.0}


def fitted(log: Events, **settings: float | None) -> covisit.Covisit:
    return covisit.fit(log, 0.5, **{**DEFAULTS, **settings})  # type: ignore[arg-type]


def test_the_direction_and_the_window_by_hand() -> None:
    # item 1 follows item 0 twice; item 2 once within 5 days and once after 9
    log = events([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)], 2, 4, days=[0, 1, 2, 0, 4, 9])
    share = np.array([2, 2, 2, 0]) / 6
    score = fitted(log).score_catalogue(requests([0], [1], [2], []))
    np.testing.assert_allclose(score[0], (np.array([0, 2, 1, 0]) + 2 * share) / 5, rtol=1e-6)
    np.testing.assert_allclose(score[1], (np.array([0, 0, 2, 0]) + 2 * share) / 4, rtol=1e-6)
    np.testing.assert_allclose(score[2:], [share, share], rtol=1e-6)


def test_items_of_one_time_follow_each_other() -> None:
    log = events([(0, 0), (0, 1), (0, 1)], 1, 2, days=[3, 3, 3])
    score = fitted(log).score_catalogue(requests([0], [1]))
    np.testing.assert_allclose(score[:, ::-1], [[(2 + 2 * 2 / 3) / 4, 2 / 3 / 4], [2 * 2 / 3 / 4, (2 + 2 / 3) / 4]])


@pytest.mark.parametrize("pairs", [1, 50, 1 << 20])
@pytest.mark.parametrize("seed", range(3))
def test_against_a_count_of_all_pairs(seed: int, pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_sums, "_PAIRS", pairs)
    rng = np.random.default_rng(seed)
    user, item, day = rng.integers(0, 5, 60), rng.integers(0, 8, 60), rng.integers(0, 20, 60)
    log = events(list(zip(user.tolist(), item.tolist(), strict=True)), 5, 9, days=day.tolist())
    recent = 2.0 ** ((day - day.max()) / 10)
    count = np.zeros((9, 9))
    for a in range(60):
        for b in range(60):
            if a != b and user[a] == user[b] and 0 <= day[b] - day[a] <= 5 and item[a] != item[b]:
                count[item[a], item[b]] += recent[b]
    share = np.bincount(item, recent, minlength=9) / recent.sum()
    p = (count + 2 * share) / (count.sum(axis=1, keepdims=True) + 2)
    weight = np.array([2.0**-2, 1.0])
    expected = (weight / weight.sum()) @ p[[3, 5]]
    model = fitted(log, half_life=10.0, history_half_life=4.0)
    np.testing.assert_allclose(model.score_catalogue(requests([3, 5], days=[0, 8]))[0], expected, rtol=1e-5)


def test_an_event_counts_few_followers_and_an_item_keeps_few() -> None:
    log = events([(0, 0), (0, 1), (0, 2), (0, 3)], 1, 4, days=[0, 1, 2, 3])
    assert fitted(log, following=2).followers[[0]].indices.tolist() == [1, 2]
    assert fitted(log, neighbours=1).followers[[0]].indices.tolist() == [1]


def test_without_times_the_items_of_a_user_follow_each_other() -> None:
    log = events([(0, 0), (0, 1), (1, 2)], 2, 3, days=[None] * 3)
    score = fitted(log).score_candidates(requests([0], days=[None]), *split_candidates([[1, 2]]))
    assert score[0] > score[1] > 0


def test_entries_below_relevance_do_not_count() -> None:
    log = events([(0, 0), (0, 1)], 1, 2)
    np.testing.assert_allclose(fitted(log).score_catalogue(requests([0], intensity=[0.4])), [[0.5, 0.5]])
