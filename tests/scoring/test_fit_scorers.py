"""Fits by definition: what a definition declares but nobody provides is an error, not an omission."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import ConfigError
from interestrec.corpus.store import Corpus
from interestrec.scorers import queries, random
from interestrec.scorers.definition import AGAIN, EVENTS, ScorerDefinition, TallyDefinition
from interestrec.scorers.item_scores import ItemScores
from interestrec.scorers.registry import SCORERS
from interestrec.scorers.requests import Events, Scorer
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.fit_scorers import FitData, fit_scorer, fit_scorers
from interestrec.scoring.search import SettingsSearch
from tests.scoring.corpora import Event, write_event_log
from tests.scoring.goals import goal_by

DEFINITION = ScorerDefinition(
    fit=lambda events, level: ItemScores(np.full(events.n_items, level, np.float32)),
    scorer=ItemScores,
    fitted_on=EVENTS,
    follows=AGAIN,
    space={"level": [1.0, 2.0, 3.0], "half_life": [1.0, 2.0], "weak_evidence": [0.0, 1.0]},
    time_settings=("half_life",),
    evidence_settings=("weak_evidence",),
)


@pytest.fixture
def inputs(tmp_path: Path) -> ScorerInputs:
    corpus = Corpus(write_event_log(tmp_path / "corpus", 2, 3, [Event(0, 0, 1), Event(1, 2, 2)]), None)
    return ScorerInputs(tmp_path, tmp_path, corpus, tmp_path, (), seed=1)


@pytest.fixture
def data(inputs: ScorerInputs) -> FitData:
    return FitData.before_split(inputs.corpus, queries.VALID)


def add(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    monkeypatch.setitem(SCORERS, "level", replace(DEFINITION, **changes))  # type: ignore[arg-type]


def level(scorer: Scorer) -> float:
    assert isinstance(scorer, ItemScores)
    return float(scorer.score[0])


def test_a_need_that_nobody_provides_names_the_property_to_write(
    inputs: ScorerInputs, data: FitData, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(monkeypatch, needs=("text_vector",))
    message = r"scorer 'level' needs 'text_vector' \(did you mean 'text_vectors'\?\).* add a property 'text_vector'"
    with pytest.raises(ConfigError, match=message):
        fit_scorer("level", data, inputs, {}, {})
    add(monkeypatch, needs=("select",))
    with pytest.raises(ConfigError, match="needs 'select'"):
        fit_scorer("level", data, inputs, {}, {})


def test_what_a_scorer_is_fitted_on_must_be_there(
    inputs: ScorerInputs, data: FitData, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(monkeypatch, fitted_on="event")
    with pytest.raises(ConfigError, match=r"is fitted on 'event' \(did you mean 'events'\?\).* set fitted_on"):
        fit_scorer("level", data, inputs, {}, {"level": 1.0})
    with pytest.raises(ConfigError, match="unknown scorer 'levels'"):
        fit_scorer("levels", data, inputs, {}, {})


def test_a_scorer_may_be_fitted_on_another_and_be_searched(
    inputs: ScorerInputs, data: FitData, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass(frozen=True)
    class Twice(ItemScores):
        pass

    add(monkeypatch, fitted_on="random", fit=lambda base, level: Twice(base.item_hash[:1].astype(np.float32) * level))
    goal = goal_by("mean", lower=True, measure=level)
    search = SettingsSearch(goal, goal, trials=3, has_times=False, has_weak_events=False, seed=1)
    fitted = fit_scorers(["random", "level"], data, inputs, {"random": {}, "level": {"level": 2.0}}, search)
    assert fitted.settings == {"level": {"level": 1.0}}
    assert sorted(trial["level"] for trial in fitted.trials["level"]) == [1.0, 2.0, 3.0]
    own = random.id_hashes(["i0"], 1).astype(np.float32)
    np.testing.assert_array_equal(fitted.scorers["level"].score, own)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("has_times", "has_weak_events", "keys"),
    [
        (True, True, {"level", "half_life", "weak_evidence"}),
        (False, True, {"level", "weak_evidence"}),
        (True, False, {"level", "half_life"}),
    ],
)
def test_settings_without_an_effect_are_not_searched(has_times: bool, has_weak_events: bool, keys: set[str]) -> None:
    class Constant:
        def shared_settings(self, settings: object) -> None:
            return None

        def prepare(self, settings: object, share: float) -> Callable[[], Scorer]:
            return lambda: ItemScores(np.ones(1, np.float32))

    goal = goal_by("m", lower=False, measure=lambda _: 0.0)
    configured = {"level": 1.0, "half_life": None, "weak_evidence": 0.0}
    found = SettingsSearch(goal, goal, 4, has_times, has_weak_events, seed=2).run(DEFINITION, Constant(), configured)
    assert all(set(trial) == {*keys, "share_of_users", "m"} for trial in found.trials)
    assert found.settings == configured  # of equals, the configured ones


def test_events_of_a_time_reach_over_the_splits(inputs: ScorerInputs) -> None:
    known = queries.as_known_before(inputs.corpus, 86_400_001 * 1000)
    observed: Events = FitData.before_split(known, queries.TEST).events
    assert observed.item.tolist() == [0]


def test_a_search_counts_once_per_share_and_settings_of_the_tally(
    inputs: ScorerInputs, data: FitData, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[int, float]] = []

    def count(events: Events, half_life: float) -> tuple[Events, float]:
        counted.append((len(events.user), half_life))
        return events, half_life

    def finish(tally: tuple[Events, float], level: float) -> ItemScores:
        return ItemScores(np.full(tally[0].n_items, level * tally[1], np.float32))

    tally = TallyDefinition(count, ("half_life",), finish, ("level",))  # type: ignore[arg-type]
    levels = [float(level) for level in range(1, 31)]
    add(monkeypatch, tally=tally, space={"level": levels, "half_life": [1.0, 2.0]}, evidence_settings=())
    goal = goal_by("m", lower=True, measure=level)
    search = SettingsSearch(goal, goal, trials=8, has_times=True, has_weak_events=True, seed=1)
    found = fit_scorers(["level"], data, inputs, {"level": {"level": 9.0, "half_life": 2.0}}, search)
    trials = found.trials["level"]
    assert len(trials) == 20
    assert len(counted) == len({(trial["share_of_users"], trial["half_life"]) for trial in trials})
    assert found.scorers["level"].score[0] == min(trial["m"] for trial in trials[16:])  # type: ignore[attr-defined]
