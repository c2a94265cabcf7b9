"""Histories in the notation ITEM[:KIND[=VALUE]][@TIME]."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.answering.given_history import EventGrades, GivenEventReader
from interestrec.core.errors import DataError
from interestrec.corpus.store import NO_TIME, Corpus
from tests.scoring.corpora import DAY, Event, write_event_log

LOG = [
    Event(0, 0, 1.0, intensity=0.25, event="view"),
    Event(0, 1, 2.0, intensity=1.0, event="purchase"),
    Event(1, 1, 3.0, intensity=0.35, event="view"),
]
ITEMS = {"sku-4": 0, "sku-9": 1, "a:view": 2, "b@2026-11-01": 3}


@pytest.fixture
def reader(tmp_path: Path) -> GivenEventReader:
    return GivenEventReader(EventGrades(Corpus(write_event_log(tmp_path, 2, 2, LOG), 0.5)), ITEMS, timed=True)


def test_kind_and_time_follow_the_item(reader: GivenEventReader) -> None:
    found = reader.read(["sku-4", " sku-9:purchase@1970-01-03", "sku-4:view@1970-01-02T12:00:00+00:00"], 9 * DAY, "x")
    assert found.item.tolist() == [0, 1, 0]
    np.testing.assert_allclose(found.intensity, [0.3, 1.0, 1.0])  # the median view, the purchase, no kind
    assert found.time.tolist() == [1.5 * DAY, 2 * DAY, 9 * DAY - 3]
    assert [reader.grades.kinds[kind] if kind >= 0 else None for kind in found.kind] == ["view", "purchase", None]


def test_an_id_that_has_the_marks_of_the_notation_is_an_item(reader: GivenEventReader) -> None:
    assert reader.read(
        ["a:view", "a:view:view", "b@2026-11-01", "b@2026-11-01@1970-01-02"], DAY * 9, "x"
    ).item.tolist() == [
        3,
        2,
        2,
        3,
    ]


def test_events_without_times_keep_their_order_just_before_the_request(reader: GivenEventReader) -> None:
    found = reader.read(["sku-9", "sku-4", "sku-9"], 1000, "x")
    assert found.item.tolist() == [1, 0, 1]
    assert found.time.tolist() == [997, 998, 999]
    untimed = GivenEventReader(reader.grades, ITEMS, timed=False).read(["sku-9", "sku-4"], NO_TIME, "x")
    assert untimed.time.tolist() == [NO_TIME, NO_TIME]


def test_values_are_graded_as_those_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grades = EventGrades(Corpus(write_event_log(tmp_path, 2, 2, LOG), 0.5))
    values, intensities = np.array([1.0, 3.0, 5.0]), np.array([0.0, 0.5, 1.0])
    monkeypatch.setattr(EventGrades, "_of_kind", {"rating": (values, intensities, 0.5)})
    assert grades.intensity("rating", 4) == 0.75
    assert grades.intensity("rating", 9) == 1.0
    assert grades.intensity("rating", None) == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sku-44", r"my list: no item 'sku-44' in the decision \(did you mean 'sku-4'\?\)"),
        ("sku-44:view", "no item 'sku-44' in the decision"),
        ("sku-4:clicked", "unknown kind 'clicked'; the kinds of the log are: purchase, view"),
        ("sku-4:view=much", "the value 'much', which is not a number"),
        ("sku-4@1970-02-01", "'sku-4@1970-02-01' is not before the request"),
    ],
)
def test_what_cannot_be_read_is_refused(reader: GivenEventReader, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        reader.read(["sku-9", text], 9 * DAY, "my list")
