"""Which users and items make which slice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from interestrec.corpus.store import Corpus
from interestrec.evaluation import population as known
from interestrec.evaluation.population import PastEvents, Population
from interestrec.evaluation.slices import SLICES, all_slices, parts_of_items
from interestrec.text.scripts import main_script
from tests.scoring.corpora import Event, Impression, write_corpus


def facts(history: list[int], warm: list[bool] | None = None, **columns: list) -> Population:
    """Users with histories of these lengths; items of the categories a, b and none."""
    users = {"user": range(len(history)), "user_id": [f"u{n}" for n in range(len(history))]}
    offsets = np.concatenate([[0], np.cumsum(history)])
    return Population(
        users=pa.table({**users, "valid_part": ["valid_select"] * len(history), **columns}),
        past=PastEvents(offsets, np.zeros(offsets[-1], np.int32)),
        warm=np.array([True] * len(history) if warm is None else warm),
        category=np.array([0, 1, 1, -1], np.int32),
        categories=["a", "b"],
        cold=np.array([False, False, True, False]),
        relevant_items=np.array([1, 2, 0, 3]),
        script=np.array(["Latin"] * 4, object),
        item_values={},
    )


def members(one: Population, name: str) -> dict[str, list[int]]:
    return {part.name: np.flatnonzero(part.members).tolist() for part in SLICES[name](one)}


def test_warm_and_cold_users_divide_all() -> None:
    found = members(facts([0, 1, 0], [True, True, False]), "warmth")
    assert found == {"warm_users": [0, 1], "cold_users": [2]}
    assert [part.name for part in all_slices(facts([1, 1])) if part.name.endswith("users")] == ["warm_users"]


def test_activity_is_in_quarters_and_equal_lengths_stay_together() -> None:
    found = members(facts([5, 0, 9, 2, 7, 1, 3, 8]), "activity")
    assert found == {"activity_1": [1, 5], "activity_2": [3, 6], "activity_3": [0, 4], "activity_4": [2, 7]}
    same = members(facts([4] * 8), "activity")
    assert same == {"activity_1": list(range(8)), "activity_2": [], "activity_3": [], "activity_4": []}


def test_attributes_of_enough_users_are_slices_and_numbers_come_in_quarters() -> None:
    n = 160
    city = ["Ulm"] * 100 + ["Jena"] * 30 + ["Lahr"] * 29 + [None]
    age = [None if k == 159 else k % 53 for k in range(n)]
    one = facts([1] * n, city=city, age=age, pays=[True] * 31 + [False] * 129, seen=pa.nulls(n, pa.timestamp("us")))
    found = members(one, "attributes")
    assert list(found) == ["city=Jena", "city=Ulm", "age=q1", "age=q2", "age=q3", "age=q4", "pays=false", "pays=true"]
    assert found["city=Ulm"] == list(range(100))
    assert [age[k] for k in found["age=q1"]] == [k % 53 for k in range(159) if k % 53 <= 13]
    assert sorted(k for name in list(found)[2:6] for k in found[name]) == list(range(159))
    assert {part.family for part in SLICES["attributes"](one)} == {"city", "age", "pays"}


def test_few_different_numbers_are_codes_and_each_is_a_slice() -> None:
    job = [float(k % 3) for k in range(120)]
    found = members(facts([1] * 120, job=job), "attributes")
    assert list(found) == ["job=0", "job=1", "job=2"]
    assert found["job=2"] == [k for k in range(120) if k % 3 == 2]


def test_categories_are_those_of_the_truth_commonest_first() -> None:
    one = facts([1])
    assert members(one, "categories") == {"category=b": [1, 2], "category=a": [0]}
    assert [part.tolist() for part in parts_of_items(all_slices(one), 4)] == [[1, 0, 0, -1]]


def test_scripts_and_values_of_items_are_slices_where_there_are_several() -> None:
    one = facts([1])
    assert members(one, "scripts") == {}
    several = replace(
        one,
        script=np.array(["Latin", "Han", "Latin", None], object),
        item_values={"language": np.array(["de", "zh", "de", "en"], object)},
    )
    assert members(several, "scripts") == {"script=Latin": [0, 2], "script=Han": [1]}
    assert members(several, "item_values") == {"language=de": [0, 2], "language=en": [3], "language=zh": [1]}
    # Categories are a partition of the items, and scripts are another one; the languages share none with the latter.
    partitions = parts_of_items(all_slices(several), 4)
    assert [part.tolist() for part in partitions] == [[1, 0, 0, 5], [2, 3, 2, -1], [4, 6, 4, -1]]


def test_the_main_script_of_a_text() -> None:
    found = [main_script(text) for text in ("Amélie 2001", "天使愛美麗 (Amélie)", "Амели", "2001!", "", "ab 天使")]
    assert found == ["Latin", "Latin", "Cyrillic", None, None, "Latin"]


def test_facts_of_a_corpus(tmp_path: Path) -> None:
    log = [
        Event(0, 0, 1),  # in the history of a valid impression and positive
        Event(0, 1, 2, intensity=0.1),  # not positive, but in that history
        Event(0, 2, 5, "valid", intensity=0.1),  # not relevant, but positive: weak evidence
        Event(1, 3, 3),  # positive
        Event(1, 4, 9, "test"),
        Event(2, 0, 9, "test"),
    ]
    shown = [
        Impression(0, "valid", (0, 2), [(5, 1.0)], 5),
        Impression(0, "test", (0, 3), [(4, 1.0)], 9),
        Impression(1, "test", (1, 1), [(4, 1.0)], 9),
        Impression(2, "test", (0, 0), [(0, 1.0)], 9),
    ]
    corpus = Corpus(write_corpus(tmp_path, 3, 6, log, shown), relevant_at=0.5)
    past = PastEvents(np.array([0, 3, 3, 3]), np.array([0, 1, 2]))
    found = known.describe_population(corpus, np.arange(3), past, np.array([4]))
    assert np.flatnonzero(found.cold).tolist() == [4, 5]
    assert found.warm.tolist() == [True, True, False]  # user 1 asks without a history but has a train event
    had, users = known.train_users(corpus)
    assert had.tolist() == [1, 0, 0, 1, 0, 0]
    assert users == 2
    assert past.select(np.array([1, 0])).item.tolist() == [0, 1, 2]


def test_first_parts_of_category_paths() -> None:
    code, names = known.first_categories(pa.chunked_array([["news/uk", None, "sports", "news"]]))
    assert names == ["news", "sports"]
    assert code.tolist() == [0, -1, 1, 0]
