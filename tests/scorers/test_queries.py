"""Requests, events and truth, read off a log without and a log with stated histories."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.scorers import queries
from interestrec.scorers.requests import Requests
from tests.scoring.asking import requests
from tests.scoring.corpora import DAY, Event, Impression, write_corpus, write_event_log


def history_of(asked: Requests, request: int) -> list[int]:
    return asked.item[asked.offsets[request] : asked.offsets[request + 1]].tolist()


def event_log(path: Path) -> Corpus:
    log = [
        Event(0, 0, 1),
        Event(0, 1, 2, intensity=0.2),
        Event(0, 2, 5, "valid"),
        Event(0, 0, 8, "test"),
        Event(0, 3, 9, "test", intensity=0.4),
        Event(0, 3, 10, "test", intensity=0.8),
        Event(1, 1, 3),
        Event(2, 4, 9, "test"),
    ]
    return Corpus(write_event_log(path, 3, 5, log), relevant_at=0.5)


def test_positive_events_of_earlier_splits_are_fitted_on(tmp_path: Path) -> None:
    corpus = event_log(tmp_path)
    assert queries.positive_events(corpus, queries.VALID).item.tolist() == [0, 1, 1]
    assert queries.positive_events(corpus, queries.TEST).item.tolist() == [0, 1, 2, 1]
    assert np.flatnonzero(queries.known_items(corpus)).tolist() == [0, 1, 2]


def test_a_log_without_stated_histories_knows_a_user_by_earlier_splits(tmp_path: Path) -> None:
    corpus = event_log(tmp_path)
    test = queries.catalogue_requests(corpus, queries.TEST)
    assert test.user.tolist() == [0, 2]
    assert [history_of(test, r) for r in (0, 1)] == [[0, 1, 2], []]
    valid = queries.catalogue_requests(corpus, queries.VALID)
    assert [history_of(valid, r) for r in range(len(valid))] == [[0, 1]]
    nobody = queries.catalogue_requests(corpus, queries.VALID, np.zeros(3, dtype=bool))
    assert len(nobody) == 0


def test_truth_holds_each_item_once_with_its_best_label_and_whether_it_was_seen(tmp_path: Path) -> None:
    corpus = event_log(tmp_path)
    truth = queries.request_truth(corpus, queries.catalogue_requests(corpus, queries.TEST), queries.TEST)
    assert truth.request.tolist() == [0, 0, 1]
    assert truth.item.tolist() == [0, 3, 4]
    np.testing.assert_allclose(truth.label, [1.0, 0.8, 1.0])
    assert truth.seen.tolist() == [True, False, False]


def test_neighbouring_impressions_with_one_history_are_one_request(tmp_path: Path) -> None:
    log = [Event(0, 0, 1), Event(0, 1, 2), Event(0, 2, 2), Event(0, 3, 3)]
    asked = queries.impression_queries(Corpus(write_event_log(tmp_path, 1, 4, log), None), np.arange(4))
    assert [history_of(asked.requests, r) for r in range(3)] == [[], [0], [0, 1, 2]]
    assert asked.requests.at.tolist() == [DAY, 2 * DAY, 3 * DAY]
    assert asked.request_offsets.tolist() == [0, 1, 3, 4]
    assert asked.offsets.tolist() == [0, 1, 2, 3, 4]


def test_a_log_with_stated_histories_knows_a_user_by_the_first_impression(tmp_path: Path) -> None:
    log = [
        Event(0, 0, None, "test", event="history"),
        Event(0, 1, None, "test", event="history"),
        Event(0, 4, 6, "test", event="click"),
    ]
    shown = [
        Impression(0, "test", (1, 2), [(3, 1.0), (2, 0.0)], day=7),
        Impression(0, "test", (0, 1), [(4, 1.0), (3, 0.0)], day=6),
    ]
    corpus = Corpus(write_corpus(tmp_path, 1, 5, log, shown), None)
    assert history_of(queries.catalogue_requests(corpus, queries.TEST), 0) == [0]
    truth = queries.request_truth(corpus, queries.catalogue_requests(corpus, queries.TEST), queries.TEST)
    assert truth.item.tolist() == [3, 4]  # stated history rows and ignored candidates are no truth
    assert len(queries.positive_events(corpus, queries.TEST).item) == 0


def test_impressions_of_one_history_at_several_times_are_asked_at_their_own(tmp_path: Path) -> None:
    log = [Event(0, 0, None, "test", event="history"), Event(0, 4, 6, "test", event="click")]
    shown = [Impression(0, "test", (0, 1), [(4, 1.0), (3, 0.0)], day=day) for day in (7, 7, 6, None)]
    asked = queries.impression_queries(Corpus(write_corpus(tmp_path, 1, 5, log, shown), None), np.arange(4))
    assert asked.requests.at.tolist() == [7 * DAY, 6 * DAY, NO_TIME]
    assert asked.request_offsets.tolist() == [0, 4, 6, 8]
    assert asked.offsets.tolist() == [0, 2, 4, 6, 8]


def test_lists_are_of_the_start_of_the_split_where_splits_follow_time(tmp_path: Path) -> None:
    corpus = event_log(tmp_path / "ordered")
    assert queries.catalogue_requests(corpus, queries.TEST).at.tolist() == [8 * DAY] * 2
    one = np.array([False, False, True])
    assert queries.catalogue_requests(corpus, queries.TEST, one).at.tolist() == [8 * DAY]  # of all, not of those asked
    assert queries.catalogue_requests(corpus, queries.VALID).at.tolist() == [5 * DAY]
    mixed = [Event(0, 0, 1), Event(0, 1, 4, "test"), Event(0, 2, 5, "test"), Event(1, 1, 9), Event(1, 3, 10, "test")]
    corpus = Corpus(write_event_log(tmp_path / "mixed", 2, 5, mixed), None)
    assert queries.catalogue_requests(corpus, queries.TEST).at.tolist() == [4 * DAY, 10 * DAY]


def test_requests_as_of_a_time_are_of_that_time(tmp_path: Path) -> None:
    asked = queries.requests_as_of(event_log(tmp_path), 5 * DAY, np.array([2, 0]))
    assert asked.user.tolist() == [2, 0]
    assert asked.at.tolist() == [5 * DAY] * 2
    assert [history_of(asked, r) for r in (0, 1)] == [[], [0, 1]]


def test_the_times_of_requests_go_with_them() -> None:
    asked = requests([1], [], [2, 3], at=[5, None, 7])
    assert asked.block(1, 3).at.tolist() == [NO_TIME, 7 * DAY]
    assert asked.rows(np.array([2, 0])).at.tolist() == [7 * DAY, 5 * DAY]
    assert asked.without_history().at.tolist() == asked.at.tolist()
    assert asked.appended(asked.block(0, 1)).at.tolist() == [5 * DAY, NO_TIME, 7 * DAY, 5 * DAY]


def test_requests_say_when_each_entry_of_a_history_was(tmp_path: Path) -> None:
    log = [Event(0, 0, 1), Event(0, 1, None), Event(0, 2, 3), Event(1, 1, 2), Event(1, 3, 9, "test")]
    shown = [Impression(0, "test", (0, 3), [(3, 1.0)], day=8), Impression(1, "test", (0, 1), [(3, 1.0)], day=9)]
    asked = queries.impression_queries(Corpus(write_corpus(tmp_path, 2, 4, log, shown), None), np.arange(2)).requests
    assert asked.time.tolist() == [DAY, NO_TIME, 3 * DAY, 2 * DAY]
    assert asked.block(1, 2).time.tolist() == [2 * DAY]


def test_labels_are_the_known_ones_of_earlier_impressions(tmp_path: Path) -> None:
    shown = [
        Impression(0, "train", (0, 0), [(3, 1.0), (2, 0.0)]),
        Impression(0, "valid", (0, 0), [(1, None), (0, 0.5)]),
        Impression(1, "test", (0, 0), [(4, 1.0)]),
        Impression(1, "train", (0, 0), [(4, 0.2)]),
    ]
    corpus = Corpus(write_corpus(tmp_path, 2, 5, [Event(0, 0, 1), Event(1, 0, 1)], shown), None)
    train = queries.known_labels(corpus, queries.VALID)
    found = list(zip(train.user.tolist(), train.item.tolist(), train.label.tolist(), strict=True))
    assert found == [(0, 3, 1.0), (0, 2, 0.0), (1, 4, pytest.approx(0.2))]
    assert queries.known_labels(corpus, queries.TEST).item.tolist() == [3, 2, 0, 4]
