"""Sentences under everything, by hand."""

import pytest

from interestrec.text import boilerplate
from interestrec.text.boilerplate import shared_sentences, without

FOOT = "All rights reserved."


def test_sentences_are_shared_by_more_than_a_share_of_the_texts_that_are_not_empty() -> None:
    texts = [f"Story {n}. {FOOT}" for n in range(15)] + [f"Other {n}." for n in range(15)] + [""] * 70
    assert shared_sentences(texts, 0.49) == {FOOT: 15}
    assert shared_sentences(texts, 0.5) == {}  # 15 of 30 is not more than half


@pytest.mark.parametrize(("count", "shared"), [(9, {}), (10, {FOOT: 10})])
def test_fewer_than_ten_texts_share_nothing(count: int, shared: dict) -> None:
    assert shared_sentences([f"Story {n}? {FOOT}" for n in range(count)], 0.5) == shared


def test_a_sentence_counts_once_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boilerplate, "_FEWEST", 2)
    assert shared_sentences(["No. No. No.", "Yes! Yes!", "No. Yes?"], 0.5) == {"No.": 2}


def test_the_most_frequent_come_first_ties_by_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boilerplate, "_FEWEST", 2)
    many = " ".join(f"{letter}." for letter in "qwertyuiopasdfghjklmnbvcx")
    assert (
        "".join(s[0] for s in shared_sentences([f"{many} z.", f"z. {many}", "z."], 0.1)) == "zabcdefghijklmnopqrstuvwxy"
    )


def test_what_is_shared_is_taken_out_wherever_it_is() -> None:
    shared = {FOOT: 99, "Read more!": 50}
    texts = [f"One. Read more! Two?  {FOOT}", f"{FOOT} {FOOT}", "One", "", f"Say: {FOOT}", f"{FOOT[:-1]}"]
    assert without(texts, shared) == ["One. Two?", "", "One", "", f"Say: {FOOT}", "All rights reserved"]


def test_without_shared_sentences_texts_stay_as_they_are() -> None:
    assert without(["a.  b", ""], {}) == ["a.  b", ""]
