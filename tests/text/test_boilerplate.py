"""Sentences under everything, by hand."""

import pytest

from interestrec.text import boilerplate
from interestrec.text.boilerplate import remove_sentences, shared_sentences

FOOT = "All rights are reserved."


def test_sentences_are_shared_by_more_than_a_share_of_the_texts_that_are_not_empty() -> None:
    texts = [f"Story {n}. {FOOT}" for n in range(15)] + [f"Other {n}." for n in range(15)] + [""] * 70
    assert shared_sentences(texts, 0.49) == {FOOT: 15}
    assert shared_sentences(texts, 0.5) == {}  # 15 of 30 is not more than half


@pytest.mark.parametrize(("count", "shared"), [(9, {}), (10, {FOOT: 10})])
def test_fewer_than_ten_texts_share_nothing(count: int, shared: dict) -> None:
    assert shared_sentences([f"Story {n}? {FOOT}" for n in range(count)], 0.5) == shared


def test_a_sentence_counts_once_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boilerplate, "_MIN_TEXTS", 2)
    no, yes = "No one ever knows.", "Yes we all know!"
    assert shared_sentences([f"{no} {no} {no}", f"{yes} {yes}", f"{no} Yes?"], 0.5) == {no: 2}


def test_the_most_frequent_come_first_ties_by_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boilerplate, "_MIN_TEXTS", 2)
    letters = "qwertyuiopasdfghjklmnbvcx"
    many = " ".join(f"{letter} is what we say." for letter in letters)
    last = "z is what we say."
    found = shared_sentences([f"{many} {last}", f"{last} {many}", last], 0.1)
    assert "".join(sentence[0] for sentence in found) == "z" + "".join(sorted(letters))


def test_abbreviations_are_no_sentences() -> None:
    assert shared_sentences([f"Rep. {n} of the U.S. said so." for n in range(20)], 0.5) == {}


def test_what_is_shared_is_taken_out_wherever_it_is() -> None:
    shared = {FOOT: 99, "Read more!": 50}
    texts = [f"One. Read more! Two?  {FOOT}", f"{FOOT} {FOOT}", "One", "", f"Say: {FOOT}", f"{FOOT[:-1]}"]
    assert remove_sentences(texts, shared) == ["One. Two?", "", "One", "", f"Say: {FOOT}", "All rights are reserved"]


def test_without_shared_sentences_texts_stay_as_they_are() -> None:
    assert remove_sentences(["a.  b", ""], {}) == ["a.  b", ""]
