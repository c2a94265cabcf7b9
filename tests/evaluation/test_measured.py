"""From lists to cells, resamples and tables."""

import itertools

import numpy as np
import pyarrow as pa
import pytest

from interestrec.evaluation import metric_sums, resampling, statistics
from interestrec.evaluation.beyond_accuracy import item_features
from interestrec.evaluation.intensity_metrics import IntensityRows
from interestrec.evaluation.list_metrics import ListTruth, SystemLists, rank_stored_lists, sub_lists
from interestrec.evaluation.metric_sums import MetricSums, list_metric_sums
from interestrec.evaluation.slices import Slice
from interestrec.metrics.intensity_errors import INTENSITY_ERRORS

FIRST = np.array([True, True, False, False, False])


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_sums, "MIN_LISTS", 2)


def listed(values: list[float], user: list[int], holds: list[list[bool]] | None = None) -> SystemLists:
    found = SystemLists(["m"])
    half = len(user) // 2
    for part in (slice(None, half), slice(half, None)):  # as from two blocks
        here = None if holds is None else np.array(holds)[part]
        found.add(np.array(user)[part], np.array([values])[:, part], here)
    return found


def by_name(found: list[MetricSums]) -> dict[str, MetricSums]:
    return {cell.slice: cell for cell in found}


def test_slices_by_users_and_by_relevant_items_are_means_over_their_lists() -> None:
    user = [0, 0, 1, 3, 4]
    holds = [[True], [False], [True], [True], [False]]
    systems = [listed([1, 2, np.nan, 4, 6], user, holds), listed([0, 0, np.nan, 0, 3], user, holds)]
    slices = [
        Slice("some", "users", FIRST),
        Slice("liked", "relevant", np.ones(3, dtype=bool)),
        Slice("everyone", "users", np.ones(5, dtype=bool)),
        Slice("few", "users", np.arange(5) == 3),
    ]
    sliced = list_metric_sums("impressions", systems, 5, slices)
    found = by_name(sliced.cells)
    assert found["all"].value.tolist() == [13 / 4, 3 / 4]
    assert found["some"].value.tolist() == [1.5, 0]
    assert found["liked"].value.tolist() == [2.5, 0]
    assert [found[name].n.tolist() for name in ("all", "some", "liked")] == [[4, 4], [2, 2], [2, 2]]
    assert [found[name].dropped.tolist() for name in ("all", "some", "liked")] == [[1, 1], [1, 1], [1, 1]]
    assert found["liked"].user.tolist() == [0, 1, 3]
    assert set(found) == {"all", "some", "liked"}  # not the slice of everything
    assert sliced.left_out == {"few": 1}


def test_comparisons_and_gaps_are_paired_over_the_draws() -> None:
    rng = np.random.default_rng(0)
    n = 600
    user = np.repeat(np.arange(n), 2)
    ours, other = rng.random(2 * n), rng.random(2 * n)
    slices = [Slice(f"s{part}", "users", np.arange(n) % 2 == part, "half") for part in (0, 1)]
    ours[user % 2 == 0] += 0.4
    systems = [listed(ours.tolist(), user.tolist()), listed((other + 0.1).tolist(), user.tolist())]
    found = list_metric_sums("impressions", systems, n, slices).cells
    drawn = resampling.resampled_values(found, n, 400, seed=1)
    rows = statistics.comparison_rows(found, ["interestrec", "b"], "interestrec", n, 400, seed=1)
    assert [row["slice"] for row in rows] == ["all", "s0", "s1"]
    difference = (ours - other - 0.1).reshape(n, 2).mean(axis=1)
    for row, chosen in zip(rows, (np.ones(n, dtype=bool), np.arange(n) % 2 == 0, np.arange(n) % 2 == 1), strict=True):
        here = difference[chosen]
        assert row["difference"] == pytest.approx(here.mean())
        half = 1.96 * here.std() / np.sqrt(len(here))
        assert [row["ci_low"], row["ci_high"]] == pytest.approx([here.mean() - half, here.mean() + half], abs=0.012)
        assert (row["p"] < 0.05) == (abs(here.mean()) > half)
    (gap,) = statistics.gap_rows(
        found, drawn, metric_sums.slices_by_family(slices), ["interestrec", "b"], "interestrec"
    )
    assert (gap["family"], gap["best"], gap["worst"]) == ("half", "s0", "s1")
    assert gap["gap"] == pytest.approx(gap["best_value"] - gap["worst_value"])
    assert 0.3 < gap["ci_low"] < gap["gap"] < gap["ci_high"] < 0.5


def test_intensity_sums_by_user_give_the_metrics_of_all_rows() -> None:
    rng = np.random.default_rng(3)
    n_users, n = 40, 900
    user = rng.integers(n_users, size=n)
    label, predicted = rng.integers(0, 5, n) / np.float32(4), rng.random(n).astype(np.float32)
    label[::7] = np.nan
    relevant = label >= 0.5
    names = ["rmse", "brier", "ece", "spearman"]
    rows = IntensityRows(names, n_users)
    for start in range(0, n, 100):
        part = slice(start, start + 100)
        rows.add(user[part], label[part], relevant[part], predicted[part])
    some = Slice("some", "users", np.arange(n_users) < 25)
    sliced, pooled = metric_sums.intensity_metric_sums(names, [rows.summed()], [some])
    known = ~np.isnan(label)
    found = {(cell.slice, cell.metric): cell for cell in sliced.cells}
    for name, chosen in (("all", known), ("some", known & (user < 25))):
        squared = (predicted - label)[chosen].astype(float) ** 2
        assert found[name, "rmse"].value[0] == pytest.approx(np.sqrt(squared.mean()))
        brier = INTENSITY_ERRORS["brier"].loss(relevant[chosen], predicted[chosen]).mean()
        assert found[name, "brier"].value[0] == pytest.approx(brier)
        assert found[name, "ece"].n.tolist() == [chosen.sum()]
    assert found["all", "rmse"].dropped.tolist() == [(~known).sum()]
    assert pooled[0].metric == "spearman"
    drawn = resampling.resampled_values(sliced.cells, n_users, 50, seed=2)
    for cell, values in zip(sliced.cells, drawn, strict=True):
        assert values.min() <= cell.value[0] * 1.05
        assert values.max() >= cell.value[0]
    per_user = statistics.per_user_table(sliced.cells, ["interestrec"], pa.array([f"u{k}" for k in range(n_users)]))
    frame = per_user.to_pandas().query("metric == 'rmse'")
    again = np.sqrt((frame["value"] ** 2 * frame["n"]).sum() / frame["n"].sum())
    assert again == pytest.approx(found["all", "rmse"].value[0])
    assert set(per_user["metric"].to_pylist()) == {"rmse", "brier"}


def test_a_metric_by_rows_and_by_lists_may_lack_any_value() -> None:
    nothing = IntensityRows(["mae", "ece", "spearman"], 3)
    sliced, pooled = metric_sums.intensity_metric_sums(nothing.names, [nothing.summed()], [])
    assert all(np.isnan(cell.value).all() for cell in sliced.cells)
    assert np.isnan(pooled[0].value).all()
    rows = statistics.metrics_rows(
        sliced.cells, resampling.resampled_values(sliced.cells, 3, 5, 0), pooled, ["interestrec"]
    )
    assert [(row["metric"], row["value"], row["ci_low"], row["n"]) for row in rows] == [
        ("mae", None, None, 0),
        ("ece", None, None, 0),
        ("spearman", None, None, 0),
    ]


def test_cut_lists_hold_what_the_truth_says() -> None:
    truth = ListTruth(np.array([0, 2, 2, 3]), np.array([4, 7, 1]), np.array([0.5, 1, 1]), np.array([False, True, True]))
    user, offsets = np.array([2, 0]), np.array([0, 2, 4])
    ranked = rank_stored_lists(user, offsets, np.array([1, 4, 7, 4]), np.array([2.0, 1, 2, 1]), truth, graded=True)
    assert ranked.total_relevant.tolist() == [1, 1]
    assert (ranked.block_list.tolist(), ranked.before.tolist()) == ([0, 1, 1], [0, 0, 1])
    assert ranked.gain.tolist() == [1, 1, 0.5]  # item 4 is no gain to user 2
    assert ranked.ideal_gain.tolist() == [1, 1, 0.5]


def test_lists_without_a_kept_row_are_gone() -> None:
    kept = np.array([True, False, False, True, True])
    user, offsets = sub_lists(np.array([5, 6, 7]), np.array([0, 2, 3, 5]), kept)
    assert (user.tolist(), offsets.tolist()) == ([5, 7], [0, 1, 3])


def test_features_are_title_tokens_and_the_parts_of_category_paths() -> None:
    tokens = pa.array([[3, 1, 3], [], [1]], pa.list_(pa.int32()))
    found = item_features(tokens, pa.chunked_array([pa.array(["news/uk", "news", None])])).toarray()
    assert found.tolist() == [[0, 1, 0, 1, 1, 1], [0, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, 0]]


def test_users_are_swapped_whole_and_balance_counts_their_lists() -> None:
    counts = np.array([[1.0, 1.0], [2.0, 2.0], [5.0, 5.0]])
    sums = (counts * np.array([1.0, 0.0]))[..., None, None]  # all of ours is right, nothing of the other's
    cell = MetricSums("p", "all", "m", np.arange(3), sums, counts, np.zeros(2, dtype=np.int64))
    (found,) = resampling.randomisations([cell], 0, [1], 3, 20, seed=1)
    np.testing.assert_allclose(found.differences[:, 0], found.balance)
    signs = {sum(sign * count for sign, count in zip(signs, (1, 2, 5), strict=True)) for signs in SIGNS}
    assert {round(8 * balance) for balance in found.balance.tolist()} <= signs


SIGNS = list(itertools.product([-1, 1], repeat=3))
