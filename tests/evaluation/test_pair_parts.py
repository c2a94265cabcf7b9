"""Which relevant items followed a recent item before: by hand, and against the definition in plain loops."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.evaluation import pair_parts
from interestrec.evaluation.list_metrics import ListTruth
from interestrec.evaluation.pair_parts import NEITHER, NEW, RECENT, SEEN, PairParts, find_parts, positions
from interestrec.io.schemas import HISTORY_EVENT, TEST
from interestrec.scorers import queries
from tests.scoring.corpora import Event, Impression, write_corpus, write_event_log


def parts_of(corpus: Corpus) -> tuple[PairParts, ListTruth]:
    """The parts, and every positive item of the catalogue's users as truth."""
    requests = queries.catalogue_requests(corpus, TEST)
    pairs = queries.request_truth(corpus, requests, TEST)
    offsets = ragged.from_owner(pairs.request, len(requests))
    truth = ListTruth(offsets, pairs.item.astype(np.int64), pairs.label, corpus.relevant(pairs.label))
    return find_parts(corpus, requests, truth), truth


def by_user(corpus: Corpus) -> dict[tuple[int, int], int]:
    found, truth = parts_of(corpus)
    user = queries.catalogue_requests(corpus, TEST).user[ragged.owner(truth.offsets)]
    return {(int(u), int(i)): int(p) for u, i, p in zip(user, truth.item, found.truth, strict=True)}


def test_by_hand(tmp_path: Path) -> None:
    log = [
        *(Event(0, 0, 1), Event(0, 1, 2), Event(0, 2, 2), Event(0, 3, 3, "valid")),  # 0 → 1, 0 → 2, and all → 3
        *(Event(0, 4, 9, "test"), Event(0, 0, 9, "test")),
        *(Event(1, 5, 1, intensity=0.0), Event(1, 0, 2), Event(1, 4, 3, intensity=0.0)),  # not 5 → 0, and not 0 → 4
        *(Event(1, 1, 9, "test"), Event(1, 3, 9, "test"), Event(1, 4, 9, "test"), Event(1, 5, 9, "test", 0.2)),
        *(Event(2, 1, 1), Event(2, 2, 9, "test")),  # 1 and 2 were at the same time: neither is before the other
        *(Event(3, 5, 1, intensity=0.0), Event(3, 0, 9, "test")),  # a history that makes no pair
        Event(4, 1, 9, "test"),  # no history
    ]
    found = by_user(Corpus(write_event_log(tmp_path, 5, 6, log), relevant_at=0.5))
    assert found == {
        **{(0, 4): NEW, (0, 0): NEW},
        **{(1, 1): SEEN, (1, 3): SEEN, (1, 4): NEW, (1, 5): NEITHER},  # 5 is not relevant
        **{(2, 2): NEW, (3, 0): NEITHER, (4, 1): NEITHER},
    }


def test_only_recent_entries_make_pairs(tmp_path: Path) -> None:
    other = [Event(0, n, n) for n in range(RECENT + 2)]  # 1 → 11, but not 0 → 11, which is an entry further back
    first = [Event(1, 0, 1), Event(1, RECENT + 1, 9, "test"), Event(2, 1, 1), Event(2, RECENT + 1, 9, "test")]
    far = [Event(3, 1, 0), *(Event(3, 20 + n, 1 + n / 99) for n in range(RECENT)), Event(3, RECENT + 1, 9, "test")]
    found = by_user(Corpus(write_event_log(tmp_path, 4, 40, [*other, *first, *far]), None))
    assert found == {(1, RECENT + 1): NEW, (2, RECENT + 1): SEEN, (3, RECENT + 1): NEW}


def test_what_happened_in_test_is_not_before_it(tmp_path: Path) -> None:
    log = [Event(0, 0, 1), Event(0, 1, 8, "test"), Event(1, 0, 1), Event(1, 1, 9, "test")]
    assert by_user(Corpus(write_event_log(tmp_path, 2, 2, log), None)) == {(0, 1): NEW, (1, 1): NEW}


def test_logged_histories_and_lists_of_candidates(tmp_path: Path) -> None:
    log = [
        *(Event(0, item, None, "train", 1.0, HISTORY_EVENT) for item in (0, 1)),  # 0 → 1
        Event(0, 2, 1),  # a click, in the impression below: 0 → 2, 1 → 2
        *(Event(1, item, None, "valid", 1.0, HISTORY_EVENT) for item in (3, 0)),  # 3 → 0
        *(Event(1, item, None, "test", 1.0, HISTORY_EVENT) for item in (2, 4)),  # of test: not 2 → 4, nor 0 → 2
    ]
    shown = [
        Impression(0, "train", (0, 2), [(2, 1.0), (3, 0.0)], 1),  # 3 was ignored
        Impression(1, "valid", (0, 2), [(5, 0.0), (4, 0.0)], 2),
        Impression(0, "test", (0, 2), [(2, 1.0), (3, 1.0), (1, 0.0)], 8),
        Impression(1, "test", (0, 2), [(0, 1.0), (5, 1.0), (1, 0.4)], 8),
        Impression(1, "test", (2, 4), [(4, 1.0), (0, 1.0)], 9),
        Impression(1, "test", (2, 2), [(1, 1.0), (0, 0.0)], 9),  # without a history
        Impression(1, "test", (0, 2), [(0, 1.0)], 9),  # one candidate: no list
    ]
    corpus = Corpus(write_corpus(tmp_path, 2, 6, log, shown), relevant_at=0.5)
    found, _ = parts_of(corpus)
    asked = pa.chunked_array([["m2", "m3", "m4", "m5", "m6", "m0"]]).dictionary_encode()
    owner = np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5])
    item = np.array([2, 3, 1, 0, 5, 1, 4, 0, 1, 0, 2])
    expected = [SEEN, NEW, NEITHER, SEEN, NEW, NEITHER, NEW, NEW, NEITHER, NEITHER, NEITHER]
    assert found.of_candidates(asked, owner, item).tolist() == expected
    # the catalogue's list of user 1 has the history of the first impression of test
    assert by_user(corpus)[1, 0] == SEEN
    assert by_user(corpus)[1, 4] == NEW


def loops(corpus: Corpus, history: list[int], j: int, happened: set[tuple[int, int]]) -> int:
    recent = [i for i in history[-RECENT:] if i >= 0]
    return NEITHER if not recent else SEEN if any((i, j) in happened for i in recent) else NEW


@pytest.mark.parametrize("block", [3, 1 << 18])
@pytest.mark.parametrize("seed", range(3))
def test_against_loops(seed: int, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_parts, "_BLOCK", block)
    rng = np.random.default_rng(seed)
    log = []
    for user in range(30):
        for day in np.sort(rng.integers(0, 30, rng.integers(1, 25))):
            split = "train" if day < 18 else "valid" if day < 22 else "test"
            log.append(Event(user, int(rng.integers(40)), float(day), split, float(rng.choice([0.0, 0.3, 1.0]))))
    corpus = Corpus(write_event_log(tmp_path, 30, 40, log), relevant_at=0.5)
    happened = set()
    for event in log:
        before = sorted(  # as in the timeline: by time, then by row
            (other for other in log if other.user == event.user and other.day < event.day), key=lambda e: e.day
        )
        if event.split != "test" and event.intensity > 0:
            happened |= {(other.item, event.item) for other in before[-RECENT:] if other.intensity > 0}
    found = by_user(corpus)
    assert {SEEN, NEW} <= set(found.values())
    for (user, j), part in found.items():
        mine = [e for e in log if e.user == user]
        best = max(e.intensity for e in mine if e.item == j and e.split == "test")
        history = [e.item if e.intensity > 0 else -1 for e in mine if e.split != "test"]
        assert part == (loops(corpus, history, j, happened) if best >= 0.5 else NEITHER), (user, j)


def test_slices_are_those_with_an_item(tmp_path: Path) -> None:
    log = [Event(0, 0, 1), Event(0, 1, 9, "test")]
    found, _ = parts_of(Corpus(write_event_log(tmp_path, 1, 2, log), None))
    assert [(part.name, part.by, part.members.tolist()) for part in found.slices()] == [("pair:new", "pairs", [True])]


def test_places_among_distinct_values() -> None:
    place, found = positions(np.array([2, 5, 9]), np.array([9, 0, 5, 11]))
    assert found.tolist() == [True, False, True, False]
    assert place[found].tolist() == [2, 1]
    assert positions(np.zeros(0, int), np.array([3]))[1].tolist() == [False]
