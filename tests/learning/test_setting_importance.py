"""Importance of settings: the one that matters stands out, none does where scores are shuffled."""

import json
import math
from typing import Any

import numpy as np
import pytest

from interestrec.learning.setting_importance import LEAST_TRIALS, setting_importance

pytest.importorskip("optuna")

SPACE = {
    "finetune.rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "finetune.width": {"low": 16, "high": 128, "log": False},
    "finetune.kind": {"values": ["a", None, 3]},
}


def searched(count: int, shuffled: bool = False, lower: bool = False) -> tuple[list[Any], list[Any]]:
    """Trials whose score on the first rung is highest at a rate of 0.01, whatever else is set, and their curves."""
    random = np.random.default_rng(5)
    trials, scores = [], []
    for number in range(count):
        settings = {
            "finetune.rate": 10 ** random.uniform(-4, -1),
            "finetune.width": int(random.integers(16, 129)),
            "finetune.kind": SPACE["finetune.kind"]["values"][random.integers(3)],  # type: ignore[index]
        }
        scores.append(-abs(math.log10(settings["finetune.rate"]) + 2))
        is_complete = number % 3 == 0
        row = {"trial": number, "rung": 5 if is_complete else 2, "value": 0.0, "settings": json.dumps(settings)}
        trials.append(row)
    if shuffled:
        scores = list(random.permutation(scores))
    sign = -1 if lower else 1
    curves = [
        {"trial": number, "rung": rung, "value": sign * value}
        for number, score in enumerate(scores)
        # Before training nothing is reached; later epochs are not compared.
        for rung, value in ((0, -9.0), (1, score), (2, score - 1), (5, float(random.normal())))
        if rung <= trials[number]["rung"]
    ]
    return trials, curves


@pytest.mark.parametrize("lower", [False, True])
def test_the_setting_that_matters_stands_out_alone(lower: bool) -> None:
    found = setting_importance(SPACE, *searched(30, lower=lower), lower)
    assert found is not None
    assert [one.key for one in found.settings if one.stands_out] == ["finetune.rate"]
    assert found.settings[0].key == "finetune.rate"
    assert found.settings[0].share > found.settings[0].by_chance
    assert sum(one.share for one in found.settings) == pytest.approx(1)
    assert (found.trials, found.rung) == (30, 2)


def test_no_setting_stands_out_where_scores_are_shuffled() -> None:
    found = setting_importance(SPACE, *searched(30, shuffled=True), False)
    assert found is not None
    assert not [one for one in found.settings if one.stands_out]
    assert sum(one.share for one in found.settings) == pytest.approx(1)  # which is why shares alone say nothing


def test_equal_data_and_seed_give_equal_figures() -> None:
    assert setting_importance(SPACE, *searched(12), False) == setting_importance(SPACE, *searched(12), False)


def test_few_trials_say_nothing() -> None:
    assert setting_importance(SPACE, *searched(LEAST_TRIALS - 1), False) is None
    assert setting_importance(SPACE, *searched(LEAST_TRIALS), False) is not None
    assert setting_importance(SPACE, [], [], False) is None


def test_equal_scores_say_nothing() -> None:
    trials, curves = searched(20)
    assert setting_importance(SPACE, trials, [{**point, "value": 0.5} for point in curves], False) is None


def test_failed_trials_and_those_outside_of_the_space_are_left_out() -> None:
    trials, curves = searched(30)
    trials[0]["settings"] = json.dumps({**json.loads(trials[0]["settings"]), "finetune.rate": 7.0})
    trials[1]["value"] = None
    trials[2]["settings"] = json.dumps({**json.loads(trials[2]["settings"]), "finetune.kind": "unknown"})
    found = setting_importance(SPACE, trials, curves, False)
    assert found is not None
    assert found.trials == 27
