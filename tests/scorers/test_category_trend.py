"""The trend by the categories of the history, by hand and against its formula."""

import numpy as np
import pytest

from interestrec.scorers import category_trend, trending
from tests.scoring.asking import events, requests, split_candidates

# items 0 and 1 are tea, 2 is coffee, 3 has no category; 4 is tea, 5 cocoa, and neither has events
CATEGORIES = ["tea", "tea", "coffee", None, "tea", "cocoa"]
LOG = events([(0, 0), (1, 0), (2, 1), (0, 2), (1, 2), (2, 2), (3, 2), (3, 3)], 4, 6)


def fitted(**settings: float | None) -> category_trend.CategoryTrend:
    values = {"half_life": 7.0, "smoothing": 2.0, "strength": 1.0, **settings}
    return category_trend.fit(LOG, 0.5, CATEGORIES, **values)  # type: ignore[arg-type]


def test_the_share_of_the_category_by_hand() -> None:
    # T = tea 3/8, coffee 4/8, none 1/8; history: tea twice, coffee once, k = 2
    score = fitted().score_catalogue(requests([0, 1, 2]))[0]
    tea, coffee, none = (2 + 2 * 3 / 8) / 5, (1 + 2 * 4 / 8) / 5, (2 * 1 / 8) / 5
    lifts = np.log([tea / (3 / 8), tea / (3 / 8), coffee / (4 / 8), none / (1 / 8)])
    trend = np.log1p(np.array([2, 1, 4, 1]) / 8 * 1e4)
    np.testing.assert_allclose(score[:4], trend + lifts, rtol=1e-6)
    assert score[4] == pytest.approx(lifts[0]), "an item without events is ranked by its category"
    assert score[5] == pytest.approx(np.log(2 / 5)), "nothing is known of cocoa but the smoothing"


def test_the_user_shares_add_up_to_1_and_multiply_the_trend_within_the_category() -> None:
    model = fitted()
    lift = np.exp(model.score_catalogue(requests([0, 2, 2]))[0] - model.trend)
    share = np.array([2, 1, 4, 1]) / 8
    assert (lift[:4] * share).sum() == pytest.approx(1.0)


def test_without_a_history_or_without_categories_it_is_the_trend() -> None:
    trend = trending.fit(LOG, 0.5, 7.0).score
    empty = fitted().score_catalogue(requests([], [0], intensity=[0.4]))
    np.testing.assert_array_equal(empty, [trend, trend])
    neutral = category_trend.fit(LOG, 0.5, [None] * 6, 7.0, 2.0, 1.0)
    np.testing.assert_allclose(neutral.score_catalogue(requests([0, 1], [2]))[:, :4], [trend[:4]] * 2, rtol=1e-6)


def test_a_category_may_be_the_empty_text() -> None:
    with_text = category_trend.fit(LOG, 0.5, ["tea", "tea", "coffee", "", "tea", "cocoa"], 7.0, 2.0, 1.0)
    asked = requests([3], [0, 3])
    np.testing.assert_array_equal(with_text.score_catalogue(asked), fitted().score_catalogue(asked))


def test_an_entry_a_half_life_older_than_the_latest_counts_half() -> None:
    model = fitted(history_half_life=3.0)
    lift = model.score_catalogue(requests([0, 2], days=[7, 10]))[0] - model.trend
    assert lift[0] == pytest.approx(np.log((0.5 + 2 * 3 / 8) / 3.5 / (3 / 8)), rel=1e-5)
    assert lift[2] == pytest.approx(np.log((1 + 2 * 4 / 8) / 3.5 / (4 / 8)), rel=1e-5)


def test_without_strength_it_is_the_trend_and_with_more_it_is_personal() -> None:
    asked = requests([2, 2])
    assert (fitted(strength=0.0).score_catalogue(asked)[0] == trending.fit(LOG, 0.5, 7.0).score).all()
    weak, strong = (fitted(strength=value).score_catalogue(asked)[0] for value in (0.5, 1.0))
    trend = fitted().trend
    np.testing.assert_allclose(strong - trend, 2 * (weak - trend), rtol=1e-4, atol=1e-6)


def test_without_times_only_the_categories_rank() -> None:
    log = events([(0, 0), (1, 2)], 2, 6, days=[None, None])
    model = category_trend.fit(log, 0.5, CATEGORIES, 7.0, 2.0, 1.0)
    score = model.score_candidates(requests([0], days=[None]), *split_candidates([[0, 1, 2]]))
    assert score[0] == score[1] > score[2]
