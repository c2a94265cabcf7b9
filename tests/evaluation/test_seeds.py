"""Several seeds as one."""

import numpy as np
import pyarrow as pa
import pytest

from interestrec.evaluation import resampling, seeds, statistics
from interestrec.evaluation.metric_sums import MetricSums, PooledMetric
from interestrec.evaluation.protocols import ProtocolResult
from interestrec.metrics import intensity_errors

TWO = ["interestrec", "random"]


def cell(
    sums: list, counts: list, user: list[int], transform: intensity_errors.Transform = intensity_errors.identity
) -> MetricSums:
    """A cell of one seed, sums [users, systems] of one part or [users, systems, parts], counts [users, systems]."""
    dropped = np.zeros(2, dtype=np.int64)
    values = np.array(sums, dtype=float)
    values = values.reshape(*values.shape[:2], 1, -1)
    return MetricSums("p", "all", "m", np.array(user), values, np.array(counts, dtype=float), dropped, transform)


def merged(*cells: MetricSums) -> MetricSums:
    (found,) = seeds.average_seeds([ProtocolResult(cells=[one]) for one in cells]).cells
    return found


def test_a_mean_by_hand() -> None:
    counts = [[2, 2], [1, 1]]
    found = merged(cell([[2, 0], [0, 1]], counts, [0, 3]), cell([[1, 0], [1, 1]], counts, [0, 3]))
    assert found.value.tolist() == pytest.approx([2 / 3, 1 / 3])
    assert found.n.tolist() == [3, 3]
    assert found.seed_sd is not None
    assert found.seed_sd.tolist() == pytest.approx([0, 0])  # both seeds have 2/3 and 1/3
    rows = statistics.per_user_table([found], TWO, pa.array(["a", "b", "c", "d"])).to_pylist()
    ours = {row["user_id"]: (row["value"], row["n"]) for row in rows if row["system"] == "interestrec"}
    assert ours == {"a": (pytest.approx(0.75), 2), "d": (pytest.approx(0.5), 1)}


def test_the_value_is_the_mean_of_the_metric_also_where_it_is_no_mean_over_lists() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 4, (30, 1)).repeat(2, axis=1)
    for transform, parts in (
        (intensity_errors.identity, 1),
        (intensity_errors.square_root, 1),
        (intensity_errors.absolute_sum, 5),
    ):
        several = [
            cell(rng.random((30, 2, parts)) - 0.4 * (parts > 1), counts, list(range(30)), transform) for _ in "abc"
        ]
        found = merged(*several)
        values = np.array([one.value for one in several])
        np.testing.assert_allclose(found.value, values.mean(axis=0))
        np.testing.assert_allclose(found.seed_sd, values.std(axis=0, ddof=1))
        # The same draws of users, the mean taken behind the metric.
        drawn, *each = (resampling.resampled_values([one], 30, 40, seed=5)[0] for one in (found, *several))
        np.testing.assert_allclose(drawn, np.mean(each, axis=0))
        chance, *each = (resampling.randomisations([one], 0, [1], 30, 40, 5)[0] for one in (found, *several))
        np.testing.assert_allclose(chance.differences, np.mean([one.differences for one in each], axis=0))
        np.testing.assert_array_equal(chance.balance, each[0].balance)


def test_a_user_is_averaged_over_the_seeds_that_have_a_value() -> None:
    found = merged(cell([[1, 1], [3, 3]], [[1, 1], [2, 2]], [0, 1]), cell([[0.5, 2]], [[1, 1]], [1]))
    # user 0: seed 1 alone; user 1: means 1.5 and 0.5 of ours, 1.5 and 2 of the other's, weighing two lists
    assert found.user.tolist() == [0, 1]
    assert found.sums[:, :, 0, 0].tolist() == [[1, 1], [2, 3.5]]
    assert found.counts.tolist() == [[1, 1], [2, 2]]


def test_single_figures_and_what_one_seed_alone_has() -> None:
    def single(value: list[float], name: str = "gini") -> PooledMetric:
        return PooledMetric("beyond", "all", name, np.array(value), np.array([3, 3]), np.array([0, 0]), 3)

    first = ProtocolResult(pooled=[single([0.2, 0.4]), single([0, 0], "alone")], left_out={"p": {"a": 3}})
    found = seeds.average_seeds([first, ProtocolResult(pooled=[single([0.4, np.nan])], left_out={"q": {"b": 1}})])
    rows = statistics.metrics_rows([], [], found.pooled, TWO)
    assert [(row["metric"], row["value"]) for row in rows] == [("gini", pytest.approx(0.3)), ("gini", None)]
    assert [row["seed_sd"] for row in rows] == [pytest.approx(0.2 / np.sqrt(2)), None]
    assert found.left_out == {"p": {"a": 3}, "q": {"b": 1}}


def test_one_seed_stays_as_it_is() -> None:
    one = ProtocolResult(cells=[cell([[1, 0]], [[1, 1]], [0])])
    assert seeds.average_seeds([one]) is one
    drawn = resampling.resampled_values(one.cells, 1, 5, seed=1)
    assert {row["seed_sd"] for row in statistics.metrics_rows(one.cells, drawn, [], TWO)} == {None}
