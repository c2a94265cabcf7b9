"""Letters that a tokenizer does not know, counted by hand."""

from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from interestrec.text.scripts import EMOJI
from interestrec.text.tokenizer import load_tokenizer
from interestrec.text.unknown_tokens import UnknownTokens, unknown_tokens
from tests import kin
from tests.examples import examples


def counted(encoder: Path, *columns: list[str]) -> UnknownTokens:
    tokenizer = load_tokenizer(encoder)
    return unknown_tokens(tokenizer, [(pa.array(texts, pa.string()), tokenizer.encode(texts)) for texts in columns])


def shown(found: UnknownTokens) -> dict[str, tuple[int, int, list[int]]]:
    return {name: (counts.letters, counts.unknown, sorted(counts.texts)) for name, counts in found.scripts.items()}


def test_letters_within_unknown_tokens_are_counted_by_script(tiny_encoder: Path) -> None:
    # WordPiece knows Latin letters; a word with another letter is one unknown token, and so is each Han character.
    found = counted(
        tiny_encoder, ["the game \u4fdd\u6e29", "caf\u0436", "\U0001f600, \U0001f600!", "", "...", "\u4fdd dog"]
    )
    assert shown(found) == {
        "Latin": (13, 3, [1]),
        "Han": (3, 3, [0, 5]),
        EMOJI: (2, 2, [2]),
        "Cyrillic": (1, 1, [1]),
    }
    # Known commas are no words; an empty text and known punctuation alone have no unknown token.
    assert found.is_only_unknown.tolist() == [False, True, True, False, False, False]


def test_a_known_word_in_another_column_is_enough(tiny_encoder: Path) -> None:
    found = counted(tiny_encoder, ["\u4fdd", "\u4fdd", "\u4fdd"], ["the dog", "", "\u6e29"])
    assert found.is_only_unknown.tolist() == [False, True, True]
    assert shown(found) == {"Latin": (6, 0, []), "Han": (4, 4, [0, 1, 2])}


def test_a_byte_level_tokenizer_knows_every_letter(tmp_path: Path) -> None:
    found = counted(kin.write(tmp_path, "roberta"), ["\u4fdd\u6e29 \U0001f600", "\u0e41\u0e01"])
    assert sum(counts.unknown for counts in found.scripts.values()) == 0
    assert not found.is_only_unknown.any()


def test_a_tokenizer_that_drops_what_it_does_not_know(tiny_encoder: Path) -> None:
    found = counted(tiny_encoder, ["\u200d\u200d", "dog"])  # the normaliser leaves nothing of joiners
    assert found.is_only_unknown.tolist() == [True, False]


@examples(60)
@given(st.lists(st.text(alphabet="ab \u4fdd\u0436\U0001f600!1\u0301\u0e41", max_size=8), min_size=1, max_size=5))
def test_counts_fit_together(tiny_encoder: Path, texts: list[str]) -> None:
    found = counted(tiny_encoder, texts)
    assert sum(counts.letters for counts in found.scripts.values()) == sum(
        character.isalpha() or character == "\U0001f600" for text in texts for character in text
    )
    for counts in found.scripts.values():
        assert 0 <= counts.unknown <= counts.letters
        assert bool(counts.texts) == bool(counts.unknown)
    for text, nothing_known in zip(texts, found.is_only_unknown, strict=True):
        if nothing_known:  # a word of known letters and digits alone is one token or more
            assert not [word for word in text.split() if set(word) <= set("ab1")]
