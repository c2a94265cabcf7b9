"""Mean and biases by hand and against a linear solver."""

import numpy as np
import pytest

from interestrec.scorers import bias, mean_intensity
from tests.scoring.asking import labels, requests, split_candidates


def test_the_mean_says_the_same_of_everything() -> None:
    score = mean_intensity.fit(labels([(0, 0, 1.0), (0, 1, 0.0), (1, 1, 0.5)], 2, 3))
    np.testing.assert_allclose(score.score_catalogue(requests([0], [])), np.full((2, 3), 0.5))
    assert not mean_intensity.fit(labels([], 2, 3)).score.any()


def test_one_users_biases_by_hand() -> None:
    # μ = 0.6; without a user's bias (λ_u enormous) an item's is its deviation over 1 + λ_i
    model = bias.fit(labels([(0, 0, 0.9), (0, 1, 0.3)], 2, 3), 1e12, 0.5)
    score = model.score_catalogue(requests([], [], users=[0, 1]))
    np.testing.assert_allclose(score, [[0.8, 0.4, 0.6]] * 2, rtol=1e-6)


def test_biases_solve_the_normal_equations() -> None:
    rng = np.random.default_rng(1)
    log = [(int(u), int(i), float(r)) for u, i, r in zip(*rng.integers(0, 6, (2, 40)), rng.random(40), strict=True)]
    rows = np.zeros((40, 12))
    rows[np.arange(40), [u for u, _, _ in log]] = 1
    rows[np.arange(40), [6 + i for _, i, _ in log]] = 1
    label = np.array([r for _, _, r in log], dtype=np.float32).astype(np.float64)
    ridge = np.diag([2.0] * 6 + [0.5] * 6)
    expected = np.linalg.solve(rows.T @ rows + ridge, rows.T @ (label - label.mean()))
    model = bias.fit(labels(log, 8, 7), 2.0, 0.5)
    np.testing.assert_allclose(model.user[:6], expected[:6], atol=1e-5)
    np.testing.assert_allclose(model.item[:6], expected[6:], atol=1e-5)
    assert not model.user[6:].any()
    assert not model.item[6:].any()


def test_intensities_stay_within_0_and_1_and_candidates_get_the_catalogues() -> None:
    model = bias.fit(labels([(0, 0, 1.0), (0, 1, 1.0), (1, 0, 1.0), (1, 2, 0.0), (2, 2, 0.0)], 4, 4), 0.0, 0.0)
    asked = requests([], [], [], [], users=[0, 3, 2, 1])
    whole = model.score_catalogue(asked)
    assert whole.min() == 0
    assert whole.max() == 1
    lists = [[3, 0], [2], [], [1, 1, 3]]
    expected = [whole[row, item] for row, items in enumerate(lists) for item in items]
    assert model.score_candidates(asked, *split_candidates(lists)).tolist() == pytest.approx(expected)
