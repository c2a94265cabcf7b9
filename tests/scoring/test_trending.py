"""Trending counts the last days before the end of what it was fitted on."""

import numpy as np

from interestrec.corpus.store import NO_TIME
from interestrec.scoring import trending
from interestrec.scoring.requests import Events
from tests.scoring.asking import events


def test_only_the_window_counts_and_each_event_in_it() -> None:
    pairs, days = [(0, 0), (1, 0), (2, 0), (0, 1), (0, 1), (1, 2)], [1, 1, 2, 10, 11, 12]
    score = trending.fit(events(pairs, 3, 4, days=days), days=3).score
    assert score[1] > score[2] > score[0] == score[3] == 0


def test_events_without_a_time_are_left_out() -> None:
    known = events([(0, 0), (1, 1), (1, 1)], 2, 2, days=[5, 5, 5])
    nameless = Events(known.user, known.item, known.intensity, np.array([0, NO_TIME, NO_TIME]), 2, 2)
    score = trending.fit(nameless, days=1).score
    assert score[0] > score[1] == 0
    timeless = Events(known.user, known.item, known.intensity, np.full(3, NO_TIME), 2, 2)
    assert not trending.fit(timeless, days=1).score.any()
