"""Own earlier items by hand, and against a walk through every user's visits."""

from itertools import pairwise

import numpy as np
import pytest

from interestrec.scorers import repeat
from tests.scoring.asking import events, requests, split_candidates

CELLS = 40


def cell(count: int, age: float, interval: float) -> int:
    by_count = min(int(np.log2(count)), 4)
    by_age = 0 if age == 0 else sum(age / interval >= bound for bound in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4)) + 1
    return by_count * 8 + by_age


def test_an_item_bought_every_week_comes_again_and_one_bought_once_does_not() -> None:
    # user 0 buys item 0 about every week and, once, item 1
    log = events([(0, 0)] * 4 + [(0, 1)], 1, 3, days=[0, 7, 14, 22, 7])
    model = repeat.fit(log, 0.5, 12.0, 1.0, 1.0)
    day = 86_400_000_000
    week = (7 * 7 * 8) ** (1 / 3)
    np.testing.assert_allclose(model.interval / day, [week] * 3, rtol=1e-6)
    # visits predicted: day 7 from item 0 (again); 14 from 0 (2 visits, again) and 1 (not); 22 from 0 (3, again) and 1
    rate = model.rate
    assert rate[cell(1, 0, week)] == pytest.approx((1 + 1 / 3) / (2 + 1)), "item 0 at day 7, item 1 at day 14"
    assert rate[cell(2, 0, week)] == pytest.approx((2 + 2 / 4) / (2 + 1))
    assert rate[cell(1, 7, week)] == pytest.approx((0 + 1 / 3) / (1 + 1)), "item 1 at day 22, a week before day 14"
    expected = rate[cell(1, 0, week)] + 2 * rate[cell(2, 0, week)]
    assert model.factor[0] == pytest.approx((3 + 1) / (expected + 1))
    score = model.score_catalogue(requests([0, 1, 0], days=[0, 7, 7]))[0]
    assert score[0] == pytest.approx(rate[cell(2, 0, week)] * model.factor[0])
    assert score[1] == pytest.approx(rate[cell(1, 0, week)] * model.factor[1])
    assert score[2] == 0


@pytest.mark.parametrize("rows", [1, 7, 1 << 20])
@pytest.mark.parametrize("seed", range(3))
def test_against_a_walk_through_the_visits(seed: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeat, "_ROWS", rows)
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, 6, 120), rng.integers(0, 7, 120)
    days = rng.integers(0, 25, 120).astype(float)
    log = events(list(zip(user.tolist(), item.tolist(), strict=True)), 6, 8, days=days.tolist())
    model = repeat.fit(log, 0.5, 12.0, 2.0, 3.0)

    gaps: dict[int, list[float]] = {n: [] for n in range(8)}
    for u in range(6):
        for i in range(8):
            gaps[i] += np.log(np.diff(np.unique(days[(user == u) & (item == i)])) * 86_400_000_000).tolist()
    mean = np.mean([gap for each in gaps.values() for gap in each])
    interval = [np.exp((sum(gaps[i]) + 3 * mean) / (len(gaps[i]) + 3)) / 86_400_000_000 for i in range(8)]
    np.testing.assert_allclose(model.interval / 86_400_000_000, interval)

    seen, again = np.zeros((8, CELLS)), np.zeros((8, CELLS))
    for u in range(6):
        visits = np.unique(days[user == u])
        for before, at in pairwise(visits):
            for i in range(8):
                mine = np.unique(days[(user == u) & (item == i) & (days < at)])
                if len(mine):
                    where = cell(len(mine), before - mine[-1], interval[i])
                    seen[i, where] += 1
                    again[i, where] += ((user == u) & (item == i) & (days == at)).any()
    prior = np.repeat(np.array([1, 2, 4, 8, 16]) / np.array([3, 4, 6, 10, 18]), 8)
    rate = (again.sum(axis=0) + prior) / (seen.sum(axis=0) + 1)
    np.testing.assert_allclose(model.rate, rate)
    np.testing.assert_allclose(model.factor, (again.sum(axis=1) + 2) / (seen @ rate + 2))


def test_a_pause_divides_visits_and_repeated_lines_do_not() -> None:
    log = events([(0, 0), (0, 0), (0, 1), (0, 0)], 1, 2, days=[0, 0.25, 0.5, 3])
    one, other = (repeat.fit(log, 0.5, hours, 1.0, 1.0) for hours in (12.0, 5.0))
    asked = requests([0, 0, 1], days=[0, 0.25, 0.5])
    assert one.score_catalogue(asked)[0, 0] == pytest.approx(one.rate[cell(1, 0, 1)] * one.factor[0])
    assert other.score_catalogue(asked)[0, 0] == pytest.approx(
        other.rate[cell(2, 0.25, (0.25 * 2.75) ** 0.5)] * other.factor[0]
    )


def test_entries_below_relevance_do_not_count() -> None:
    model = repeat.fit(events([(0, 0), (0, 0)], 1, 2, days=[0, 3]), 0.5, 12.0, 1.0, 1.0)
    assert not model.score_catalogue(requests([0], intensity=[0.4])).any()


def test_without_times_what_was_taken_more_often_comes_first() -> None:
    log = events([(0, 0), (0, 0), (0, 1)], 1, 3, days=[None] * 3)
    model = repeat.fit(log, 0.5, 12.0, 1.0, 1.0)
    asked = requests([1, 0, 0], days=[None] * 3)
    score = model.score_candidates(asked, *split_candidates([[0, 1, 2]]))
    assert score[0] > score[1] > score[2] == 0
