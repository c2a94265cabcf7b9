"""Value maps by hand, and against other implementations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from interestrec.corpus.preprocess_settings import ValueMapSettings
from interestrec.corpus.value_maps import MAPS
from tests.corpus.logs import value_map
from tests.examples import examples


def mapped(chosen: ValueMapSettings, train: list[float], values: list[float]) -> list[float]:
    entry = MAPS[chosen.map]
    return entry.apply(np.array(values), **entry.fit(chosen, np.array(train))).tolist()


def test_linear() -> None:
    chosen = value_map("linear", low=1.0, high=5.0)
    assert mapped(chosen, [2.0], [1.0, 2.0, 4.0, 5.0]) == [0.0, 0.25, 0.75, 1.0]
    assert MAPS[chosen.map].limits(chosen) == (1.0, 5.0)


def test_log_with_a_top() -> None:
    # log2 of 1, 2, 4, 8, 16 over log2(8) = 3
    chosen = value_map("log", high=7.0)
    assert mapped(chosen, [100.0], [0.0, 1.0, 3.0, 7.0, 15.0]) == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    assert MAPS[chosen.map].limits(chosen) == (0.0, np.inf)


def test_log_tops_at_the_99_percent_quantile_of_train() -> None:
    # of 0, 1, …, 100 that is 99; log(1 + 9) / log(1 + 99) = 1/2
    train = [float(n) for n in range(101)]
    assert MAPS["log"].fit(value_map("log"), np.array(train)) == {"high": 99.0}
    assert mapped(value_map("log"), train, [9.0, 99.0, 100.0]) == pytest.approx([0.5, 1.0, 1.0])


@pytest.mark.parametrize("train", [[], [0.0, 0.0]])
def test_log_without_a_value_to_go_by(train: list[float]) -> None:
    # a top of 1: log(2) / log(2)
    assert mapped(value_map("log"), train, [0.0, 1.0, 9.0]) == [0.0, 1.0, 1.0]


def test_quantile_is_the_share_below_with_half_of_the_equal_ones() -> None:
    # 10: 1 equal, (0 + 1/2)/4; 20: 1 below, 2 equal, (1 + 1)/4; 40: 3 below, 1 equal, (3 + 1/2)/4; 30: between
    found = mapped(value_map("quantile"), [20.0, 10.0, 40.0, 20.0], [10.0, 20.0, 40.0, 30.0, 0.0, 99.0])
    assert found == [0.125, 0.5, 0.875, 0.6875, 0.125, 0.875]


def test_quantile_of_nothing_is_the_middle() -> None:
    assert mapped(value_map("quantile"), [], [-1.0, 7.0]) == [0.5, 0.5]


@examples(50)
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=60))
def test_quantile_is_the_mean_percentile_of_scipy(train: list[int]) -> None:
    # the mean of the strict and the weak percentile of each train value
    expected = [stats.percentileofscore(train, value, "mean") / 100 for value in train]
    values = [float(value) for value in train]
    assert mapped(value_map("quantile"), values, values) == pytest.approx(expected)


def test_quantile_of_many_values_keeps_few_knots() -> None:
    train = np.random.default_rng(0).permutation(10_000).astype(float)
    parameters = MAPS["quantile"].fit(value_map("quantile"), train)
    assert len(parameters["knots"]) == 1000
    values = np.linspace(0, 9999, 321)
    found = MAPS["quantile"].apply(values, **parameters)
    assert np.abs(found - values / 10_000).max() < 1e-3


def test_threshold_is_the_share_of_steps_reached() -> None:
    chosen = value_map("threshold", thresholds=[10.0, 30.0, 60.0, 120.0])
    assert mapped(chosen, [], [9.9, 10.0, 59.0, 60.0, 500.0]) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert MAPS[chosen.map].limits(chosen) == (-np.inf, np.inf)


@examples(50)
@given(
    st.sampled_from(
        [
            value_map("log"),
            value_map("quantile"),
            value_map("threshold", thresholds=[1.0, 5.0]),
        ]
    ),
    st.lists(st.floats(0, 1e6), max_size=30),
    st.lists(st.floats(0, 1e6), min_size=1, max_size=30),
)
def test_more_is_never_less_and_all_is_within_bounds(
    chosen: ValueMapSettings, train: list[float], values: list[float]
) -> None:
    found = mapped(chosen, train, sorted(values))
    assert found == sorted(found)
    assert 0 <= found[0] <= found[-1] <= 1
