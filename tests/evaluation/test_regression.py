"""A report against an earlier one."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from interestrec.evaluation import regression
from interestrec.evaluation.regression import ReportValues
from interestrec.io import files, report_schemas

AUC, RMSE = ("impressions", "auc"), ("intensity", "rmse")
N = 400


def users(values: np.ndarray, n: np.ndarray | None = None, first: int = 0) -> ReportValues:
    names = pa.array([f"u{number}" for number in range(first, first + len(values))])
    return ReportValues(names, values, np.ones(len(values)) if n is None else n)


def change(
    new: ReportValues, old: ReportValues, key: regression.MetricKey = AUC, paired: bool = True
) -> regression.MetricChange:
    (found,) = regression.metric_changes({key: new}, {key: old}, [key], paired, 400, seed=1)
    return found


def test_a_fall_within_the_noise_passes_and_one_beyond_it_does_not() -> None:
    rng = np.random.default_rng(0)
    old = rng.random(N)
    noise = rng.normal(size=N)
    noise -= noise.mean()
    for fall, worse in ((0.002, False), (0.05, True), (-0.05, False)):
        found = change(users(old - fall + 0.1 * noise), users(old))
        half = 1.96 * 0.1 * noise.std() / np.sqrt(N)
        assert found.new - found.old == pytest.approx(-fall)
        assert [found.ci_low, found.ci_high] == pytest.approx([-fall - half, -fall + half], abs=0.002)
        assert found.worse is worse
    # What pairing finds, two groups of users do not tell apart.
    apart = change(users(old - 0.02 + 0.1 * noise), users(old, first=N), paired=False)
    assert not apart.worse
    assert not apart.paired
    half = 1.96 * np.sqrt(2 * old.var() / N)
    assert apart.ci_high - apart.ci_low == pytest.approx(2 * half, rel=0.15)
    assert change(users(old - 0.02 + 0.1 * noise), users(old)).worse


def test_only_users_whom_both_have_are_paired_whatever_their_order() -> None:
    new = ReportValues(pa.array(["c", "x", "a"]), np.array([0.5, 9.0, 1.0]), np.array([1.0, 5.0, 3.0]))
    old = ReportValues(pa.array(["a", "b", "c"]), np.array([0.9, 9.0, 0.1]), np.array([3.0, 5.0, 1.0]))
    found = change(new, old)
    assert (found.new, found.old) == (pytest.approx((3 + 0.5) / 4), pytest.approx((2.7 + 0.1) / 4))
    assert found.users == (2, 2)
    values, order = np.random.default_rng(1).random(N), np.random.default_rng(2).permutation(N)
    ordered = users(values)
    same = change(ReportValues(ordered.user_id.take(pa.array(order)), values[order], np.ones(N)), ordered)
    assert [same.ci_low, same.ci_high] == pytest.approx([0, 0])


def test_a_larger_error_is_worse_and_roots_are_taken_of_mean_squares() -> None:
    old, n = np.linspace(0.1, 0.3, N), np.arange(N) % 3 + 1.0
    found = change(users(old + 0.1, n), users(old, n), RMSE)
    assert found.old == pytest.approx(np.sqrt((old**2 * n).sum() / n.sum()))
    assert found.worse
    assert not change(users(old, n), users(old + 0.1, n), RMSE).worse


def test_sentences_tell_difference_interval_and_users() -> None:
    rng = np.random.default_rng(2)
    old = rng.random(N)
    new = {AUC: users(old - 0.1 + 0.3 * rng.random(N)), RMSE: users(old)}
    found = regression.metric_changes(new, {AUC: users(old), RMSE: users(old)}, [AUC, RMSE], True, 200, seed=1)
    assert not any(one.worse for one in found)
    (fallen,) = regression.metric_changes({AUC: users(old - 0.1)}, {AUC: users(old)}, [AUC], True, 200, seed=1)
    apart = change(users(old), users(old, first=1), paired=False)
    sentences = [finding.sentence for finding in regression.regression_findings([fallen, apart], "before")]
    assert sentences[0] == (
        f"quality fell: auc (impressions) {old.mean() - 0.1:.4f} against {old.mean():.4f} of before "
        "(difference -0.1000, 95 % interval -0.1000 to -0.1000, 400 users paired)"
    )
    assert sentences[1].startswith("no evidence of a fall: auc (impressions)")
    assert sentences[1].endswith("users of two corpora, 400 and 400, not paired)")


def test_a_handful_of_users_is_said_to_be_few() -> None:
    few = change(users(np.zeros(4)), users(np.ones(4)))
    (finding,) = regression.regression_findings([few], "before")
    assert finding.sentence.endswith("4 users paired, too few for a reliable interval)")


def test_headlines_of_protocols_that_both_have_and_what_is_named() -> None:
    one, other = users(np.ones(2)), users(np.ones(2), first=5)
    new = {AUC: one, ("catalogue", "rr"): one, ("catalogue", "ndcg@5"): one, ("beyond", "novelty"): one, RMSE: one}
    old = {key: one for key in new if key != RMSE}
    named = [("beyond", "novelty"), ("intensity", "ece"), AUC]
    able, unable = regression.compare_reports(new, old, named, paired=True)
    assert able == [AUC, ("catalogue", "rr"), ("beyond", "novelty")]  # without ndcg@10, the first of the catalogue
    assert unable == [("intensity", "ece")]
    assert regression.compare_reports({AUC: one}, {AUC: other}, [], paired=True) == ([], [AUC])
    assert regression.compare_reports({AUC: one}, {AUC: other}, [], paired=False) == ([AUC], [])


def test_rows_of_one_system_are_read_without_those_that_have_no_value(tmp_path: Path) -> None:
    rows = [
        ("interestrec", "impressions", "u0", "auc", 0.5, 2),
        ("random", "impressions", "u0", "auc", 0.1, 2),
        ("interestrec", "impressions", "u1", "auc", float("nan"), 1),
        ("interestrec", "intensity", "u1", "rmse", 0.25, 3),
    ]
    columns = zip(report_schemas.PER_USER.names, zip(*rows, strict=True), strict=True)
    table = pa.table({name: list(column) for name, column in columns})
    files.write_parquet(tmp_path / "per_user.parquet", table, report_schemas.PER_USER)
    found = regression.read_report_values(tmp_path / "per_user.parquet", "interestrec")
    assert {key: (one.user_id.to_pylist(), one.value.tolist(), one.n.tolist()) for key, one in found.items()} == {
        AUC: (["u0"], [0.5], [2]),
        RMSE: (["u1"], [0.25], [3]),
    }
