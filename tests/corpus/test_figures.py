"""Figures on a corpus, counted by hand."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from interestrec.corpus.figures import attribute, describe, histogram, largest_drops, spread, time_span
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.io import artifact_files, files
from interestrec.report.describe_page import bar, page
from tests.corpus.looked_at import write_looked_at
from tests.scoring.corpora import Event, write_event_log


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(write_looked_at(tmp_path), relevant_at=0.5)


def test_rows_by_split(corpus: Corpus) -> None:
    found = describe(corpus)
    assert (found["items"], found["users"]) == (4, 3)
    assert found["events"] == {"train": 4, "valid": 2, "test": 2}
    assert found["impressions"] == {"train": 3, "valid": 1, "test": 2}
    assert found["candidates"] == {"train": 5, "valid": 2, "test": 5}


def test_sparsity_counts_a_pair_once(corpus: Corpus) -> None:
    assert describe(corpus)["sparsity"] == pytest.approx(1 - 6 / 12)  # 8 events, 2 of a pair met before


def test_spreads(corpus: Corpus) -> None:
    found = describe(corpus)
    assert found["events_per_user"] == {"median": 2.0, "p90": 5, "max": 5}  # 5, 2, 1
    assert found["events_per_item"] == {"median": 2.0, "p90": 3, "max": 3}  # 2, 3, 2, 1
    assert spread(np.arange(1, 11)) == {"median": 5.5, "p90": 9, "max": 10}
    assert spread(np.zeros(0, int)) == {"median": None, "p90": None, "max": None}


def test_intensities(corpus: Corpus) -> None:
    found = describe(corpus)["intensity"]
    assert found["counts"] == [2, 0, 0, 1, 0, 1, 0, 2, 0, 2]
    assert found["relevant_share"] == pytest.approx(5 / 8)
    assert found["relevant_at"] == 0.5


def test_an_edge_belongs_to_the_bin_above() -> None:
    edges = np.array([n / 10 for n in range(11)], np.float32)
    assert histogram(edges) == [1] * 9 + [2]


def test_times(corpus: Corpus) -> None:
    found = describe(corpus)["time"]
    assert found["train"] == {"first": "1970-01-01T00:00:00Z", "last": "1970-01-03T00:00:00Z", "untimed": 0}
    assert found["valid"] == {"first": "1970-01-06T00:00:00Z", "last": "1970-01-07T00:00:00Z", "untimed": 0}
    assert found["test"] == {"first": "1970-01-09T00:00:00Z", "last": "1970-01-09T00:00:00Z", "untimed": 1}
    assert time_span(np.array([NO_TIME])) == {"first": None, "last": None, "untimed": 1}


def test_cold_is_what_train_never_saw(corpus: Corpus) -> None:
    assert describe(corpus)["cold"] == {
        "valid": {"users": 0.5, "items": 1.0},  # u2 is new, i2 is new to both
        "test": {"users": 0.0, "items": 0.5},  # i3 is new, i1 is not
    }


def test_items_without(corpus: Corpus) -> None:
    assert describe(corpus)["items_without"] == {"text": 1, "price": 3, "category": 2}


def test_attributes_of_users(corpus: Corpus) -> None:
    assert describe(corpus)["user_attributes"] == {
        "gender": {
            "missing": 0,
            "distinct": 2,
            "values": [{"value": "F", "count": 2}, {"value": "M\x1b[31m", "count": 1}],
        },
        "age": {"missing": 1, "distinct": 2, "min": 7.5, "median": 19.25, "max": 31.0},
    }
    many = pa.chunked_array([[str(n % 7) for n in range(22)]])
    assert [entry["value"] for entry in attribute(many)["values"]] == ["0", "1", "2", "3", "4"]
    assert attribute(pa.chunked_array([pa.nulls(3, pa.float64())])) == {"missing": 3, "distinct": 0, "values": []}


def test_event_types(corpus: Corpus) -> None:
    found = describe(corpus)["event_types"]
    assert [(row["event"], row["count"]) for row in found] == [("click", 4), ("read", 2), ("view", 2)]
    assert [row["mean_intensity"] for row in found] == pytest.approx([0.7, 0.35, 0.375])


def test_one_class_impressions(corpus: Corpus) -> None:
    assert describe(corpus)["one_class_impressions"] == {
        "train": {"all_relevant": 1, "none_relevant": 1, "unlabelled": 0},
        "valid": {"all_relevant": 0, "none_relevant": 0, "unlabelled": 1},
        "test": {"all_relevant": 0, "none_relevant": 1, "unlabelled": 0},
    }


def test_drops_come_with_an_example(corpus: Corpus) -> None:
    assert describe(corpus)["drops"] == [
        {"rule": "robots", "rows_in": 29, "dropped": 20, "reason": "too many", "example": "u9"},
        {"rule": "bursts", "rows_in": 30, "dropped": 1, "reason": "too soon", "example": "log.csv:7"},
    ]


def test_ten_drops_at_most() -> None:
    rules = [{"rule": str(n), "rows_in": 100, "rows_out": 100 - n} for n in range(13)]
    found = largest_drops(rules)
    assert [drop["dropped"] for drop in found] == list(range(12, 2, -1))
    assert found[0]["example"] is None


def test_a_corpus_of_one_event(tmp_path: Path) -> None:
    write_event_log(tmp_path, 1, 1, [Event(0, 0, 1)])
    files.write_json(tmp_path / artifact_files.QUALITY, {})
    found = describe(Corpus(tmp_path, None))
    assert found["cold"]["test"] == {"users": None, "items": None}
    assert (found["drops"], found["value_maps"]) == ([], None)
    text = page(found)
    assert "  relevant (above 0): 100.0 %" in text.splitlines()
    assert "an impression has one candidate" in text
    assert "dropped" not in text


def test_all_values_are_json(corpus: Corpus) -> None:
    found = describe(corpus)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_page_shows_every_section(corpus: Corpus) -> None:
    text = page(describe(corpus))
    for line in (
        "  4 items, 3 users",
        "  sparsity 50.000 % (share of pairs of a user and an item without an event)",
        "  items without text: 1, price: 3, category: 2",
        "  events                          4      2     2",
        "  of users not in train   50.0 %   0.0 %",
        "  of items not in train  100.0 %  50.0 %",
        "  user       2     5     5",
        "  0.9 - 1.0              2   25.0 %  " + "#" * 40,
        "  0.8 - 0.9              0    0.0 %",
        "  relevant (at or above 0.5): 62.5 %",
        "  robots: 20 of 29 (69.0 %)",
        "    example: u9",
        "  read: quantile knots 0 ... 8 (9 values), shares [0.5]",
    ):
        assert line in text.splitlines(), line
    assert text.isascii()


def test_a_few_of_many_still_have_a_bar() -> None:
    assert [len(bar(count, 10_000)) for count in (0, 1, 5_000, 10_000)] == [0, 1, 20, 40]
