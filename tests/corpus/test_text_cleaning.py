"""Texts of items: the same cleaning for titles, texts and categories, and what is without text."""

from pathlib import Path

import pyarrow as pa
import pytest

from interestrec.core.errors import TooFewRowsError
from interestrec.corpus.text_cleaning import clean_texts, clean_words, require_texts, tokenize_items
from interestrec.rawfiles.quality_log import QualityLog
from interestrec.text.tokenizer import load_tokenizer


def items(titles: list[str], texts: list[str] | None = None, categories: list[str | None] | None = None) -> pa.Table:
    n = len(titles)
    return pa.table(
        {
            "item": pa.array(range(n), pa.int32()),
            "title": titles,
            "text": texts or [""] * n,
            "category": pa.array(categories or [None] * n, pa.string()),
            "in_train": [True] * n,
        }
    )


def test_categories_are_cleaned_as_titles_are() -> None:
    raw = ["Food &amp; <b>Drink</b>", " Home /  Mugs\u00a0&amp; Cups/ ", "Food &amp;amp; Drink", "<br>", "/", None]
    found = clean_texts(items([""] * 6, categories=raw), None, QualityLog())
    expected = ["Food & Drink", "Home/Mugs & Cups", "Food & Drink", None, None, None]
    assert found["category"].to_pylist() == expected


def test_words_of_users_are_cleaned_too() -> None:
    assert clean_words(pa.array(["R&amp;D", " ", None])).to_pylist() == ["R&D", None, None]


def test_code_is_counted_with_examples() -> None:
    quality = QualityLog()
    script = "var aPageStart = (new Date()).getTime();\nvar b;"
    found = clean_texts(items(["a mug", script], ["<style>p {a: b}</style>red", "blue"]), None, quality)
    assert found["title"].to_pylist() == ["a mug", ""]
    assert found["text"].to_pylist() == ["red", "blue"]
    [rule] = quality.rules
    assert (rule["rule"], rule["rows_in"], rule["rows_out"]) == ("code in texts", 2, 2)
    assert rule["reason"].startswith("2 titles or texts lost the content of scripts")
    assert rule["examples"] == ["var aPageStart = (new Date()).getTime(); var b;", "<style>p {a: b}</style>red"]


def test_unknown_words_are_no_text_and_a_warning_names_their_script(tiny_encoder: Path) -> None:
    quality = QualityLog()
    cleaned = clean_texts(items(["\u4fdd\u6e29", "the dog", "", "\U0001f600 dog"]), None, quality)
    assert cleaned["has_text"].to_pylist() == [True, True, False, True]
    tokenized = tokenize_items(cleaned, "text", load_tokenizer(tiny_encoder), quality)
    assert tokenized.items["has_text"].to_pylist() == [False, True, False, True]
    assert tokenized.only_unknown == 1
    assert tokenized.unknown_by_script() == {
        "Latin": {"letters": 9, "unknown": 0, "share": 0.0, "items": 0},
        "Han": {"letters": 2, "unknown": 2, "share": 1.0, "items": 1},
        "Emoji and symbols": {"letters": 1, "unknown": 1, "share": 1.0, "items": 1},
    }
    [warning] = quality.warnings
    assert "Han (100 % of 2 characters, in 1 items), Emoji and symbols (100 % of 1 characters, in 1 items)" in warning
    assert "1 of 4 items have nothing else" in warning
    assert "choose a multilingual encoder" in warning


@pytest.mark.parametrize(("unknown", "warned"), [(2, False), (3, True)])
def test_a_fifth_of_a_script_is_the_limit(tiny_encoder: Path, unknown: int, warned: bool) -> None:
    quality = QualityLog()
    titles = ["\u0436" + "a" for _ in range(unknown)] + ["dog dog"] + ["a"] * (10 - 6 - unknown)
    latin = unknown * 1 + 6 + len(titles) - unknown - 1
    tokenize_items(clean_texts(items(titles), None, quality), "text", load_tokenizer(tiny_encoder), quality)
    assert any("Latin" in sentence for sentence in quality.warnings) == (unknown / latin > 0.2) == warned


def test_the_limit_of_items_without_text_counts_those_that_have_neither() -> None:
    cleaned = clean_texts(items(["", "a", "\u4fdd", "b"]), None, QualityLog())
    require_texts(cleaned, 0.25)
    with pytest.raises(TooFewRowsError, match=r"1 of 4 items have no text, more than .* \(0\.2\) allows"):
        require_texts(cleaned, 0.2)
