"""The weighted sum of standardised components."""

import numpy as np

from interestrec.scoring.decision import Decision, score_whole_catalogue
from interestrec.scoring.item_scores import ItemScores
from tests.scoring.asking import requests


def test_components_weigh_by_their_standardised_scores_whatever_their_units() -> None:
    small = ItemScores(np.array([0.0, 1.0, 2.0], np.float32) * 1e-3)
    large = ItemScores(np.array([2.0, 0.0, 1.0], np.float32) * 1e3)
    decision = Decision({"a": small, "b": large}, np.ones(2), np.array([1.0, 2.0]), np.ones(3, dtype=bool))
    score, parts = score_whole_catalogue(decision, requests([0]))
    step = np.sqrt(1.5)
    np.testing.assert_allclose(score[0] / step, [-1 + 2, 0 - 2, 1 + 0], atol=1e-5)
    np.testing.assert_array_equal(parts["b"][0], large.score)
