"""A user, an item and an impression of a corpus counted by hand."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from interestrec.core.errors import DataError, InputMissingError
from interestrec.corpus import lookup
from interestrec.corpus.lookup import LOOKUPS, find_impression, find_item, find_user, similar_ids
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files
from interestrec.report.inspect_page import PAGES
from tests.corpus.looked_at import write_looked_at


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(write_looked_at(tmp_path), relevant_at=0.5)


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["item_id"] for row in rows]


def test_a_user(corpus: Corpus) -> None:
    found = find_user(corpus, "u0", 2)
    assert found["valid_part"] == corpus.users["valid_part"].to_pylist()[0]
    assert found["attributes"] == {"gender": "F", "age": 31.0}
    assert found["events"] == {"train": 3, "valid": 1, "test": 1}
    assert found["impressions"] == {"train": 2, "valid": 1, "test": 1}
    assert ids(found["latest"]) == ["i3", "i2"]
    assert found["latest"][1] == {
        "item_id": "i2",
        "title": "Tea\x1b[31m",
        "time": "1970-01-06T00:00:00Z",
        "event": "view",
        "value": None,
        "intensity": pytest.approx(0.05),
        "split": "valid",
    }


def test_events_without_time_come_last(corpus: Corpus) -> None:
    assert [row["time"] for row in find_user(corpus, "u1", 9)["latest"]] == ["1970-01-02T00:00:00Z", None]


def test_an_item(corpus: Corpus) -> None:
    found = find_item(corpus, "i1", 20)
    assert found["events"] == {"train": 2, "valid": 0, "test": 1}
    assert found["mean_intensity"] == pytest.approx((0.5 + 0.3 + 0.0) / 3)
    assert found["tokens"] == {"title": 2, "text": 0}
    assert found["liked_most_by"] == [
        {"user_id": "u0", "intensity": 0.5, "events": 1},
        {"user_id": "u1", "intensity": pytest.approx(0.3), "events": 2},
    ]


def test_all_attributes_of_an_item(corpus: Corpus) -> None:
    found = find_item(corpus, "i0", 1)
    attributes = ("item_id", "title", "text", "category", "price", "published", "has_text")
    assert [found[name] for name in attributes] == [
        "i0",
        "Steel bottle",
        "Keeps tea warm",
        "kitchen",
        12.5,
        "1970-01-02T00:00:00Z",
        True,
    ]
    assert find_item(corpus, "i2", 1)["liked_most_by"][0]["user_id"] == "u2"


def test_an_impression_in_every_split_that_has_its_id(corpus: Corpus) -> None:
    found = find_impression(corpus, "m0", 20)["found"]
    assert [one["split"] for one in found] == ["train", "test"]
    assert [one["time"] for one in found] == ["1970-01-03T00:00:00Z", "1970-01-09T00:00:00Z"]
    assert ids(found[0]["history"]) == ["i0", "i1"]
    assert ids(found[1]["history"]) == ["i1", "i0", "i2"]  # positions 1, 2, 3
    assert [(row["item_id"], row["label"]) for row in found[0]["candidates"]] == [("i0", 1.0), ("i1", 0.0)]
    assert ids(found[1]["candidates"]) == ["i1", "i2", "i3"]
    assert found[1]["candidates"][2]["label"] is None


def test_the_limit_keeps_the_end_of_a_history_and_the_best_candidates(corpus: Corpus) -> None:
    last = find_impression(corpus, "m0", 1)["found"][1]
    assert (last["history_length"], last["candidate_count"]) == (3, 3)
    assert (ids(last["history"]), ids(last["candidates"])) == (["i2"], ["i1"])


def test_a_history_is_the_users_own(corpus: Corpus) -> None:
    one = find_impression(corpus, "m4", 20)["found"][0]
    assert (one["user_id"], ids(one["history"])) == ("u1", ["i1"])


def test_an_unknown_id_names_similar_ones(corpus: Corpus) -> None:
    with pytest.raises(DataError, match=r"there is no user 'u77'; similar ids: u0, u1, u2$") as caught:
        find_user(corpus, "u77", 20)
    assert caught.value.exit_status == 65
    with pytest.raises(DataError, match="there is no item 'x'; no id has a similar prefix"):
        find_item(corpus, "x", 20)
    with pytest.raises(DataError, match=r"there is no impression 'm'; similar ids: m0, m1, m2, m3, m4$"):
        find_impression(corpus, "m", 20)


def test_the_longest_common_beginning_is_nearest() -> None:
    known = pa.chunked_array([["sku-4", "sku-41", "SKU-42", "u1"]])
    assert similar_ids(known, "sku-429") == ["SKU-42"]
    assert similar_ids(known, "sku-9") == ["sku-4", "sku-41", "SKU-42"]
    assert similar_ids(known, "") == []


def test_the_search_for_similar_ids_is_bounded(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "MAX_IDS_SEARCHED", 1)
    with pytest.raises(DataError, match=r"similar ids: u0$"):
        find_user(corpus, "u77", 20)


def test_a_missing_table_is_named(corpus: Corpus) -> None:
    (corpus.path / artifact_files.USERS).unlink()
    with pytest.raises(InputMissingError, match=artifact_files.USERS):
        find_user(corpus, "u0", 20)


@pytest.mark.parametrize(("kind", "name"), [("user", "u1"), ("item", "i3"), ("impression", "m3")])
def test_all_values_are_json(corpus: Corpus, kind: str, name: str) -> None:
    found = LOOKUPS[kind](corpus, name, 20)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_pages(corpus: Corpus) -> None:
    user, item, impression = (
        PAGES[kind](LOOKUPS[kind](corpus, name, 2))
        for kind, name in (("user", "u0"), ("item", "i0"), ("impression", "m0"))
    )
    assert "Latest 2 of 5 events" in user
    assert "\x1b" not in user  # what a title says steers no terminal
    assert "  price      12.5" in item.splitlines()
    assert "  tokens     title 2, text 3" in item.splitlines()
    assert "impression m0, test, user u0, time 1970-01-09T00:00:00Z" in impression
    assert "  history: the latest 2 of 3 events, latest last" in impression.splitlines()
    assert "  candidates: 2 of 3, highest label first" in impression.splitlines()


def test_an_impression_without_history_has_no_table_of_it(corpus: Corpus) -> None:
    assert PAGES["impression"](find_impression(corpus, "m2", 20)).splitlines() == [
        "impression m2, train, user u1, time -",
        "  history: the latest 0 of 0 events, latest last",
        "  candidates: 1 of 1, highest label first",
        "    item_id  title         label",
        "    i0       Steel bottle      0",
    ]
