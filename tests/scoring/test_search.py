"""The search of settings: its budget, its points, and that what it keeps was fitted on all users."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interestrec.corpus.store import Corpus
from interestrec.scorers import queries
from interestrec.scorers.definition import AGAIN, EVENTS, LABELS, ScorerDefinition
from interestrec.scorers.item_scores import ItemScores
from interestrec.scorers.registry import SCORERS
from interestrec.scorers.requests import Events, Scorer
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.fit_scorers import FitData, fit_scorers
from interestrec.scoring.search import SettingsSearch, low_discrepancy_points
from tests.scoring.corpora import Event, write_event_log
from tests.scoring.goals import goal_by

DEFINITION = ScorerDefinition(
    fit=lambda events, level: ItemScores(np.full(events.n_items, level, np.float32)),
    scorer=ItemScores,
    fitted_on=EVENTS,
    follows=AGAIN,
    space={"x": list(range(10)), "y": list(range(10))},
)


@dataclass(frozen=True)
class Fitted(ItemScores):
    """A scorer that remembers how it was fitted."""

    settings: Mapping[str, Any]
    share: float


class Fits:
    """Fits of which those with the same `shared` settings share a part; it remembers in which order they were asked."""

    def __init__(self, *shared: str) -> None:
        self.shared = shared
        self.asked: list[tuple[Mapping[str, Any], float]] = []

    def shared_settings(self, settings: Mapping[str, Any]) -> Hashable:
        return tuple(settings[key] for key in self.shared)

    def prepare(self, settings: Mapping[str, Any], share: float) -> Callable[[], Fitted]:
        self.asked.append((settings, share))
        return lambda: Fitted(np.zeros(1, np.float32), settings, share)


def distance(scorer: Scorer) -> float:
    """The squared distance of the settings to (7, 2)."""
    assert isinstance(scorer, Fitted)
    return float((scorer.settings["x"] - 7) ** 2 + (scorer.settings["y"] - 2) ** 2)


def search(trials: int, lower: bool = True) -> SettingsSearch:
    goal = goal_by("m", lower, distance if lower else lambda scorer: -distance(scorer))
    return SettingsSearch(goal, goal, trials, has_times=True, has_weak_events=True, seed=1)


@pytest.mark.parametrize("lower", [True, False])
def test_two_rungs_spend_the_budget_and_end_on_all_users(lower: bool) -> None:
    found = search(8, lower).run(DEFINITION, Fits(), {"x": 0, "y": 9, "z": 5})
    assert [trial["share_of_users"] for trial in found.trials] == [0.25] * 16 + [1.0] * 4
    first, final = found.trials[:16], found.trials[16:]
    assert (first[0]["x"], first[0]["y"]) == (final[0]["x"], final[0]["y"]) == (0, 9)  # configured: in both rungs
    by_metric = sorted(first, key=lambda trial: trial["m"] if lower else -trial["m"])
    assert [(t["x"], t["y"]) for t in final[1:]] == [(t["x"], t["y"]) for t in by_metric[:3]]
    assert isinstance(found.scorer, Fitted)
    assert found.scorer.share == 1.0
    assert found.scorer.settings == found.settings == {"x": final[1]["x"], "y": final[1]["y"], "z": 5}


@pytest.mark.parametrize("trials", range(1, 20))
@pytest.mark.parametrize(("columns", "source"), [(1, EVENTS), (2, EVENTS), (2, LABELS)])
def test_no_search_costs_more_than_its_budget(trials: int, columns: int, source: str) -> None:
    space = dict(list(DEFINITION.space.items())[:columns])
    definition = replace(DEFINITION, space=space, fitted_on=source)
    found = search(trials).run(definition, Fits(), {"x": 3, "y": 3})
    cost = sum(trial["share_of_users"] for trial in found.trials)
    assert cost <= trials
    assert trials == 1 or columns == 1 or cost > trials - 1
    points = [(trial["x"], trial.get("y"), trial["share_of_users"]) for trial in found.trials]
    assert len(set(points)) == len(points)
    assert source == EVENTS or all(share == 1.0 for *_, share in points)


def test_a_space_within_the_budget_is_searched_whole() -> None:
    definition = replace(DEFINITION, space={"x": [1, 2, 3, 4], "y": [5, 6]})
    found = search(8).run(definition, Fits(), {"x": 2, "y": 5})
    assert len(found.trials) == 8
    assert all(trial["share_of_users"] == 1.0 for trial in found.trials)
    assert found.settings == {"x": 4, "y": 5}


def test_settings_that_grow_with_the_number_of_users_are_those_of_the_share() -> None:
    fits = Fits()
    found = search(8).run(replace(DEFINITION, per_user_settings=("y",)), fits, {"x": 0, "y": 8})
    assert [asked["y"] for asked, _ in fits.asked] == [t["y"] * t["share_of_users"] for t in found.trials]
    assert found.settings["y"] in DEFINITION.space["y"]


def test_without_data_for_the_metric_the_configured_settings_stay() -> None:
    goal = goal_by("m", lower=False, measure=lambda _: np.nan)
    found = SettingsSearch(goal, goal, 8, True, True, seed=1).run(DEFINITION, Fits(), {"x": 4, "y": 4})
    assert found.settings == {"x": 4, "y": 4}


def test_trials_that_share_a_part_follow_each_other_and_change_no_result() -> None:
    apart, together = Fits(), Fits("y")
    found = [search(8).run(DEFINITION, fits, {"x": 0, "y": 9}) for fits in (apart, together)]
    assert found[0] == found[1]
    assert together.asked != apart.asked
    for rung in (together.asked[:16], together.asked[16:]):
        shared = [settings["y"] for settings, _ in rung]
        assert len([y for y, _ in groupby(shared)]) == len(set(shared))


def test_of_equal_points_the_first_is_kept_whatever_is_measured_first() -> None:
    definition = replace(DEFINITION, space={"x": [6, 8], "y": [2, 3]})  # 6 and 8 are as far from 7
    found = search(8).run(definition, Fits("x"), {"x": 0, "y": 2})
    best = min(found.trials, key=lambda trial: trial["m"])  # the first of equal ones
    assert (found.settings["x"], found.settings["y"]) == (best["x"], best["y"])


@pytest.mark.parametrize("seed", range(3))
def test_points_cover_the_space_evenly(seed: int) -> None:
    """Sixteen of 100 points are far less uneven in each setting than random draws."""
    points = low_discrepancy_points(DEFINITION.space, {"x": 3, "y": 3}, 16, seed)
    assert points[0] == {"x": 3, "y": 3}
    assert len({tuple(point.values()) for point in points}) == len(points) == 16
    for key in ("x", "y"):
        values = sorted({point[key] for point in points})
        assert max(after - before for before, after in pairwise([-1, *values, 10])) <= 2


def test_a_start_outside_the_grid_is_added_to_it() -> None:
    points = low_discrepancy_points({"x": [1, 2]}, {"x": 7}, 3, seed=0)
    assert [point["x"] for point in points] == [7, 1, 2]


def test_the_first_rung_sees_whole_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the users by their ids, each with all events, and the final scorer sees everyone."""
    log = [Event(user, item, day) for user in range(80) for item, day in ((0, 1), (1, 2))]
    corpus = Corpus(write_event_log(tmp_path / "corpus", 80, 3, log), None)
    seen: list[tuple[int, int]] = []

    def counted(events: Events, x: int, y: int) -> ItemScores:
        seen.append((len(np.unique(events.user)), len(events.user)))
        return ItemScores(np.full(3, x, np.float32))

    monkeypatch.setitem(SCORERS, "counted", replace(DEFINITION, fit=counted))
    goal = goal_by("m", lower=False, measure=lambda scorer: float(scorer.score[0]))  # type: ignore[attr-defined]
    inputs = ScorerInputs(tmp_path, tmp_path, corpus, tmp_path, (), seed=1)
    data = FitData.before_split(corpus, queries.VALID)
    settings = {"counted": {"x": 0, "y": 0}}
    fit_scorers(["counted"], data, inputs, settings, SettingsSearch(goal, goal, 8, True, True, seed=1))
    assert all(events == 2 * users for users, events in seen)
    assert len({users for users, _ in seen[:16]}) == 1
    assert 10 <= seen[0][0] <= 30
    assert [users for users, _ in seen[16:]] == [80] * 4
