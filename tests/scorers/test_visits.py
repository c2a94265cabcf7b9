"""Visits by hand."""

import numpy as np

from interestrec.corpus.store import NO_TIME
from interestrec.scorers import visits

HOUR = 3_600_000_000


def test_a_visit_ends_before_a_longer_pause_and_with_its_owner() -> None:
    owner = np.array([0, 0, 0, 0, 1, 1])
    time = np.array([0, 2, 4, 7, 7, 8]) * HOUR
    assert visits.visit_numbers(owner, time, 2.0).tolist() == [0, 0, 0, 1, 2, 2]


def test_an_event_without_a_time_is_a_visit_of_its_own() -> None:
    time = np.array([NO_TIME, NO_TIME, 0, 0])
    assert visits.visit_numbers(np.zeros(4, np.int32), time, 2.0).tolist() == [0, 1, 2, 2]
    assert visits.visit_numbers(np.zeros(0, np.int32), time[:0], 2.0).tolist() == []


def test_the_first_of_each_key() -> None:
    found = visits.first_of_each(np.array([0, 0, 0, 1]), np.array([3, 3, 4, 4]))
    assert found.tolist() == [True, False, True, True]
