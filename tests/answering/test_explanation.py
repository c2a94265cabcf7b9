"""Explanations as a whole: values, text, and ages in words."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.answering.event_phrases import age_phrase
from interestrec.answering.explanation import explain, explanation_values
from interestrec.answering.nearest_liked import nearest_liked
from interestrec.report.explanation_page import explanation_page
from interestrec.scorers.content import Content
from tests.answering.test_removals import LOG, ROW
from tests.answering.toys import Linear, linear, recommender
from tests.scoring.corpora import Event

UNIT = np.eye(5, 3, dtype=np.float32)[[0, 1, 2, 0, 1]]  # texts: 0 like 3, 1 like 4


def test_the_worked_example(tmp_path: Path) -> None:
    toy = recommender(tmp_path, LOG, 3, {"popularity": Linear(ROW, np.zeros(5)), "content": Content(UNIT)})
    asked = toy.ask_users(np.array([0]), toy.moment, 1)
    values = explanation_values(toy, asked, explain(toy, asked, 3))
    assert (values["item_id"], values["rank"], values["listed"]) == ("i3", 1, True)
    assert [event["item_id"] for event in values["events"]] == ["i1", "i0"]
    assert [event["rank_without"] for event in values["events"]] == [2, 1]
    assert values["smallest_removal"] == {"events": [1], "proved": True, "kept_without_history": False}
    assert [(like["item_id"], like["by"], like["similarity"]) for like in values["liked"]] == [("i0", "content", 1.0)]
    assert sum(values["terms"].values()) == pytest.approx(values["score"], abs=1e-9)
    page = explanation_page("u0", values)
    assert '"i3" for u0' in page
    assert "rank 1 -> 2" in page
    assert "Out of the first 1 without this event (no smaller set does it)" in page


def test_an_item_of_the_history_and_one_that_is_not_listed(tmp_path: Path) -> None:
    toy = recommender(tmp_path, LOG, 3, {"popularity": Linear(ROW, np.zeros(5))})
    asked = toy.ask_users(np.array([0]), toy.moment, 1)
    seen, behind = (explanation_values(toy, asked, explain(toy, asked, item)) for item in (0, 4))
    assert (seen["rank"], seen["smallest_removal"], seen["events"][0]["rank_without"]) == (None, None, None)
    assert (behind["rank"], behind["listed"], behind["smallest_removal"]) == (3, False, None)
    assert "no list may hold it" in explanation_page("u0", seen)
    assert "not among the first 1" in explanation_page("u0", behind)


def test_a_person_without_a_history(tmp_path: Path) -> None:
    toy = recommender(tmp_path, LOG, 3, {"popularity": Linear(ROW, np.arange(5.0))})
    asked = toy.ask_users(np.array([2]), toy.moment, 2)
    values = explanation_values(toy, asked, explain(toy, asked, 4))
    assert values["events"] == values["liked"] == []
    assert "There is no history" in explanation_page("u2", values)


@pytest.mark.parametrize("seed", range(4))
def test_pages_are_at_most_eighty_columns_wide(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    history = enumerate(rng.integers(0, 9, 9))
    log = [Event(0, int(item), float(day), event="a long kind of event") for day, item in history]
    toy = recommender(tmp_path, log, 1, {"popularity": linear(rng, 30)})
    asked = toy.ask_users(np.array([0]), toy.moment, 5)
    values = explanation_values(toy, asked, explain(toy, asked, int(toy.recommend(asked).item[0])))
    values["title"] = "a title that is much too long for one line " * 3
    assert max(map(len, explanation_page("somebody", values).splitlines())) <= 80


def test_disliked_and_repeated_items_are_not_told_as_liked(tmp_path: Path) -> None:
    log = [Event(0, 0, 1.0, intensity=0.2), Event(0, 1, 2.0), Event(0, 1, 3.0), Event(0, 4, 4.0)]
    toy = recommender(tmp_path, log, 1, {"content": Content(UNIT)})
    requests = toy.ask_users(np.array([0]), toy.moment, 1).requests
    assert nearest_liked(toy, requests, 3, 3) == []  # item 0 is like it, and disliked
    assert [like.event for like in nearest_liked(toy, requests, 4, 3)] == [2]  # the latest event with item 1


@pytest.mark.parametrize(
    ("age", "told"),
    [(0, "less than a minute"), (60, "1 minute"), (7_100, "118 minutes"), (7_200, "2 hours"), (86_400 * 3, "3 days"),
     (86_400 * 90, "3 months")],
)  # fmt: skip
def test_ages_are_told_in_the_unit_that_reads_best(age: int, told: str) -> None:
    assert age_phrase(age * 1_000_000) == told
