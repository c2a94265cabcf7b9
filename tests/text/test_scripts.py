"""Scripts of characters, against the tables of the `regex` package where it is installed."""

import sys
import unicodedata

import pytest

from interestrec.text.scripts import EMOJI, script_of


@pytest.mark.parametrize(
    ("characters", "script"),
    [
        ("aZ\u00e9\u00df\uff21\u00aa", "Latin"),
        ("\u0436", "Cyrillic"),
        ("\u4fdd\u3005\uf900", "Han"),
        ("\u3042", "Hiragana"),
        ("\u30ab\uff8a\u30fc", "Katakana"),
        ("\ube68", "Hangul"),
        ("\u0e41", "Thai"),
        ("\u0645", "Arabic"),
        ("\u05d0", "Hebrew"),
        ("\u0905", "Devanagari"),
        ("\U0001f600\u2615", EMOJI),
        ("1! \u0301\u200d+\u20ac", None),
    ],
)
def test_examples(characters: str, script: str | None) -> None:
    assert {script_of(character) for character in characters} == {script}


def test_scripts_are_those_of_unicode() -> None:
    regex = pytest.importorskip("regex")
    scripts = ["Latin", "Cyrillic", "Greek", "Han", "Hiragana", "Hangul", "Thai", "Arabic", "Hebrew", "Devanagari"]
    scripts += ["Armenian", "Georgian", "Bengali", "Tamil", "Lao", "Khmer", "Ethiopic", "Tibetan", "Myanmar"]
    # Python may know an older Unicode; modifier letters, which are of no script here, are of that of their base there.
    named = [c for c in map(chr, range(sys.maxunicode + 1)) if "MODIFIER" not in unicodedata.name(c, "MODIFIER")]
    for name in scripts:
        letters = regex.compile(rf"[\p{{Script={name}}}&&\p{{L}}]", regex.V1)
        ours = {character for character in named if script_of(character) == name}
        theirs = {character for character in named if letters.match(character)}
        assert len(ours ^ theirs) <= 0.02 * len(theirs), (name, sorted(ours ^ theirs)[:20])
