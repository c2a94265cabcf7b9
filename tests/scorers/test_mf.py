"""Biased factors find what biases cannot say, and solve each user's and item's ridge regression."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from interestrec.scorers import bias, mf
from interestrec.scorers.requests import Labels
from tests.scoring.asking import labels, requests, split_candidates


def two_tastes() -> Labels:
    rng = np.random.default_rng(2)
    pairs = [(u, i) for u in range(20) for i in range(12) if rng.random() < 0.7]
    return labels([(u, i, 0.9 if u % 2 == i % 2 else 0.2) for u, i in pairs], 22, 14)


def test_tastes_are_found_and_strangers_get_the_biases() -> None:
    log = two_tastes()
    model = mf.fit(log, 3, 0.001, 20, 1.0, 1.0, seed=1)
    score = model.score_catalogue(requests([], [], [], users=[0, 1, 21]))
    assert score[0, 0:12:2].min() > 0.8 > 0.3 > score[0, 1:12:2].max()
    assert score[1, 1:12:2].min() > 0.8 > 0.3 > score[1, 0:12:2].max()
    biases = bias.fit(log, 1.0, 1.0).score_catalogue(requests([], [], users=[21, 0]))
    np.testing.assert_array_equal(score[2], biases[0])
    np.testing.assert_array_equal(score[:2, 13], bias.fit(log, 1.0, 1.0).score_catalogue(requests([], []))[:, 13])


def test_each_item_solves_its_own_ridge_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    log = two_tastes()
    model = mf.fit(log, 3, 0.05, 4, 1.0, 1.0, seed=7)
    left = log.label - model.biases.predict_pairs(log.user, log.item)
    for item in range(12):
        rows = log.item == item
        ridge = Ridge(alpha=0.05 * rows.sum(), fit_intercept=False)
        expected = ridge.fit(model.user[log.user[rows]], left[rows]).coef_
        np.testing.assert_allclose(model.item[item], expected, atol=1e-8)
    monkeypatch.setattr(mf, "_CELLS", 1)
    parts = mf.fit(log, 3, 0.05, 4, 1.0, 1.0, seed=7)
    np.testing.assert_allclose(parts.item, model.item, atol=1e-12)


def test_candidates_get_the_catalogues_scores_and_a_second_fit_the_same() -> None:
    model, again = (mf.fit(two_tastes(), 3, 0.01, 3, 1.0, 1.0, seed=5) for _ in range(2))
    asked = requests([], [], [], users=[3, 21, 0])
    whole = model.score_catalogue(asked)
    np.testing.assert_array_equal(again.score_catalogue(asked), whole)
    lists = [[13, 0], [2, 2], [5]]
    expected = [whole[row, item] for row, items in enumerate(lists) for item in items]
    np.testing.assert_allclose(model.score_candidates(asked, *split_candidates(lists)), expected, rtol=1e-6)


def test_without_labels_every_intensity_is_0() -> None:
    model = mf.fit(labels([], 2, 3), 2, 0.1, 2, 1.0, 1.0, seed=1)
    assert not model.score_catalogue(requests([])).any()
