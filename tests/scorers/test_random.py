"""Chance that depends on ids alone."""

import numpy as np

from interestrec.scorers import random
from tests.scoring.asking import requests


def scores(users: list[str], items: list[str], seed: int) -> np.ndarray:
    scorer = random.fit(users, items, seed)
    return scorer.score_catalogue(requests(*[[] for _ in users]))


def test_numbering_does_not_matter_and_the_seed_does() -> None:
    users, items = [f"u{n}" for n in range(30)], [f"i{n}" for n in range(40)]
    forward, backward = scores(users, items, 1), scores(users[::-1], items[::-1], 1)
    np.testing.assert_array_equal(forward, backward[::-1, ::-1])
    assert not np.array_equal(forward, scores(users, items, 2))


def test_scores_are_uniform_and_uncorrelated_between_users() -> None:
    many = scores(["a", "b"], [f"i{n}" for n in range(20_000)], 5)
    assert abs(many.mean() - 0.5) < 0.01
    assert abs(np.quantile(many, 0.9) - 0.9) < 0.01
    assert abs(np.corrcoef(many)[0, 1]) < 0.03
