"""The found settings on users that the search has not seen: gains by hand, and luck that is not confirmed."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

from interestrec.learning.confirmation import compare_scorers, confirm
from interestrec.learning.tuning_sentences import system_sentence
from interestrec.scoring.search_goals import SearchGoal


def goal(user: Sequence[int], lower: bool = False) -> SearchGoal:
    """A goal whose scorers are their values."""
    return SearchGoal("m", lambda scorer: np.array(scorer, float), np.array(user), lower=lower, root=lower)  # type: ignore[arg-type]


def scorer(*values: float) -> Any:
    return values


def test_a_gain_is_the_difference_of_means_over_lists_that_both_have() -> None:
    half = compare_scorers(goal([0, 0, 1, 2]), scorer(0.2, 0.4, 0.6, math.nan), scorer(0.5, 0.5, 0.8, 0.9), seed=1)
    assert half.configured == pytest.approx(0.4)
    assert half.found == pytest.approx(0.6)
    assert half.gain == pytest.approx(0.2)
    assert half.users == 2
    assert half.ci_low <= half.gain <= half.ci_high


def test_an_error_that_falls_is_a_gain() -> None:
    half = compare_scorers(goal([0, 1], lower=True), scorer(0.09, 0.25), scorer(0.04, 0.04), seed=1)
    assert half.configured == pytest.approx(math.sqrt(0.17))
    assert half.found == pytest.approx(0.2)
    assert half.gain == pytest.approx(math.sqrt(0.17) - 0.2)


def test_lists_of_a_user_are_drawn_together() -> None:
    """Ten lists of one user tell no more than one: the deviation is that of two users."""
    apart = compare_scorers(goal(range(20)), scorer(*[0.0] * 20), scorer(*[0.0] * 10, *[1.0] * 10), seed=1)
    together = compare_scorers(goal([0] * 10 + [1] * 10), scorer(*[0.0] * 20), scorer(*[0.0] * 10, *[1.0] * 10), seed=1)
    assert apart.gain == together.gain
    assert together.deviation > 2 * apart.deviation


def test_nothing_to_compare_confirms_nothing() -> None:
    empty = goal([])
    assert not confirm((empty, empty), scorer(), scorer(), seed=1).is_confirmed


def halves(values: np.ndarray) -> tuple[SearchGoal, SearchGoal]:
    """Goals on both halves of valid, whose scorers are numbers; float64 [scorers, 2, users]."""
    users = np.arange(values.shape[2])
    select, blend = (SearchGoal("m", partial(_values, values[:, half]), users) for half in (0, 1))
    return select, blend


def _values(of_half: np.ndarray, which: Any) -> np.ndarray:
    return np.asarray(of_half[which])


def test_luck_on_select_is_optimism_and_is_not_confirmed() -> None:
    """Control: of 60 scorers without any merit the best of valid_select looks good there and is not on valid_blend."""
    confirmed, optimism = 0, []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        values = rng.normal(0.3, 0.1, (60, 2, 100))  # by scorer and half of valid
        best = int(values[:, 0].mean(axis=1).argmax())
        told = confirm(halves(values), 0, best, seed)  # type: ignore[arg-type]
        assert told.select.gain >= 0
        confirmed += told.is_confirmed
        optimism.append(told.optimism)
    assert confirmed <= 20  # about 31 % of the draws exceed half a standard error by chance
    assert np.mean(optimism) > 0.015  # the best of 60 means with a deviation of 0.01 lies about 2.3 of them above


def test_merit_is_confirmed() -> None:
    confirmed = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        before, after = rng.normal(0.3, 0.1, (2, 200)), rng.normal(0.35, 0.1, (2, 200))
        told = confirm(halves(np.stack([before, after])), 0, 1, seed)  # type: ignore[arg-type]
        confirmed += told.is_confirmed
    assert confirmed == 20


def entry(**changes: Any) -> dict[str, Any]:
    select = {"configured": 0.1, "found": 0.15, "gain": 0.05}
    blend = {"configured": 0.1, "found": 0.12, "gain": 0.02, "ci_low": 0.01, "ci_high": 0.03}
    one = {"metric": "ndcg@10", "trials": 60, "configured": {"a": 1}, "found": {"a": 2}, "confirmed": True}
    return {**one, "select": select, "blend": blend, "optimism": 0.03, **changes}


def test_sentences_say_what_becomes_of_the_settings() -> None:
    taken = system_sentence("ease", entry())
    assert "+0.0200 (+0.0100 to +0.0300), so the found settings are taken" in taken
    assert "flattered their gain by 0.0300" in taken
    assert "does not confirm them, so the configured settings stay" in system_sentence("ease", entry(confirmed=False))
    assert "nothing was better" in system_sentence("ease", entry(found={"a": 1}))
    assert "in 1 trial nothing" in system_sentence("ease", entry(found={"a": 1}, trials=1))
