"""Category shares and price levels by hand, and against loops."""

import numpy as np
import pyarrow as pa
import pytest

from interestrec.corpus.history_features import category_share, log_prices, relative_price


def test_the_share_of_a_history_in_a_category() -> None:
    category = np.array([5, 5, 7, -1, 9], np.int32)
    history = np.array([[0, 1, 2, 3], [4, 0, 0, 0], [3, 0, 0, 0], [0, 0, 0, 0]])
    present = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], bool)
    candidates = np.tile(np.arange(5), (4, 1))
    found = category_share(history, present, candidates, category)
    assert found.dtype == np.float32
    assert found.tolist() == [[0.5, 0.5, 0.25, 0, 0], [0, 0, 0, 0, 1], [0] * 5, [0] * 5]


def test_the_price_beside_those_of_the_history() -> None:
    price = log_prices(pa.chunked_array([[2.0, 8.0, None, 0.0, -3.0]]))
    np.testing.assert_allclose(price, [np.log(2), np.log(8), np.nan, np.nan, np.nan], rtol=1e-6)
    history, present = np.array([[0, 1, 2], [2, 0, 0]]), np.array([[1, 1, 1], [1, 0, 0]], bool)
    ratio, known = relative_price(history, present, np.array([[0, 1, 2, 3]] * 2), price)
    np.testing.assert_allclose(ratio, [[-np.log(2), np.log(2), 0, 0], [0, 0, 0, 0]], rtol=1e-6)
    assert known.tolist() == [[True, True, False, False], [False] * 4]
    assert ratio.dtype == np.float32


@pytest.mark.parametrize("seed", range(5))
def test_against_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    category = rng.integers(-1, 6, 40).astype(np.int32)
    price = np.where(rng.random(40) < 0.3, np.nan, rng.normal(size=40)).astype(np.float32)
    history, candidates = rng.integers(0, 40, (9, 7)), rng.integers(0, 40, (9, 11))
    present = rng.random((9, 7)) < 0.6
    present[0] = False
    share = category_share(history, present, candidates, category)
    ratio, known = relative_price(history, present, candidates, price)
    for r in range(9):
        mine = history[r][present[r]]
        priced = [float(price[i]) for i in mine if not np.isnan(price[i])]
        for c in range(11):
            code, own = category[candidates[r, c]], price[candidates[r, c]]
            same = sum(category[i] == code for i in mine) if code >= 0 else 0
            assert share[r, c] == pytest.approx(same / max(len(mine), 1))
            assert known[r, c] == (bool(priced) and not np.isnan(own))
            assert ratio[r, c] == pytest.approx(own - np.mean(priced) if known[r, c] else 0, abs=1e-6)


def test_nobody_and_no_category() -> None:
    none = np.zeros((0, 3), int)
    assert category_share(none, none.astype(bool), none, np.array([1], np.int32)).shape == (0, 3)
    one = np.zeros((1, 1), int)
    assert category_share(one, one == 0, one, np.array([-1], np.int32)).tolist() == [[0]]
