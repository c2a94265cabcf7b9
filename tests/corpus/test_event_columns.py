"""Columns of events, of requests made from events and of candidates that were shown."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.corpus.event_columns import candidate_columns, timeline_columns
from interestrec.corpus.store import Corpus
from interestrec.io import schemas
from tests.scoring.corpora import Event, Impression, write_corpus, write_event_log

NAN = float("nan")


def with_events(path: Path, event: list[str], value: list[float | None]) -> Path:
    """Write other types and values to the timelines of a corpus."""
    file = path / "timelines.parquet"
    table = pq.read_table(file)
    table = table.set_column(3, "event", pa.array(event).dictionary_encode()).set_column(4, "value", pa.array(value))
    pq.write_table(table.cast(schemas.TIMELINES), file)
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three users with an event of each split, at times that do not follow the users."""
    events = [
        Event(user, 2 * user + n, day, split=split)
        for user in range(3)
        for n, (day, split) in enumerate([(1.0, "train"), (5.0 - user, "valid"), (9.0, "test")])
    ]
    return write_event_log(tmp_path / "corpus", 3, 9, events)


def test_a_request_has_the_columns_of_its_event(log: Path) -> None:
    event = ["view", "buy", "view", "buy", "buy", "view", "view", "view", "buy"]
    value = [1.0, None, 3, 4, 5, None, 7, 8, 9]
    corpus = Corpus(with_events(log, event, value), None)
    events = timeline_columns(corpus)
    assert [events.names[code] for code in events.event] == event
    found = candidate_columns(corpus, events)
    names, shown = np.array(found.names)[found.event], corpus.impressions
    rows = {(u, i): n for n, (u, i) in enumerate(zip(corpus.timelines.user, corpus.timelines.item, strict=True))}
    order = [rows[pair] for pair in zip(shown.user, shown.item, strict=True)]
    assert sorted(order) == list(range(9))
    assert names.tolist() == [event[row] for row in order]
    np.testing.assert_array_equal(found.value, [NAN if value[row] is None else value[row] for row in order])
    np.testing.assert_array_equal(found.intensity, shown.label)


def test_other_splits_do_not_change_which_event_a_request_was_made_of(log: Path) -> None:
    corpus = Corpus(with_events(log, ["view"] * 9, list(range(9))), None)
    whole = candidate_columns(corpus, timeline_columns(corpus))
    folded = corpus.with_splits(np.full(9, -1, np.int8), np.full(9, -1, np.int8))
    np.testing.assert_array_equal(candidate_columns(folded, timeline_columns(folded)).value, whole.value)


def test_candidates_of_shown_lists(tmp_path: Path) -> None:
    """A click has what was measured of it, also where its intensity is 0; a history entry is of no known type."""
    events = [
        Event(0, 5, None, event="history"),
        Event(0, 1, 2.0, intensity=0.0, event="click"),
        Event(0, 2, 2.0, intensity=0.5, event="click"),
        Event(0, 1, 3.0, intensity=0.9, event="click"),
    ]
    lists = [
        Impression(0, "train", (0, 1), [(3, 0.0), (1, 0.0), (2, 0.5)], day=2.0),
        Impression(0, "train", (0, 1), [(1, 0.9), (4, 0.7), (5, None)], day=3.0),
    ]
    path = write_corpus(tmp_path / "corpus", 1, 6, events, lists)
    corpus = Corpus(with_events(path, ["history", "click", "click", "click"], [8.0, 0.0, 20.0, 90.0]), None)
    rows = timeline_columns(corpus)
    assert rows.names == ["history", "click", "shown"]
    np.testing.assert_array_equal(rows.event, [-1, 1, 1, 1])
    np.testing.assert_array_equal(rows.value, [8, 0, 20, 90])
    found = candidate_columns(corpus, rows)
    names = [None if code < 0 else found.names[code] for code in found.event]
    assert names == ["shown", "click", "click", "click", "click", None]
    np.testing.assert_array_equal(found.value, [NAN, 0, 20, 90, NAN, NAN])
