"""Loss of quality by 8-bit weights, by hand."""

import numpy as np
import pytest

from interestrec.exporting.quantisation_loss import list_ndcg, quantisation_loss


def test_ndcg_of_lists_by_hand() -> None:
    lists = np.array([[4, 7, 1], [2, -1, -1], [3, 5, 6]])
    request, item = np.array([0, 0, 2]), np.array([7, 9, 3])
    found = list_ndcg(lists, request, item)
    ideal = 1 + 1 / np.log2(3)
    assert found[0] == pytest.approx(1 / np.log2(3) / ideal)
    assert np.isnan(found[1])  # nothing is relevant
    assert found[2] == 1


def test_loss_is_relative_and_over_users_with_truth() -> None:
    loss = quantisation_loss(np.array([0.5, np.nan, 0.3]), np.array([0.4, np.nan, 0.3]), seed=1)
    assert (loss.users, loss.before, loss.after) == (2, 0.4, pytest.approx(0.35))
    assert loss.loss == pytest.approx(0.125)
    assert loss.low == pytest.approx(0.0) and loss.high == pytest.approx(0.2)  # all draws of one user


def test_equal_lists_lose_nothing() -> None:
    values = np.random.default_rng(0).random(50)
    loss = quantisation_loss(values, values, seed=1)
    assert (loss.loss, loss.low, loss.high) == (0, 0, 0)
