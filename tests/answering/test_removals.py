"""Lists without some events, by hand: scores, places, and what becomes no candidate."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.answering import removals
from interestrec.answering.asked import Asked
from interestrec.answering.recommender import Recommender
from interestrec.answering.removals import RemovalSets, leave_one_out, measure
from interestrec.scorers.requests import Requests
from tests.answering.toys import Linear, linear, recommender
from tests.scoring.corpora import Event

# Item 0 speaks for 2 (3) and 3 (1), item 1 for 3 (2.5) and 4 (1): item 3 leads with 3.5, then 2 with 3, then 4.
ROW = np.array([[0, 0, 3, 1, 0], [0, 0, 0, 2.5, 1], *np.zeros((3, 5))])
LOG = [Event(0, 0, 1.0), Event(0, 1, 2.0), Event(1, 4, 3.0)]


def by_hand(path: Path, **rules: object) -> tuple[Recommender, Asked]:
    toy = recommender(path, LOG, 3, {"popularity": Linear(ROW, np.zeros(5))}, **rules)
    return toy, toy.ask_users(np.array([0]), toy.moment, 2)


def test_each_event_is_left_out_once() -> None:
    offsets = np.array([0, 2, 2, 3])
    toy = type("Histories", (), {"offsets": offsets, "owner": np.array([0, 0, 2]), "__len__": lambda _: 3})()
    sets = leave_one_out(toy)
    assert sets.request.tolist() == [0, 0, 0, 1, 2, 2]
    assert [sets.event[a:b].tolist() for a, b in zip(sets.offsets[:-1], sets.offsets[1:], strict=True)] == [
        [],
        [0],
        [1],
        [],
        [],
        [0],
    ]


def test_places_without_each_event_are_those_worked_out_by_hand(tmp_path: Path) -> None:
    toy, asked = by_hand(tmp_path)
    found = measure(toy, asked, leave_one_out(asked.requests), np.array([[3, 2, 4, 0]]))
    # Complete: 3, 2, 4. Without item 0: 3 (2.5), 4 (1), 2 (0). Without item 1: 2 (3), 3 (1), 4 (0).
    assert found.place.tolist() == [[1, 2, 3, 0], [1, 3, 2, 0], [2, 1, 3, 0]]  # item 0 is seen: no candidate, ever
    assert found.listed[:, :3].tolist() == [[True, True, False], [True, False, True], [True, True, False]]
    raw = np.array([ROW[0] + ROW[1], ROW[1], ROW[0]])
    z = (raw - raw.mean(axis=1, keepdims=True)) / raw.std(axis=1, keepdims=True)
    np.testing.assert_allclose(found.score, z[:, [3, 2, 4, 0]], atol=1e-6)


def test_the_penalty_of_seen_items_is_that_of_the_complete_history(tmp_path: Path) -> None:
    toy, asked = by_hand(tmp_path, seen="down", seen_penalty=10.0)
    found = measure(toy, asked, leave_one_out(asked.requests), np.array([[0, 1]]))
    assert (found.place >= 4).all()  # behind the three others, also without the event
    assert (found.score < -8).all()


def test_the_complete_history_gives_what_recommend_gives(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    log = [Event(user, int(item), float(day)) for user in range(6) for day, item in enumerate(rng.integers(0, 20, 5))]
    toy = recommender(tmp_path, log, 6, {"popularity": linear(rng, 20), "other": linear(rng, 20)})
    asked = toy.ask_users(np.arange(6), toy.moment, 4)
    lists = toy.recommend(asked)
    empty = RemovalSets.of(np.arange(6), [np.zeros(0, np.int64)] * 6)
    found = measure(toy, asked, empty, lists.item.reshape(6, 4))
    np.testing.assert_array_equal(found.score.ravel(), lists.score)
    np.testing.assert_array_equal(found.place.ravel(), lists.rank)
    assert found.listed.all()


def test_blocks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    log = [Event(user, int(item), float(day)) for user in range(4) for day, item in enumerate(rng.integers(0, 9, 6))]
    toy = recommender(tmp_path, log, 4, {"popularity": linear(rng, 9)})
    asked, item = toy.ask_users(np.arange(4), toy.moment, 3), rng.integers(0, 9, (4, 2))
    together = measure(toy, asked, leave_one_out(asked.requests), item)
    monkeypatch.setattr(removals, "_ENTRIES", 13)  # two sets
    for whole, apart in zip(together, measure(toy, asked, leave_one_out(asked.requests), item), strict=True):
        np.testing.assert_array_equal(whole, apart)


def test_lists_that_are_reranked_decide_what_is_listed(tmp_path: Path) -> None:
    toy, asked = by_hand(tmp_path, per_category=1)
    category = np.array([0, 0, 0, 0, 1])
    object.__setattr__(toy.builder, "category", category)
    found = measure(toy, asked, RemovalSets.of(np.array([0]), [np.zeros(0, np.int64)]), np.array([[3, 2, 4]]))
    assert found.listed.tolist() == [[True, False, True]]  # 2 is the second of its category
    assert found.place.tolist() == [[1, 2, 3]]


def test_histories_that_a_scorer_reads_alike_are_scored_once(tmp_path: Path) -> None:
    asked_for: list[int] = []

    class Latest(Linear):
        history_length = 2

        def score_catalogue(self, requests: Requests) -> np.ndarray:
            asked_for.append(len(requests))
            return super().score_catalogue(requests)

    log = [Event(0, item, float(day)) for day, item in enumerate([4, 2, 4, 0, 1])]
    toy = recommender(tmp_path, log, 1, {"popularity": Linear(ROW, np.zeros(5))})
    requests = toy.ask_users(np.array([0]), toy.moment, 1).requests
    rest = leave_one_out(requests).rest(requests)
    scores = removals.catalogue_scores(Latest(ROW, np.zeros(5)), rest)
    assert asked_for == [3]  # the last two events, and each without one of them
    whole = np.array([ROW[[0, 1]].sum(axis=0)] * 4 + [ROW[[4, 1]].sum(axis=0), ROW[[4, 0]].sum(axis=0)])
    np.testing.assert_allclose(scores, whole)
