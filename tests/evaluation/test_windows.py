"""Several test windows as one."""

import numpy as np
import pyarrow as pa
import pytest

from interestrec.evaluation.metric_sums import MetricSums, PooledMetric
from interestrec.evaluation.protocols import ProtocolResult
from interestrec.evaluation.windows import WindowResult, pool_windows, window_rows, window_sentence, window_verdicts
from interestrec.metrics import intensity_errors

SYSTEMS = ["interestrec", "ease"]


def cell(values: list[list[float]], user: list[int], name: str = "all", metric: str = "ndcg@10") -> MetricSums:
    """One list of each user; values [users, systems]."""
    sums = np.array(values, dtype=float)[:, :, None, None]
    return MetricSums("catalogue", name, metric, np.array(user), sums, np.ones(sums.shape[:2]), np.zeros(2, np.int64))


def window(ids: str, *cells: MetricSums, pooled: tuple[PooledMetric, ...] = (), systems: list[str] = SYSTEMS):
    return WindowResult(ProtocolResult(cells=list(cells), pooled=list(pooled)), systems, pa.array(list(ids)))


def test_every_window_counts_the_same_and_users_are_found_by_id() -> None:
    # Means of ours: 0.5 over two users, and 0.2 over one; their mean is 0.35, their standard deviation 0.3 / √2.
    pooled = pool_windows([window("ab", cell([[1, 0], [0, 0]], [0, 1])), window("cab", cell([[0.2, 0.4]], [1]))])
    (found,) = pooled.cells
    assert pooled.n_users == 3
    assert found.user.tolist() == [0, 1]
    assert found.value.tolist() == pytest.approx([0.35, 0.2])
    assert found.n.tolist() == [3, 3]
    # User a has a third of the three lists' weight as a half of window 1, and all of window 2: (1/2 + 1) × 3/2.
    assert found.counts[:, 0].tolist() == pytest.approx([2.25, 0.75])
    metrics, comparisons = window_rows(pooled, 100, seed=1)
    assert metrics[0]["window"] is None
    assert metrics[0]["window_sd"] == pytest.approx(0.3 / np.sqrt(2))
    assert comparisons[0]["difference"] == pytest.approx(0.15)


def test_a_slice_and_a_metric_count_in_the_windows_that_have_them() -> None:
    loss = cell([[0.25, 1.0]], [0], metric="rmse")
    loss = MetricSums(**{**vars(loss), "protocol": "intensity", "transform": intensity_errors.square_root})
    rank = PooledMetric("intensity", "all", "spearman", np.array([0.5, np.nan]), *np.ones((2, 2), np.int64), 2)
    first = window("a", cell([[1, 0]], [0]), cell([[0.5, 0]], [0], "new"), loss, pooled=(rank,))
    pooled = pool_windows([first, window("a", cell([[0, 0]], [0]))])
    assert {one.slice: one.value.tolist() for one in pooled.cells} == {"all": [0.5, 0], "new": [0.5, 0]}
    # A root and a rank correlation are no means over lists: the mean of their values, without an interval.
    assert {one.metric: one.value[0] for one in pooled.means} == {"rmse": 0.5, "spearman": 0.5}
    metrics, _ = window_rows(pooled, 100, seed=1)
    rows = {(row["metric"], row["slice"], row["system"]): row for row in metrics}
    assert rows["ndcg@10", "new", "interestrec"]["window_sd"] is None
    assert rows["rmse", "all", "interestrec"]["ci_low"] is None
    assert rows["spearman", "all", "ease"]["value"] is None


def test_only_the_systems_of_all_windows_are_compared() -> None:
    other = window("a", cell([[1, 0]], [0]), systems=["interestrec", "als"])
    assert pool_windows([window("a", cell([[1, 0]], [0])), other]).systems == ["interestrec"]


def test_one_window_is_the_report_itself() -> None:
    values = np.random.default_rng(0).random((40, 2)).tolist()
    (found,) = pool_windows([window("".join(map(chr, range(48, 88))), cell(values, list(range(40))))]).cells
    np.testing.assert_allclose(found.value, np.mean(values, axis=0))
    np.testing.assert_allclose(found.counts, 1)


def test_a_user_of_several_windows_is_swapped_as_a_whole() -> None:
    """Eight users with the same difference in four windows are eight pairs: the smallest p is 2 / 2⁸, not 2 / 2³²."""
    same = [window("abcdefgh", cell([[1, 0]] * 8, list(range(8)))) for _ in range(4)]
    _, ((row),) = window_rows(pool_windows(same), 4000, seed=1)
    assert row["p"] == pytest.approx(2 / 2**8, rel=0.5)
    apart = [window(name, cell([[1, 0]] * 8, list(range(8)))) for name in ("abcdefgh", "ijklmnop", "qrstuvwx")]
    _, ((row),) = window_rows(pool_windows(apart), 4000, seed=1)
    assert row["p"] == pytest.approx(1 / 4001)


def test_the_sentence_names_the_windows_in_which_ours_is_worse() -> None:
    ids = "abcdefghijklmnopqrstuvwxyz"
    better, worse = ([[*pair]] * 26 for pair in ((1, 0), (0, 0.2)))
    pooled = pool_windows([window(ids, cell(values, list(range(26)))) for values in (better, worse)])
    metrics, comparisons = window_rows(pooled, 999, seed=1)
    single = [{**comparisons[0], "window": 2, "difference": -0.2, "ci_low": -0.3, "ci_high": -0.1, "p_holm": 0.01}]
    verdict = window_verdicts(metrics, [*comparisons, *single], pooled)["catalogue"]
    assert verdict["against"][0] | {"p_holm": 0} == {
        "slice": "all",
        "system_b": "ease",
        "difference": pytest.approx(0.4),
        "ci_low": pytest.approx(0.4, abs=0.2),
        "ci_high": pytest.approx(0.4, abs=0.2),
        "p_holm": 0,
        "word": "better",
        "better_in": [],
        "worse_in": [2],
    }
    sentence = window_sentence(verdict, 2)
    assert sentence.startswith("Over 2 windows: interestrec is better than ease")
    assert sentence.endswith("interestrec is significantly worse than ease in window 2.")
