"""Cosine to the history's weighted mean."""

import numpy as np
import pytest

from interestrec.scorers import content
from tests.scoring.asking import requests

VECTORS = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 3.0], [0.0, 0.0]], dtype=np.float32)


def test_cosine_to_the_intensity_weighted_mean_by_hand() -> None:
    score = content.fit(VECTORS).score_catalogue(requests([0, 1], intensity=[1.0, 0.5]))[0]
    length = np.sqrt(1.25)
    assert score.tolist() == pytest.approx([1 / length, 0.5 / length, 1.5 / length / np.sqrt(2), 0.0])


def test_an_empty_history_ties_everything() -> None:
    assert not content.fit(VECTORS).score_catalogue(requests([])).any()
