"""Means and differences of policies by hand, and what chance must not be taken for."""

import numpy as np
import pyarrow as pa
import pytest

from interestrec.io.report_schemas import REPLAY_SCORES
from interestrec.learning.replay_statistics import ReplayScores, policy_sentences, replay_rows, withhold_small


def table(users: list[int], values: np.ndarray | list[float]) -> pa.Table:
    column = pa.array(np.asarray(values, np.float64))
    return pa.table([pa.array(users), column, column, column], schema=REPLAY_SCORES)


def scores(*windows: dict[str, pa.Table], users: int = 500) -> ReplayScores:
    return ReplayScores(windows, pa.array([f"u{n}" for n in range(users)]))


TWO = scores(
    {"refit": table([0, 1], [1.0, 0.0]), "frozen": table([0, 1], [0.5, 0.0])},
    {"refit": table([1, 2, 3, 4], [1.0, 1.0, 0.0, 0.0]), "frozen": table([1, 2, 3, 4], [0.0, 0.0, 0.0, 0.0])},
)


def test_every_window_counts_the_same_in_a_mean() -> None:
    metrics, comparisons = replay_rows(TWO, "refit", 200, 1)
    value = {(row["window"], row["policy"]): row["value"] for row in metrics if row["metric"] == "ndcg@10"}
    assert value == pytest.approx(
        {
            (1, "refit"): 0.5,
            (1, "frozen"): 0.25,
            (2, "refit"): 0.5,
            (2, "frozen"): 0.0,
            (None, "refit"): 0.5,
            (None, "frozen"): 0.125,
        }
    )
    difference = {row["window"]: row["difference"] for row in comparisons if row["metric"] == "ndcg@10"}
    assert difference == pytest.approx({None: 0.375, 1: 0.25, 2: 0.5})
    assert {(row["policy_a"], row["policy_b"]) for row in comparisons} == {("refit", "frozen")}
    assert {row["n"] for row in metrics if row["window"] is None} == {6}


def test_a_user_of_several_windows_is_one_user() -> None:
    """With the same people in every window, ten windows tell no more of people than one does."""
    rng = np.random.default_rng(0)
    people = list(range(40))
    values, others = rng.random(40), rng.random(40)
    window = {"refit": table(people, values), "frozen": table(people, others)}
    one, ten = (replay_rows(scores(*[window] * n), "refit", 300, 3) for n in (1, 10))
    for rows in zip(one[0][:2], ten[0][:2], strict=True):
        assert rows[0]["ci_low"] == pytest.approx(rows[1]["ci_low"])
        assert rows[0]["ci_high"] == pytest.approx(rows[1]["ci_high"])
    assert one[1][0]["p"] == pytest.approx(ten[1][0]["p"])


def test_equal_policies_do_not_differ_and_a_lasting_difference_does() -> None:
    rng = np.random.default_rng(1)
    people = list(range(200))
    base = [rng.random(200) for _ in range(3)]
    same = scores(
        *({"refit": table(people, v), "update": table(people, v), "frozen": table(people, v - 0.1)} for v in base)
    )
    metrics, comparisons = replay_rows(same, "refit", 300, 1)
    by_name = {row["policy_b"]: row for row in comparisons if row["window"] is None and row["metric"] == "ndcg@10"}
    assert by_name["update"]["p_holm"] == 1
    assert by_name["frozen"]["ci_low"] > 0
    assert policy_sentences(metrics, comparisons)[0].startswith("No evidence that refit and update differ")
    assert policy_sentences(metrics, comparisons)[1].startswith("refit is better than frozen")


def test_a_seed_gives_the_same_rows() -> None:
    assert replay_rows(TWO, "refit", 50, 7) == replay_rows(TWO, "refit", 50, 7)


def test_values_of_few_users_are_withheld() -> None:
    metrics, comparisons = replay_rows(TWO, "refit", 50, 1)
    shown, compared = withhold_small(metrics, comparisons, 4)
    assert [row["value"] is None for row in shown] == [row["window"] == 1 for row in shown]
    assert {row["window"] for row in compared} == {None, 2}
    assert withhold_small(metrics, comparisons, 1) == (metrics, comparisons)
