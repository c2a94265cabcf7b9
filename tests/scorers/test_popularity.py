"""Popularity counts users."""

from interestrec.scorers import popularity
from tests.scoring.asking import events


def test_one_heavy_user_makes_nothing_popular() -> None:
    score = popularity.fit(events([(0, 0)] * 9 + [(1, 1), (2, 1)], 3, 3)).score
    assert score[1] > score[0] > score[2] == 0
