"""Answers as text."""

import numpy as np
import pyarrow as pa
import pytest

from interestrec.answering.answer_tables import Answer
from interestrec.answering.recommender import Recommendations
from interestrec.corpus.store import Corpus
from interestrec.report.answer_text import answer_lines, interested_lines


@pytest.fixture
def log(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    corpus = Corpus(tmp_path_factory.mktemp("log"), None)
    corpus.__dict__["items"] = pa.table({"item_id": ["a", "b", "c"], "title": ["A pan", "B\x1b[31m", "C " * 60]})
    return corpus


def rows(request: list[int], item: list[int], rank: list[int], intensity: list[float]) -> Recommendations:
    score = np.zeros(len(item))
    return Recommendations(
        np.array(request), np.array(item), np.array(rank, np.int32), score, np.array(intensity, np.float32), {}
    )


def test_a_heading_per_person_and_a_reason_below_each_item(log: Corpus) -> None:
    listed = rows([0, 0, 2], [0, 1, 2], [1, 2, 1], [0.5, np.nan, 1.0])
    reasons = ["because of " + "x " * 50, None, "popular"]
    lines = list(answer_lines(log, Answer(["ann", "bob", "cy"], listed, reasons), titles=True, width=80))
    assert lines[:3] == ["ann", "     intensity  title", "  1  0.50       A pan"]
    assert lines[3].startswith("      because of x x")
    assert lines[5] == "  2  -          B [31m"  # a title cannot control the terminal
    assert lines[6:8] == ["bob", "  no item is left that a list may hold"]
    assert lines[-1] == "      popular"
    assert max(map(len, lines)) <= 80
    ids = list(answer_lines(log, Answer(["ann"], rows([0], [1], [0], [0.1])), titles=False, width=80))
    assert ids == ["ann", "     intensity  item", "  -  0.10       b"]


def test_interested_users_stand_in_one_table(log: Corpus) -> None:
    found = Answer(["ann", "bob"], rows([0, 1], [1, 1], [1, 7], [0.9, 0.8]))
    assert list(interested_lines(log, found, titles=False)) == [
        "b",
        "     intensity  user  place in the user's list",
        "  1  0.90       ann                          1",
        "  2  0.80       bob                          7",
    ]
    nobody = Answer([], rows([], [], [], []))
    assert list(interested_lines(log, nobody, titles=True)) == ["nobody's list may hold this item"]
