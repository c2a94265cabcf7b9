"""The model of an artifact: users, moments, times of requests, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interestrec.core.errors import ArtifactError, InputMissingError
from interestrec.corpus.moments import ITEM_FEATURES, Moments
from interestrec.corpus.store import Corpus
from interestrec.io import files
from interestrec.scorers import two_tower_model as module
from interestrec.scorers.model_opening import open_model, read_calibration
from interestrec.scorers.requests import Requests
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scorers.two_tower_model import TwoTowerModel
from tests.scorers.models import write_model
from tests.scoring.asking import requests, split_candidates
from tests.scoring.corpora import DAY, Event, write_event_log

USERS, ITEMS = 9, 20
VECTORS = "item_vectors.safetensors"
CALIBRATION = "calibration.json"


@pytest.fixture
def inputs(tmp_path: Path) -> ScorerInputs:
    rng = np.random.default_rng(1)
    log = [
        Event(int(user), int(item), float(day))
        for user, item, day in zip(rng.integers(0, 6, 80), rng.integers(0, 15, 80), rng.random(80) * 40, strict=True)
    ]
    corpus = Corpus(write_event_log(tmp_path / "corpus", USERS, ITEMS, log), None)
    vectors = rng.normal(size=(ITEMS, 6)).astype(np.float32)
    write_model(tmp_path / "model", vectors, rng.integers(-1, 3, (ITEMS, 2)).astype(np.int32), USERS)
    return ScorerInputs(tmp_path / "model", tmp_path / "encoder", corpus, tmp_path, (), seed=1)


def asked(at: list[float | None], users: list[int] | None = None) -> Requests:
    """One history, asked again and again."""
    count = len(at)
    users = [2] * count if users is None else users
    return requests(*[[4, 7, 1]] * count, users=users, days=[3, 5, 9] * count, at=at)


def order(model: TwoTowerModel, wanted: Requests) -> np.ndarray:
    """Logits of order of all items, as candidates."""
    lists = [list(range(ITEMS))] * len(wanted)
    return model.candidate_order(wanted, *split_candidates(lists)).reshape(len(wanted), ITEMS)


def test_a_model_is_loaded_once_for_all_scorers(inputs: ScorerInputs) -> None:
    assert inputs.two_towers[0] is inputs.two_towers[0]
    assert len(inputs.two_towers[0].items.texts) == ITEMS


def test_users_are_told_apart_by_their_features(inputs: ScorerInputs) -> None:
    found = order(open_model(inputs.model), asked([20, 20, 20], users=[1, 4, 2]))  # codes 1, 1 and 2
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 0.01


def test_items_and_users_are_read_at_the_moment_of_the_request(inputs: ScorerInputs) -> None:
    model = open_model(inputs.model, inputs)
    at_start, later = order(model, asked([0, 30]))
    unseen = np.setdiff1d(np.arange(ITEMS), inputs.corpus.timelines.item)
    seen = np.unique(inputs.corpus.timelines.item)
    change = later - at_start
    # What is known of the user moves items without an event alike; the others also by what is known of them.
    assert len(unseen) >= 2
    assert np.ptp(change[seen]) > 10 * np.ptp(change[unseen])
    np.testing.assert_array_equal(model.item_moments(30 * DAY), Moments.of(inputs.corpus).catalogue_features(30 * DAY))
    without = open_model(inputs.model)
    assert not without.item_moments(30 * DAY).any()
    assert without.item_moments(0).shape == (ITEMS, ITEM_FEATURES)


def test_the_time_of_the_request_tells_how_long_ago_the_history_was(inputs: ScorerInputs) -> None:
    days = open_model(inputs.model).histories(asked([10, 5, None])).days.reshape(3, 3)
    np.testing.assert_allclose(days[0], np.log1p([7, 5, 1]), rtol=1e-6)
    np.testing.assert_allclose(days[1], [np.log1p(2), 0, 0], rtol=1e-6)  # the second event is now, the third is later
    assert not days[2].any()


def test_the_longest_history_of_the_model_is_cut_at_its_beginning(inputs: ScorerInputs) -> None:
    model = open_model(inputs.model)
    read = model.histories(requests([4, 7, 1, 0, 9, 3], [], [2], days=range(7), at=[20, 20, None]))
    np.testing.assert_array_equal(read.offsets, [0, model.histories.length, 4, 5])
    np.testing.assert_array_equal(read.row, [1, 0, 9, 3, 2])


def test_nothing_after_the_request_is_read(inputs: ScorerInputs, tmp_path: Path) -> None:
    """A log that ends at the request gives the same bits."""
    events = inputs.corpus.timelines
    before = events.time < 20 * DAY
    kept = [
        Event(int(user), int(item), float(time / DAY))
        for user, item, time in zip(events.user[before], events.item[before], events.time[before], strict=True)
    ]
    assert 10 < len(kept) < 60
    cut = replace(inputs, corpus=Corpus(write_event_log(tmp_path / "cut", USERS, ITEMS, kept), None))
    found, expected = (order(open_model(one.model, one), asked([20.0])) for one in (cut, inputs))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_blocks_hold_requests_of_one_time_and_cover_all_once(
    inputs: ScorerInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = open_model(inputs.model, inputs)
    wanted = asked([5, 30, 5, None, 5, 30, 5])
    monkeypatch.setattr(module, "_CELLS", 2 * ITEMS)  # two requests at a time
    rows = []
    for row, block, moments in model.blocks(wanted):
        assert len(row) == len(block) <= 2
        assert len(np.unique(block.at)) == 1
        np.testing.assert_array_equal(block.at, wanted.at[row])
        np.testing.assert_array_equal(moments, model.item_moments(block.at[0]))
        rows += row.tolist()
    assert sorted(rows) == list(range(7))


def test_candidates_of_many_requests_are_scored_in_blocks(
    inputs: ScorerInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = open_model(inputs.model, inputs)
    wanted = asked([5, 30, None, 12])
    offsets, item = split_candidates([[3, 4, 5], [], [6], [0, 19]])
    figures = (model.candidate_order, model.candidate_strength)
    whole = [figure(wanted, offsets, item) for figure in figures]
    monkeypatch.setattr(module, "_CELLS", 1)
    parts = [figure(wanted, offsets, item) for figure in figures]
    np.testing.assert_allclose(parts[0], whole[0], rtol=1e-5)
    np.testing.assert_allclose(parts[1], whole[1], rtol=1e-5)
    assert np.abs(whole[0] - whole[1]).min() > 1e-4  # two figures, not one twice


def test_a_missing_or_damaged_file(inputs: ScorerInputs) -> None:
    vectors = inputs.model / VECTORS
    vectors.write_bytes(vectors.read_bytes()[:30])
    with pytest.raises(ArtifactError, match="not a valid safetensors"):
        open_model(inputs.model)
    vectors.unlink()
    with pytest.raises(InputMissingError):
        open_model(inputs.model)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("entry", lambda array: array[:-1]),
        ("candidate", lambda array: array[:, :-1]),
        ("category", lambda array: array.astype(np.float32)),
        ("price", lambda array: array[:, None]),
        ("user", lambda array: np.append(array, array, axis=1)),
        ("item", lambda array: np.where(array == array[0, 0], np.float32(np.nan), array)),
        ("item", lambda array: array.astype(np.float64)),
        ("user", None),
    ],
)
def test_arrays_of_another_model_are_refused(inputs: ScorerInputs, name: str, change: Any) -> None:
    arrays = files.read_safetensors(inputs.model / VECTORS)
    before = arrays.pop(name)
    if change is not None:
        arrays[name] = np.ascontiguousarray(change(before))
    (inputs.model / VECTORS).unlink()
    files.write_safetensors(inputs.model / VECTORS, arrays)
    with pytest.raises(ArtifactError, match=r"item_vectors\.safetensors: does not match the model; run finetune again"):
        open_model(inputs.model)


@pytest.mark.parametrize("text", ['{"scale": 1}', '{"scale": null, "shift": 0}', '{"scale": 1e999, "shift": 0}', "[]"])
def test_bad_calibrations_are_refused(inputs: ScorerInputs, text: str) -> None:
    assert read_calibration(inputs.model).scale == 0.5
    (inputs.model / CALIBRATION).write_text(text)
    with pytest.raises(ArtifactError, match=r"calibration\.json"):
        read_calibration(inputs.model)


def test_attention_to_a_history_is_that_of_the_user_tower(inputs: ScorerInputs) -> None:
    model = open_model(inputs.model)
    wanted = requests([4, 7, 1, 9, 3, 6], [2, 5], [], days=[1, 2, 3, 5, 9, 10, 4, 8], at=[12, 12, 12])
    found = model.history_attention(wanted)
    weights = model.model.weights
    direction, forgetting, by_days = (
        weights[f"user_tower/{name}"] for name in ("attention", "forgetting", "forgetting_days")
    )
    for rows, items, days in ((slice(2, 6), [1, 9, 3, 6], [9, 7, 3, 2]), (slice(6, 8), [2, 5], [8, 4])):
        later = np.arange(len(items))[::-1]
        logits = (model.items.entries[items] @ direction)[:, 0]
        logits -= forgetting * np.log1p(later) + by_days * np.log1p(days)
        np.testing.assert_allclose(found[rows], np.exp(logits) / np.exp(logits).sum(), rtol=1e-5)
    assert not found[:2].any()  # the model reads the latest four
