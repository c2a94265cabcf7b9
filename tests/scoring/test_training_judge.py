"""The judge of training: the mean ndcg@10 of lists at the start of valid, worked out here by loops."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.corpus.moments import Moments
from interestrec.corpus.store import Corpus
from interestrec.io import files
from interestrec.metrics.calibration import LogitCalibration
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_arrays import TwoTowerArrays
from interestrec.model.two_tower_config import ItemArrays
from interestrec.model.two_tower_files import load_two_tower
from interestrec.scorers import queries
from interestrec.scorers.intensity import Intensity
from interestrec.scorers.model_opening import open_model
from interestrec.scorers.two_tower_model import TwoTowerModel
from interestrec.scorers.user_inputs import ItemUserInputs, KnownUsers
from interestrec.scoring import training_judge as module
from interestrec.scoring.catalogue_lists import catalogue_lists
from interestrec.scoring.fit_systems import tie_order, validation_start
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.rules import load_rules
from interestrec.scoring.training_judge import training_judge
from tests.scorers.models import write_model
from tests.scoring.corpora import DAY, Event, write_event_log

USERS, ITEMS = 40, 25
SETTINGS = RankSettings()


def log(test: bool = True) -> list[Event]:
    """Events of train, valid and test; the test ones are of items that train knows."""
    rng = np.random.default_rng(4)
    events = []
    for user in range(USERS):
        events += [Event(user, int(item), float(rng.random() * 20)) for item in rng.integers(0, 20, 5)]
        events += [Event(user, int(item), 20 + float(rng.random() * 5), "valid") for item in rng.integers(0, 22, 3)]
        events += [Event(user, int(item), 26.0, "test") for item in rng.integers(0, 20, 2) if test]
    return events


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(write_event_log(tmp_path / "corpus", USERS, ITEMS, log()), 0.5)


@pytest.fixture
def model(tmp_path: Path) -> tuple[TwoTower, ItemArrays, np.ndarray]:
    """A model, its items, and the features of the users."""
    vectors = np.random.default_rng(2).normal(size=(ITEMS, 6)).astype(np.float32)
    write_model(tmp_path / "model", vectors, np.zeros((ITEMS, 2), np.int32), USERS)
    items = open_model(tmp_path / "model").items
    return (
        load_two_tower(tmp_path / "model"),
        items,
        files.read_safetensors(tmp_path / "model" / "item_vectors.safetensors")["user"],
    )


def intensity(model: tuple[TwoTower, ItemArrays, np.ndarray], corpus: Corpus) -> Intensity:
    tower, items, features = model
    users = KnownUsers(features, Moments.of(corpus))
    inputs = ItemUserInputs(items, tower.config.max_history, users)
    arrays = TwoTowerArrays(tower.config, tower.export_weights(), items)
    return Intensity([TwoTowerModel(arrays, inputs, users.moments, LogitCalibration())])


def test_it_is_the_mean_of_lists_worked_out_by_hand(
    corpus: Corpus, model: tuple[TwoTower, ItemArrays, np.ndarray]
) -> None:
    start = min(e.day for e in log() if e.split == "valid" and e.day is not None)
    asked = queries.requests_as_of(corpus, round(start * DAY))
    scores = intensity(model, corpus).score_catalogue(asked)
    values = []
    for user in range(USERS):
        if not corpus.in_valid_select[user]:
            continue
        had = {e.item for e in log() if e.user == user and e.split == "train"}
        wanted = {e.item for e in log() if e.user == user and e.split == "valid"} - had
        ranked = [item for item in np.argsort(-scores[user], kind="stable") if item not in had][:10]
        gained = sum(1 / np.log2(place + 2) for place, item in enumerate(ranked) if item in wanted)
        if wanted:
            values.append(gained / sum(1 / np.log2(place + 2) for place in range(min(len(wanted), 10))))
    assert len(values) > 10
    judge = training_judge(corpus, SETTINGS, model[2], seed=1)
    found = judge(model[0], model[1])
    assert found == pytest.approx(np.mean(values), rel=1e-6)
    assert 0.05 < found < 0.95


def test_nothing_of_the_test_split_is_needed(
    corpus: Corpus, model: tuple[TwoTower, ItemArrays, np.ndarray], tmp_path: Path
) -> None:
    cut = Corpus(write_event_log(tmp_path / "cut", USERS, ITEMS, log(test=False)), 0.5)
    found, expected = (training_judge(one, SETTINGS, model[2], seed=1)(model[0], model[1]) for one in (cut, corpus))
    assert found == expected


def test_other_weights_and_other_users_have_other_values(
    corpus: Corpus, model: tuple[TwoTower, ItemArrays, np.ndarray]
) -> None:
    tower, items, features = model
    before = training_judge(corpus, SETTINGS, features, seed=1)(tower, items)
    assert training_judge(corpus, SETTINGS, np.roll(features, 1), seed=1)(tower, items) != before
    judge = training_judge(corpus, SETTINGS, features, seed=1)
    assert judge(tower, items) == pytest.approx(before)
    tower.head.gain.assign(-tower.head.gain)
    assert judge(tower, items) != pytest.approx(before)


def test_a_sample_of_users_is_judged_by_their_own_lists(
    corpus: Corpus, model: tuple[TwoTower, ItemArrays, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = load_rules(corpus, SETTINGS, validation_start(corpus))
    whole = catalogue_lists(corpus, rules, tie_order(corpus, 1), SETTINGS, select=True, seed=1)
    scores = intensity(model, corpus).score_catalogue(whole.requests)
    of_user = dict(zip(whole.requests.user.tolist(), whole.values(scores, 0, len(whole)), strict=True))
    monkeypatch.setattr(module, "_USERS", 6)
    sample = module._sample(whole)
    chosen = sample.requests.user.tolist()
    assert len(set(chosen)) == len(sample) == 6
    scores = intensity(model, corpus).score_catalogue(sample.requests)
    np.testing.assert_allclose(sample.values(scores, 0, 6), [of_user[user] for user in chosen], rtol=1e-6)
    judge = training_judge(corpus, SETTINGS, model[2], seed=1)
    assert judge(model[0], model[1]) == pytest.approx(np.mean([of_user[user] for user in chosen]), rel=1e-6)


def test_without_a_list_there_is_no_value(model: tuple[TwoTower, ItemArrays, np.ndarray], tmp_path: Path) -> None:
    events = [event for event in log() if event.split != "valid"]
    corpus = Corpus(write_event_log(tmp_path / "none", USERS, ITEMS, events), 0.5)
    assert training_judge(corpus, SETTINGS, model[2], seed=1)(model[0], model[1]) is None


def test_the_file_of_available_items_has_no_part(tmp_path: Path) -> None:
    stocked = SETTINGS.model_copy(
        update={"rules": SETTINGS.rules.model_copy(update={"available": tmp_path / "no.txt", "seen": "in"})}
    )
    assert stocked.without_files().rules.available is None
    assert stocked.without_files().rules.seen == "in"
