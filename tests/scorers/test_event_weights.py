"""Weights of events by hand: relevant ones count fully, others by their intensity."""

import numpy as np
import pytest

from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.interactions import event_matrix, event_recency_matrix
from tests.scoring.asking import events

INTENSITY = np.array([0.0, 0.2, 0.4, 0.5, 1.0], np.float32)


@pytest.mark.parametrize(
    ("weak", "expected"), [(0.0, [0, 0, 0, 1, 1]), (0.5, [0, 0.2, 0.4, 1, 1]), (1.0, [0, 0.4, 0.8, 1, 1])]
)
def test_weak_events_weigh_in_proportion_to_their_intensity(weak: float, expected: list[float]) -> None:
    np.testing.assert_allclose(EventWeights(0.5, weak).weigh(INTENSITY), expected, rtol=1e-6)


def test_where_every_positive_intensity_is_relevant_all_weigh_alike() -> None:
    weight = EventWeights(float(np.finfo(np.float32).tiny), 0.7).weigh(INTENSITY)
    assert weight.tolist() == [0, 1, 1, 1, 1]


def test_rows_of_users_depend_on_their_events_alone() -> None:
    """Users 0 and 2 change places, and user 1 has no events."""
    log, days = [(0, 1), (0, 3), (0, 3), (2, 0)], [1.0, 2.0, 5.0, 3.0]
    swapped, swapped_days = [(0, 0), (2, 1), (2, 3), (2, 3)], [3.0, 1.0, 2.0, 5.0]
    one, other = events(log, 3, 4, days), events(swapped, 3, 4, swapped_days)
    totals, again = (event_matrix(each, np.ones(4)).toarray() for each in (one, other))
    assert sorted(totals.tolist()) == [[0, 1, 0, 2], [1, 0, 0, 0]]
    np.testing.assert_array_equal(totals, again)
    weights = (np.array([0.5, 1.0, 0.25, 1.0]), np.array([1.0, 0.5, 1.0, 0.25]))
    highest, again = (
        event_recency_matrix(each, weight, 3.0).toarray() for each, weight in zip((one, other), weights, strict=True)
    )
    expected = [[0, 0.5 * 2 ** (-4 / 3), 0, 0.5], [2 ** (-2 / 3), 0, 0, 0]]
    np.testing.assert_allclose(sorted(highest.tolist()), sorted(expected))
    np.testing.assert_array_equal(highest, again)
