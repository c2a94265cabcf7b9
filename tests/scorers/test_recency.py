"""Weights of what is past, by hand."""

import numpy as np

from interestrec.scorers import recency
from tests.scoring.asking import events, requests


def test_history_entries_halve_from_the_latest_of_their_own_request() -> None:
    asked = requests([0, 1, 2], [], [3], [4, 5], [6, 7], days=[1, 8, 15, 2, None, None, None, 30])
    expected = [0.25, 0.5, 1, 1, 1, 1, 1, 1]
    np.testing.assert_allclose(recency.history_recency(asked, 7.0), expected, rtol=1e-12)
    np.testing.assert_array_equal(recency.history_recency(asked.block(1, 4), 7.0), [1, 1, 1])
    np.testing.assert_array_equal(recency.history_recency(asked.block(0, 1), None), [1, 1, 1])
    assert recency.history_recency(requests([], []), 7.0).shape == (0,)


def test_events_halve_from_the_latest_of_all() -> None:
    pairs = [(0, 0), (1, 0), (1, 1), (2, 1)]
    found = recency.event_recency(events(pairs, 3, 2, days=[0, 20, None, 10]), 10.0)
    np.testing.assert_allclose(found, [0.25, 1, 1, 0.5], rtol=1e-12)
    np.testing.assert_array_equal(recency.event_recency(events(pairs, 3, 2, days=[None] * 4), 10.0), np.ones(4))
    np.testing.assert_array_equal(recency.event_recency(events(pairs, 3, 2, days=[0, 20, None, 10]), None), np.ones(4))
