"""Sentences of a search say what is taken, and speak of flattery only where there was some."""

from typing import Any

import pytest

from interestrec.learning.setting_importance import SearchImportance, SettingImportance
from interestrec.learning.tuning_sentences import budget_sentence, importance_sentence, system_sentence

HALF = {"configured": 0.5, "found": 0.6, "gain": 0.1, "ci_low": 0.05, "ci_high": 0.15}
ONE: dict[str, Any] = {
    "metric": "auc",
    "select": HALF,
    "blend": HALF,
    "trials": 12,
    "configured": {"rank.ease.l2": 1.0},
    "found": {"rank.ease.l2": 2.0},
    "confirmed": True,
    "optimism": 0.02,
}


def test_a_system_is_taken_kept_or_unchanged() -> None:
    assert system_sentence("ease", ONE).endswith("are taken; the choice flattered their gain by 0.0200")
    assert system_sentence("ease", {**ONE, "optimism": -0.02}).endswith("so the found settings are taken")
    assert system_sentence("ease", {**ONE, "confirmed": False}).endswith("so the configured settings stay")
    same = {**ONE, "found": ONE["configured"], "trials": 1}
    assert system_sentence("ease", same).startswith("ease: in 1 trial nothing was better")


@pytest.mark.parametrize(
    ("budget", "systems", "told"),
    [
        ("60 trials", 3, "60 trials for each of 3 systems, the same for every one"),
        ("5400 s", 3, "5400 s of measurements, in 3 equal parts, one for every system"),
        ("60 trials", 1, "60 trials, for one system"),
    ],
)
def test_the_budget_is_said_to_be_one_for_every_system(budget: str, systems: int, told: str) -> None:
    assert budget_sentence(budget, systems) == f"The budget was {told}"


def test_importance_names_what_stands_out_and_what_it_rests_on() -> None:
    settings = [SettingImportance("rank.ease.l2", 0.8, 0.5, 0.01), SettingImportance("rank.ease.b", 0.2, 0.5, 0.9)]
    told = importance_sentence(SearchImportance(settings, 20, 25), "% of users")
    assert told == (
        "By 20 trials, compared as fitted on 25 % of users, rank.ease.l2 matters by more than shuffled scores would "
        "show"
    )
    told = importance_sentence(SearchImportance(settings[1:], 9, 2), "epochs")
    assert told == "By 9 trials, compared after 2 epochs, no setting matters by more than shuffled scores would show"
