"""Texts of every kind, through normalising and the tokenizer."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.text.boilerplate import remove_sentences, shared_sentences
from interestrec.text.normalise import normalise
from interestrec.text.tokenizer import Tokenizer, load_tokenizer
from tests.examples import examples

ODD = {
    "nothing": "",
    "a megabyte of one word": "game" * (1 << 18),
    "a megabyte of words": "the game " * (1 << 17),
    "a megabyte of what is no word": "\u0f3a" * (1 << 18),
    "a megabyte of tags": "<b>" * (1 << 18),
    "a megabyte of open tags": "<a " * (1 << 18),
    "a megabyte of entities": "&amp;" * (1 << 18),
    "entities of entities": "&amp;" * 1000 + "lt;script&gt;",
    "halves of characters as entities": "&#xD800;&#55296;&#x110000;&#0;&#x1b;",
    "right to left": "\u202eevil \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "zero bytes": "a\0b\0\0c",
    "a family": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f4\U000e0067\U000e007f",
    "a letter under a thousand marks": "e" + "\u0301" * 1000,
    "one letter that becomes many": "\ufdfa" * 1000,
    "controls": "".join(map(chr, range(32))) + "\x7f\x85\x9b",
    "private and unassigned": "\ue000\U0010ffff\U000f0000\ufffe",
}


LETTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from("&#;<>x0aA[]\0\u202e\u0301")


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> Tokenizer:
    return load_tokenizer(tiny_encoder)


def through(tokenizer: Tokenizer, text: str) -> tuple[str, list[int]]:
    normal = normalise(pa.array([text], pa.string()))
    return normal[0].as_py(), tokenizer.encode(normal.to_pylist())[0].as_py()


def check(tokenizer: Tokenizer, text: str) -> None:
    normal, tokens = through(tokenizer, text)
    assert normal == normal.strip()
    assert not any(ord(letter) < 32 or letter in "\x7f\ufffd" for letter in normal)
    assert min(tokens, default=0) >= 0
    assert max(tokens, default=0) < tokenizer.rows
    assert not {tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id} & set(tokens) or "[" in normal


@pytest.mark.parametrize("name", ODD)
def test_odd_texts(name: str, tokenizer: Tokenizer) -> None:
    check(tokenizer, ODD[name])


@examples(200)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("&#;<>x0aA[]\0\u202e\u0301"), max_size=200)
)
def test_any_text(text: str, tokenizer: Tokenizer) -> None:
    check(tokenizer, text)
    left = remove_sentences([text], shared_sentences([text] * 10, 0.5))
    assert len(left[0]) <= len(text)


def test_halves_of_characters_never_become_a_table() -> None:
    """Arrow takes only UTF-8, so they end at the reader of the raw log, as rows that are not UTF-8."""
    with pytest.raises(UnicodeEncodeError):
        pa.array(["a\ud800b"], pa.string())
