"""Trending counts events, the less the longer ago."""

import numpy as np

from interestrec.scorers import trending
from tests.scoring.asking import events


def test_an_event_counts_half_after_a_half_life_by_hand() -> None:
    # twice lately; thrice, two half-lives ago; once lately
    pairs, days = [(0, 0), (0, 0), (0, 1), (1, 1), (2, 1), (1, 2)], [10, 10, 4, 4, 4, 10]
    score = trending.fit(events(pairs, 3, 4, days=days), 0.5, half_life=3).score
    np.testing.assert_allclose(score, np.log1p(np.array([2, 0.75, 1, 0]) / 3.75 * 1e4), rtol=1e-6)


def test_events_without_a_time_are_left_out() -> None:
    score = trending.fit(events([(0, 0), (1, 1), (1, 1)], 2, 2, days=[5, None, None]), 0.5, half_life=1).score
    assert score[0] > score[1] == 0
    assert not trending.fit(events([(0, 0), (1, 1)], 2, 2, days=[None, None]), 0.5, half_life=1).score.any()
