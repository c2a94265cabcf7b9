"""When the order of a log's events says something."""

from pathlib import Path

import pytest

from interestrec.corpus.store import Corpus
from interestrec.io.schemas import HISTORY_EVENT
from tests.scoring.corpora import Event, Impression, write_corpus

ONE, LIST = [(1, 1.0)], [(1, 1.0), (0, 0.0)]


@pytest.mark.parametrize(
    ("day", "event", "shown", "expected"),
    [
        (None, "event", ONE, True),
        (3.0, "event", ONE, False),
        (None, HISTORY_EVENT, ONE, False),  # a logged history is in order, with or without times
        (None, "event", LIST, False),
    ],
)
def test_events_are_unordered_without_times_lists_and_logged_histories(
    tmp_path: Path, day: float | None, event: str, shown: list[tuple[int, float | None]], expected: bool
) -> None:
    events = [Event(0, 0, day, event=event), Event(0, 1, None)]
    corpus = Corpus(write_corpus(tmp_path, 1, 2, events, [Impression(0, "train", (0, 1), shown)]), None)
    assert corpus.is_unordered is expected
