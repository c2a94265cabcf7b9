"""Popularity counts users."""

from dataclasses import replace

import numpy as np

from interestrec.scorers import popularity
from tests.scoring.asking import events


def test_one_heavy_user_makes_nothing_popular() -> None:
    score = popularity.fit(events([(0, 0)] * 9 + [(1, 1), (2, 1)], 3, 3), 0.5).score
    assert score[1] > score[0] > score[2] == 0


def test_a_weak_event_counts_by_its_intensity_by_hand() -> None:
    log = events([(0, 0), (1, 0), (1, 0), (2, 1)], 3, 3)
    graded = replace(log, intensity=np.array([1, 0.2, 0.4, 0.5], np.float32))
    score = popularity.fit(graded, 0.5, weak_evidence=0.5).score  # item 0: 1 + 0.5 · 0.4 / 0.5; item 1: 1; 3 users
    np.testing.assert_allclose(score, np.log1p(np.array([1.4, 1, 0]) * 1e4 / 3), rtol=1e-6)
    counted = popularity.fit(graded, 0.5).score  # 2 users
    np.testing.assert_allclose(counted, np.log1p(np.array([1, 1, 0]) * 1e4 / 2), rtol=1e-6)
