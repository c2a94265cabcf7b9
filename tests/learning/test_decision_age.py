"""The advice on how often to refit: each of its sentences from figures that call for it."""

from typing import Any

import pytest

from interestrec.learning.decision_age import age_rows, age_sentence, chosen_age


def rows(*losses: tuple[float, float | None, float | None]) -> list[dict[str, Any]]:
    """Ages 1, 2, 4 … with their losses and intervals, of the value 0.5."""
    first = {"every": 1, "value": 0.5, "loss": None, "ci_low": None, "ci_high": None}
    others = [
        {"every": 2**n, "value": 0.5 * (1 - loss), "loss": loss, "ci_low": low, "ci_high": high}
        for n, (loss, low, high) in enumerate(losses, 1)
    ]
    return [first, *others]


def test_losses_are_shares_of_the_value_at_every_window() -> None:
    metrics = [
        {"window": None, "metric": "ndcg@10", "policy": f"every {age}", "value": v} for age, v in ((1, 0.2), (2, 0.19))
    ]
    metrics += [{**metrics[0], "window": 1, "value": 0.9}, {**metrics[0], "metric": "hit@10", "value": 0.9}]
    compared = {"window": None, "metric": "ndcg@10", "policy_a": "every 1", "policy_b": "every 2"}
    comparisons = [{**compared, "difference": 0.01, "ci_low": -0.002, "ci_high": float("inf")}]
    first, second = age_rows([1, 2], metrics, comparisons)
    assert first["loss"] is None
    assert (second["loss"], second["ci_low"], second["ci_high"]) == (pytest.approx(0.05), pytest.approx(-0.01), None)


def test_the_largest_age_whose_upper_bound_is_below_the_tolerance_is_advised() -> None:
    found = rows((0.001, -0.01, 0.012), (0.003, -0.004, 0.011), (0.03, 0.01, 0.05))
    assert chosen_age(found, 0.02) == 4
    told = age_sentence(found, 0.02, 500, {1: 1240.0, 2: 620.0, 4: 310.0, 8: 155.0})
    assert told == (
        "Refitting every 4 windows loses less than 2 % of ndcg@10 (0.3 %, 95 % interval -0.4 % to 1.1 %), and its fits "
        "take 310 instead of 1,240 seconds."
    )
    assert "seconds" not in age_sentence(found, 0.02, 500)


def test_an_age_that_serves_all_windows_is_named() -> None:
    found = rows((0.001, -0.01, 0.012))
    assert "every 2 windows (the first decision throughout) loses less" in age_sentence(found, 0.02, 500)


@pytest.mark.parametrize(
    ("loss", "begins"),
    [
        ((0.08, 0.05, 0.11), "Refit at every window: every 2 windows already loses more than 2 %"),
        ((0.01, -0.03, 0.05), "The windows cannot tell whether refitting every 2 windows loses less than 2 %"),
        ((0.01, 0.005, 0.05), "The windows cannot tell"),
        ((0.01, None, None), "The windows cannot tell"),
    ],
)
def test_where_no_age_qualifies_the_sentence_says_what_is_known(loss: tuple, begins: str) -> None:
    assert chosen_age(rows(loss), 0.02) == 1
    assert age_sentence(rows(loss), 0.02, 500).startswith(begins)


def test_one_window_a_value_of_zero_and_few_users_are_said() -> None:
    assert age_sentence(rows(), 0.02, 500).startswith("There is one window")
    nothing = [{**row, "value": 0.0} for row in rows((0.0, None, None))]
    assert "ndcg@10 0" in age_sentence(nothing, 0.02, 500)
    assert age_sentence(rows((0.001, -0.01, 0.012)), 0.02, 5).endswith("With 5 users, intervals are unreliable.")


def test_a_tolerance_is_written_as_it_was_given() -> None:
    assert "less than 2.5 %" in age_sentence(rows((0.001, -0.01, 0.012)), 0.025, 500)
