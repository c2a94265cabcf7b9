"""Items of the most similar sessions, by hand and against loops over sessions."""

import numpy as np
import pytest

from interestrec.scorers import session_knn
from interestrec.scorers.requests import Events
from tests.scoring.asking import events, requests, split_candidates

DEFAULTS = {"pause_hours": 12.0, "neighbours": 100, "latest": 100}


def fitted(log: Events, **settings: float | None) -> session_knn.SessionKnn:
    return session_knn.fit(log, 0.5, **{**DEFAULTS, **settings})  # type: ignore[arg-type]


def test_the_items_of_a_similar_session_by_hand() -> None:
    # sessions: {0, 1} and {2} of user 0, {0, 2} of user 1
    log = events([(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)], 2, 4, days=[0, 0.25, 10, 10, 10])
    rare = np.log1p(3 / np.array([2, 1, 2]))
    score = fitted(log, half_life=10.0).score_catalogue(requests([0], [1, 2], [3], []))
    old, new = 0.5 ** (9.75 / 10) / np.sqrt(2), 1 / np.sqrt(2)
    np.testing.assert_allclose(score[0, :3], rare * [old + new, old, new], rtol=1e-6)
    both = np.array([old + new, old, new + 1]) / np.sqrt(2)  # the history has the length √2
    np.testing.assert_allclose(score[1, :3], rare * both, rtol=1e-6)
    assert not score[2:].any()
    assert not score[:, 3].any()


def brute_force(log: Events, history: list[int], days: list[float], steps: float, count: int) -> np.ndarray:
    day = log.time / 86_400_000_000
    sessions = []
    for user in range(log.n_users):
        mine = np.flatnonzero(log.user == user)
        mine = mine[np.argsort(day[mine], kind="stable")]
        start = 0
        for n in range(1, len(mine) + 1):
            if n == len(mine) or day[mine[n]] - day[mine[n - 1]] > 0.5:
                sessions.append(mine[start:n])
                start = n
    weight = {}
    for item, at in zip(history, days, strict=True):
        weight[item] = max(weight.get(item, 0), 2 ** (-(max(days) - at) / 3))
    length = np.sqrt(sum(value**2 for value in weight.values()))
    found = []
    for rows in sessions:
        times = np.unique(day[rows])
        step = {int(log.item[row]): int(np.searchsorted(times, day[row])) for row in rows}
        similar = sum(weight.get(item, 0) for item in step) / length / np.sqrt(len(step))
        similar *= 2 ** (-(day.max() - times[-1]) / 20)
        if similar > 0:
            shared = max((weight.get(item, 0), at) for item, at in step.items())[1]
            found.append((similar, {item: 2 ** (-abs(at - shared) / steps) for item, at in step.items()}))
    found.sort(key=lambda pair: -pair[0])
    score = np.zeros(log.n_items)
    for similar, items in found[:count]:
        for item, close in items.items():
            score[item] += similar * close
    frequency = np.bincount([i for rows in sessions for i in set(log.item[rows].tolist())], minlength=log.n_items)
    return score * np.log1p(np.divide(len(sessions), frequency, out=np.zeros(log.n_items), where=frequency > 0))


@pytest.mark.parametrize("count", [3, 100])
@pytest.mark.parametrize("entries", [1, 1 << 20])
@pytest.mark.parametrize("seed", range(3))
def test_against_loops_over_sessions(seed: int, entries: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_knn, "_ENTRIES", entries)
    rng = np.random.default_rng(seed)
    user, item, days = rng.integers(0, 9, 90), rng.integers(0, 12, 90), rng.random(90) * 12
    log = events(list(zip(user.tolist(), item.tolist(), strict=True)), 9, 13, days=days.tolist())
    model = fitted(log, neighbours=count, half_life=20.0, history_half_life=3.0, step_decay=1.5)
    histories, at = [[3, 4, 3], [7], [1, 2, 5, 6]], [[0.5, 1.0, 2.5], [0.0], [1.0, 2.0, 3.0, 5.0]]
    asked = requests(*histories, days=[day for each in at for day in each])
    expected = [brute_force(log, *pair, 1.5, count) for pair in zip(histories, at, strict=True)]
    np.testing.assert_allclose(model.score_catalogue(asked), expected, rtol=1e-5, atol=1e-7)


def test_only_the_latest_sessions_of_an_item_are_neighbours() -> None:
    log = events([(0, 0), (0, 1), (1, 0), (1, 2)], 2, 3, days=[5, 5, 9, 9])
    score = fitted(log, latest=1).score_catalogue(requests([0]))[0]
    assert score[2] > score[1] == 0


def test_the_order_of_users_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 9, 90), rng.integers(0, 6, 90)
    asked = requests([0, 1], [4])
    first, second = (
        fitted(events(list(zip(users.tolist(), item.tolist(), strict=True)), 9, 6), neighbours=3)
        for users in (user, 8 - user)
    )
    np.testing.assert_array_equal(first.score_catalogue(asked), second.score_catalogue(asked))


def test_without_times_a_user_is_a_session() -> None:
    log = events([(0, 0), (0, 1), (1, 2)], 2, 3, days=[None] * 3)
    score = fitted(log, step_decay=1.0).score_candidates(requests([0], days=[None]), *split_candidates([[1, 2]]))
    assert score[0] > score[1] == 0


def test_entries_below_relevance_do_not_count() -> None:
    log = events([(0, 0), (0, 1)], 1, 2)
    assert not fitted(log).score_catalogue(requests([0], intensity=[0.4])).any()
