"""The metric of lists over the catalogue is that of `evaluate`, on lists that truth has no part in."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.evaluation.list_metrics import ListTruth, rank_stored_lists
from interestrec.metrics import ranking
from interestrec.scorers import queries
from interestrec.scorers.queries import RequestTruth
from interestrec.scoring.catalogue_lists import METRIC, CatalogueLists, catalogue_lists
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.ranking_tables import TableLayout
from interestrec.scoring.rules import Rules
from interestrec.scoring.write_lists import ListBuilder
from tests.examples import examples
from tests.scoring.asking import requests
from tests.scoring.corpora import Event, write_event_log

USERS, ITEMS = 5, 30


def rules(eligible: np.ndarray, seen: str = "out") -> Rules:
    return Rules(seen, 1.0, eligible, per_category=None, diversity=0.0, pool=50)


def drawn(seed: int) -> tuple[CatalogueLists, np.ndarray]:
    """Random histories, truths, rules and scores with ties."""
    rng = np.random.default_rng(seed)
    histories = [rng.choice(ITEMS, rng.integers(0, 5), replace=False).tolist() for _ in range(USERS)]
    seen_rule = str(rng.choice(["out", "in", "down"]))
    permitted = rules(rng.random(ITEMS) < 0.9, seen_rule)
    pairs = [
        (user, item)
        for user in range(USERS)
        for item in np.sort(rng.choice(ITEMS, rng.integers(0, 14), replace=False))
        if permitted.eligible[item] and not (seen_rule == "out" and item in histories[user])
    ]
    request, item = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    truth = RequestTruth(request, item.astype(np.int32), np.ones(len(item), np.float32), np.zeros(len(item), bool))
    asked = requests(*histories)
    lists = CatalogueLists(
        asked,
        asked,
        truth,
        np.zeros(USERS, np.int64),
        permitted,
        rng.random(ITEMS) < 0.3,
        rng.permutation(ITEMS),
        np.zeros(USERS, dtype=bool),
        20,
    )
    return lists, rng.integers(0, 6, (USERS, ITEMS)).astype(np.float32)


@examples(100)
@given(st.integers(0, 10**9), st.booleans())
def test_values_are_those_that_evaluate_computes_of_the_lists_that_rank_writes(seed: int, of_cold: bool) -> None:
    lists, score = drawn(seed)
    among = lists.cold if of_cold else np.ones(ITEMS, dtype=bool)
    layout = TableLayout(None, ["s"], [], lists.tie_order)  # type: ignore[arg-type]
    builder = ListBuilder(layout, lists.rules, 20, np.full(ITEMS, -1), np.zeros((0, 0), np.float32))
    ranked = score.astype(np.float64)
    lists.rules.apply(ranked, lists.requests)
    written = builder.best(np.where(among, ranked, -np.inf))
    wanted = among[lists.truth.item]
    truth = ListTruth(
        ragged.from_owner(lists.truth.request[wanted], USERS),
        lists.truth.item[wanted],
        np.ones(wanted.sum()),
        np.ones(wanted.sum(), dtype=bool),
    )
    offsets = ragged.from_lengths((written >= 0).sum(axis=1))
    item = written[written >= 0]
    stored = rank_stored_lists(
        np.arange(USERS), offsets, item, ranked[ragged.owner(offsets), item], truth, graded=False
    )
    expected = ranking.metric(METRIC)(stored)
    np.testing.assert_allclose(lists.values(score, 0, USERS, lists.cold if of_cold else None), expected)
    np.testing.assert_allclose(lists.values(score[2:4], 2, 4, lists.cold if of_cold else None), expected[2:4])


def test_no_relevant_item_is_put_into_a_list() -> None:
    """One score for all items: a relevant one of 30 is expected anywhere, not among a few chosen ones."""
    lists, score = drawn(3)
    lists = replace(lists, rules=rules(np.ones(ITEMS, dtype=bool), "in"))
    truth = RequestTruth(np.arange(USERS), np.zeros(USERS, np.int32), np.ones(USERS, np.float32), np.zeros(USERS, bool))
    lists = replace(lists, truth=truth)
    flat = np.zeros_like(score)
    listed = lists.tie_order[0] < 20  # the tie order decides what is listed, and expectation what comes first
    mean = (1 / np.log2(np.arange(2, 12))).sum() / 20
    np.testing.assert_allclose(lists.values(flat, 0, USERS), listed * mean)


def test_stand_ins_for_new_users_keep_their_truth_and_lose_their_history() -> None:
    lists, _ = drawn(8)
    known = np.flatnonzero(~lists.new)
    more = lists.with_new_users(2)
    added = len(more) - USERS
    assert 0 < added <= 2
    assert more.new[USERS:].all()
    assert more.stand_in.tolist() == [False] * USERS + [True] * added
    np.testing.assert_array_equal(more.new[:USERS], lists.new)
    np.testing.assert_array_equal(more.relevant(0, USERS), lists.relevant(0, USERS))
    source = [np.flatnonzero(lists.requests.user == user)[0] for user in more.requests.user[USERS:]]
    assert set(source) <= set(known)
    np.testing.assert_array_equal(more.relevant(USERS, USERS + added), lists.relevant(0, USERS)[source])
    np.testing.assert_array_equal(more.permitted(USERS, USERS + added), lists.permitted(0, USERS)[source])


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    log = [
        *(Event(user, item, 1.0 + item) for user in range(40) for item in (user % 3, 3)),
        *(Event(user, 4 + user % 2, 21.0 + user % 3, "valid") for user in range(40)),
        *(Event(user, 3, 22.0, "valid", 0.1) for user in range(40)),
        *(Event(user, 6, 28.0, "test") for user in range(40)),
    ]
    return Corpus(write_event_log(tmp_path / "corpus", 40, 8, log), 0.5)


def test_lists_are_those_of_the_start_of_valid(corpus: Corpus) -> None:
    tie_order = np.arange(8)
    lists = catalogue_lists(corpus, rules(np.arange(8) != 5), tie_order, RankSettings(top_k=10), select=False, seed=1)
    assert not corpus.in_valid_select[lists.requests.user].any()
    assert (lists.requests.user % 2 == 0).all()  # the others took an item only that is not available
    assert lists.truth.item.tolist() == [4] * len(lists)  # relevant ones alone
    permitted = lists.permitted(0, 1)[0]
    assert not permitted[6]  # of test alone
    assert permitted[7]  # of the catalogue, without any event
    assert not permitted[5]
    assert not permitted[3]  # seen
    assert lists.cold.tolist() == [False] * 4 + [True] * 4
    day = 86_400_000_000
    np.testing.assert_array_equal(lists.time, np.minimum(21 + lists.requests.user.astype(np.int64) % 3, 22) * day)
    assert queries.first_seen(corpus, queries.TEST).tolist() == [False] * 6 + [True, False]


def test_users_whose_items_no_list_may_hold_are_left_out(corpus: Corpus) -> None:
    nothing = catalogue_lists(
        corpus, rules(np.arange(8) < 3), np.arange(8), RankSettings(top_k=10), select=False, seed=1
    )
    assert len(nothing) == 0
    assert nothing.values(np.zeros((0, 8)), 0, 0).tolist() == []
