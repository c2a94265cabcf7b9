"""Every scorer of the registry after a change of events."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interestrec.corpus.store import Corpus
from interestrec.scorers import queries
from interestrec.scorers.definition import AGAIN, EXACTLY, FOLDED_IN, KEPT, MODEL
from interestrec.scorers.registry import SCORERS, required_scorers
from interestrec.scorers.requests import Requests, Scorer
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.fit_scorers import FitData, fit_scorer
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.update_scorers import EventChange, count_tally, update_scorer
from tests.scorers.models import write_model
from tests.scoring.asking import requests
from tests.scoring.corpora import Event, write_event_log

USERS, ITEMS, MORE_USERS, MORE_ITEMS = 20, 12, 26, 16
FORGOTTEN, OLD_ITEMS = 3, 10  # a user; items of which there are events before the change
AS_FITTED = [name for name, entry in SCORERS.items() if entry.follows in (EXACTLY, AGAIN)]
LEARNED = [name for name, entry in SCORERS.items() if entry.follows in (FOLDED_IN, KEPT) and entry.fitted_on != MODEL]


def write(root: Path, users: int, items: int, log: list[Event]) -> ScorerInputs:
    corpus = Corpus(write_event_log(root / "corpus", users, items, log), 0.5)
    vectors = np.random.default_rng(1).normal(size=(MORE_ITEMS, 6)).astype(np.float32)[:items]
    write_model(root / "model", vectors, np.zeros((items, 2), np.int32), users)
    return ScorerInputs(root / "model", root / "encoder", corpus, root, (), seed=3)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScorerInputs, ScorerInputs]:
    """Before and after new events of old and new users and items, without the events of one user."""
    rng = np.random.default_rng(0)

    def log(count: int, users: int, items: int, first: float) -> list[Event]:
        columns = rng.integers(0, users, count), rng.integers(0, items, count), first + rng.random(count) * 20
        strengths = rng.choice([0.25, 0.5, 1.0], count)
        return [
            Event(int(u), int(i), float(d), intensity=float(x)) for u, i, d, x in zip(*columns, strengths, strict=True)
        ]

    old, new = log(150, USERS, OLD_ITEMS, 0.0), log(40, MORE_USERS, MORE_ITEMS, 20.0)
    left = [event for event in [*old, *new] if event.user != FORGOTTEN]
    before, after = tmp_path_factory.mktemp("before"), tmp_path_factory.mktemp("after")
    return write(before, USERS, ITEMS, old), write(after, MORE_USERS, MORE_ITEMS, left)


def data(inputs: ScorerInputs) -> FitData:
    return FitData.before_split(inputs.corpus, queries.TEST)


def change(inputs: tuple[ScorerInputs, ScorerInputs]) -> EventChange:
    old, new = (data(each).events for each in inputs)
    old = replace(old, n_users=MORE_USERS, n_items=MORE_ITEMS)
    key = [set(zip(part.user.tolist(), part.item.tolist(), part.time.tolist(), strict=True)) for part in (old, new)]
    users = np.array(sorted({user for user, *_ in key[0] ^ key[1]}))
    assert 5 < len(users) < MORE_USERS
    before, after = (part.rows(np.isin(part.user, users)) for part in (old, new))
    return EventChange(before, after, np.array([FORGOTTEN]), lambda: data(inputs[1]))


def settings(name: str) -> dict[str, Any]:
    fewer = {"epochs": 1, "iterations": 5, "factors": 4} if name != "item_knn" else {}
    return {key: fewer.get(key, value) for key, value in RankSettings().scorer_settings(name).items()}


def fit_all(name: str, inputs: ScorerInputs) -> dict[str, Scorer]:
    made: dict[str, Scorer] = {}
    for other in required_scorers([name]):
        made[other] = fit_scorer(other, data(inputs), inputs, made, settings(other))
    return made


def updated(name: str, inputs: tuple[ScorerInputs, ScorerInputs]) -> tuple[Scorer, Scorer]:
    """The scorer before and after."""
    before, after = fit_all(name, inputs[0]), {}
    for other in required_scorers([name]):
        tally = count_tally(other, data(inputs[0]), inputs[0], settings(other))
        after[other], _ = update_scorer(other, before[other], tally, change(inputs), inputs[1], after, settings(other))
    return before[name], after[name]


def asked() -> Requests:
    return requests([0, 3, 3], [], [7, 2], [5, 1], users=[1, 2, 19, 7], days=[1, 3, 9, 2, 8, 5, 6])


@pytest.mark.parametrize("name", AS_FITTED)
def test_what_follows_exactly_or_is_fitted_again_is_as_fitted_again(name: str, inputs: Any) -> None:
    found = updated(name, inputs)[1].score_catalogue(asked())
    expected = fit_all(name, inputs[1])[name].score_catalogue(asked())
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", LEARNED)
def test_what_was_learned_of_items_stays(name: str, inputs: Any) -> None:
    old, new = updated(name, inputs)
    before, after = (scorer.score_catalogue(asked()) for scorer in (old, new))
    assert after.shape == (4, MORE_ITEMS)
    assert np.isfinite(new.score_catalogue(requests(*[[]] * MORE_USERS))).all()
    unknown = after[:, ITEMS:]
    if SCORERS[name].follows == FOLDED_IN:
        assert (unknown[0] != 0).all()
        return
    np.testing.assert_array_equal(after[:, :OLD_ITEMS], before[:, :OLD_ITEMS])
    assert (unknown == unknown[:, :1]).all(), "nothing is known of new items: they must tie"


@pytest.mark.parametrize("name", ["mf", "bayesian_mf"])
def test_a_forgotten_user_is_as_a_new_one(name: str, inputs: Any) -> None:
    old, new = updated(name, inputs)
    known = old.score_catalogue(requests([], users=[FORGOTTEN]))[0]
    forgotten, stranger = new.score_catalogue(requests([], [], users=[FORGOTTEN, MORE_USERS - 1]))
    np.testing.assert_array_equal(forgotten, stranger)
    assert (known != forgotten[:ITEMS]).any()


def test_an_updated_scorer_without_a_tally_counts_all_events(inputs: Any) -> None:
    chosen = settings("popularity")
    found, tally = update_scorer(
        "popularity", fit_all("popularity", inputs[0])["popularity"], None, change(inputs), inputs[1], {}, chosen
    )
    expected = fit_all("popularity", inputs[1])["popularity"]
    np.testing.assert_array_equal(found.score_catalogue(asked()), expected.score_catalogue(asked()))
    assert tally is not None
