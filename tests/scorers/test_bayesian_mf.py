"""Bayesian factors find tastes, for new users and items too, and nothing where there is nothing to find."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from interestrec.scorers import bayesian_mf, bias, mf
from interestrec.scorers.bayesian_mf import BayesianFactors
from interestrec.scorers.requests import Labels
from interestrec.scorers.variational_factors import Vectors
from tests.scoring.asking import labels, requests, split_candidates

USERS, ITEMS = 42, 26  # users 40 and 41 and items 24 and 25 have no labels
PARITY = np.where(np.arange(ITEMS) % 2 == 0, 1.0, -1.0)
TEXT = np.stack([PARITY, -PARITY, np.ones(ITEMS)], axis=1).astype(np.float32)  # tells the kinds of items apart
ATTRIBUTES = [pa.chunked_array([["even", "odd"] * (USERS // 2)])]  # tell the kinds of users apart


def two_tastes(share: float = 0.6) -> Labels:
    """Users rate items of their own parity 0.9 and others 0.2, with some noise."""
    rng = np.random.default_rng(2)
    pairs = [(u, i) for u in range(40) for i in range(24) if rng.random() < share]
    return labels([(u, i, (0.9 if u % 2 == i % 2 else 0.2) + rng.uniform(-0.1, 0.1)) for u, i in pairs], USERS, ITEMS)


def fit(log: Labels, **changes: Any) -> BayesianFactors:
    arguments = {
        "text_vectors": np.zeros((ITEMS, 3), np.float32),
        "user_attributes": [],
        "histories_are_labels": True,
        "factors": 3,
        "iterations": 30,
        "seed": 1,
    }
    return bayesian_mf.fit(log, **{**arguments, **changes})


def test_tastes_are_found_and_new_users_are_folded_in_from_graded_histories() -> None:
    model = fit(two_tastes())
    likes_even = [0.9, 0.2, 0.9, 0.2, 0.9, 0.2]
    asked = requests(
        [], [], [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5], users=[0, 1, 40, 41],
        intensity=[*likes_even, *(1.1 - value for value in likes_even)],
    )  # fmt: skip
    score = model.score_catalogue(asked)
    for row, own in ((0, 0), (1, 1), (2, 0), (3, 1)):
        assert score[row, own:24:2].min() > 0.7 > 0.4 > score[row, 1 - own : 24 : 2].max(), row


def test_a_history_is_folded_in_as_by_hand() -> None:
    model = BayesianFactors(
        mean=0.5,
        scale=0.2,
        noise=4.0,
        user=np.array([[0.1], [0.3]]),  # biases alone
        labelled=np.array([True, False]),
        unknown=np.array([0.3]),
        item=Vectors(np.array([[0.5], [-0.5]]), np.zeros((2, 1))),
        occurrence=np.array([[0.4], [0.2]]),
        centre=np.array([0.1]),
        precision=np.array([[2.0]]),
        histories_are_labels=True,
        new_item=Vectors(np.zeros((1, 1)), np.zeros((1, 1))),
    )
    score = model.score_catalogue(requests([0, 1], [], [0], users=[1, 1, 0], intensity=[0.9, 0.5, 1.0]))
    prior = 0.3 - 0.1 + (0.4 + 0.2) / np.sqrt(2)
    bias = (2 * prior + 4 * ((2.0 - 0.5) + (0.0 + 0.5))) / (2 + 2 * 4)  # the labels are 2 and 0 standard deviations
    np.testing.assert_allclose(score[:, 0], [0.5 + 0.2 * (bias + 0.5), 0.5 + 0.2 * 0.8, 0.5 + 0.2 * 0.6], rtol=1e-6)


def test_a_user_who_left_is_folded_in_almost_as_if_fitted() -> None:
    log = two_tastes()
    gone = log.user == 6
    others = Labels(log.user[~gone], log.item[~gone], log.label[~gone], USERS, ITEMS)
    history = requests(log.item[gone].tolist(), users=[6], intensity=log.label[gone].tolist())
    folded, fitted = fit(others).score_catalogue(history), fit(log).score_catalogue(history)
    np.testing.assert_allclose(folded[0, :24], fitted[0, :24], atol=0.05)


def test_the_history_of_a_user_with_labels_and_one_that_has_none_change_nothing() -> None:
    log = two_tastes()
    told = requests([0, 1], [0, 1], users=[3, 40], intensity=[1.0, 0.0, 1.0, 0.0])
    silent = told.without_history()
    model, apart = fit(log), fit(log, histories_are_labels=False)
    np.testing.assert_array_equal(model.score_catalogue(told)[0], model.score_catalogue(silent)[0])
    assert np.abs(model.score_catalogue(told)[1] - model.score_catalogue(silent)[1]).max() > 0.1
    np.testing.assert_array_equal(apart.score_catalogue(told), apart.score_catalogue(silent))


def test_new_items_are_known_by_text_and_new_users_by_attributes() -> None:
    log = two_tastes()
    plain = fit(log).score_catalogue(requests([], [], users=[0, 40]))
    informed = fit(log, text_vectors=TEXT, user_attributes=ATTRIBUTES).score_catalogue(requests([], [], users=[0, 40]))
    assert abs(plain[0, 24] - plain[0, 25]) < 0.05
    assert informed[0, 24] > 0.7 > 0.4 > informed[0, 25]
    assert np.abs(plain[1, :24:2].mean() - plain[1, 1:24:2].mean()) < 0.1
    assert informed[1, :24:2].min() > 0.7 > 0.4 > informed[1, 1:24:2].max()


def held_out(log: Labels, seed: int) -> tuple[Labels, Labels]:
    test = np.random.default_rng(seed).random(len(log.label)) < 0.2
    first, second = (Labels(log.user[m], log.item[m], log.label[m], USERS, ITEMS) for m in (~test, test))
    return first, second


def rmse(scorer: Any, log: Labels) -> float:
    asked = requests(*[[] for _ in log.user], users=log.user.tolist())
    score = scorer.score_candidates(asked, *split_candidates([[item] for item in log.item]))
    return float(np.sqrt(((score - log.label) ** 2).mean()))


def test_sparse_tastes_are_found_better_than_by_least_squares() -> None:
    train, test = held_out(two_tastes(share=0.25), 1)
    assert rmse(fit(train, factors=8), test) < 0.9 * rmse(mf.fit(train, 8, 0.05, 10, 3.0, 3.0, seed=1), test)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_permuted_labels_gain_nothing_and_lose_little(seed: int) -> None:
    log = two_tastes()
    log = replace(log, label=np.random.default_rng(seed).permutation(log.label))
    train, test = held_out(log, seed)
    constant = float(np.sqrt(((train.label.mean() - test.label) ** 2).mean()))
    assert 0.97 * constant < rmse(fit(train, text_vectors=TEXT, user_attributes=ATTRIBUTES), test) < 1.06 * constant
    assert rmse(fit(train), test) < rmse(bias.fit(train, 0.1, 0.1), test)


def test_equal_labels_and_none_are_predicted_as_they_are() -> None:
    asked = requests([0, 1], [], users=[40, 3], intensity=[0.3, 0.9])
    np.testing.assert_allclose(fit(labels([(0, 1, 0.7), (3, 2, 0.7)], USERS, ITEMS)).score_catalogue(asked), 0.7)
    assert not fit(labels([], USERS, ITEMS)).score_catalogue(asked).any()
    few = fit(labels([(0, 1, 0.7), (3, 2, 0.3)], USERS, ITEMS)).score_catalogue(asked)
    assert np.isfinite(few).all()
    assert np.abs(few - 0.5).max() < 0.3
