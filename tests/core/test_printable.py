"""What a log says steers no terminal."""

from hypothesis import given
from hypothesis import strategies as st

from interestrec.core.printable import printable


@given(st.text())
def test_only_printable_characters_and_ends_of_line_are_left(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert printable(shown) == shown
    shown.encode()


def test_escape_sequences_direction_marks_and_halves_of_characters() -> None:
    assert printable("a\x1b[2Jb\x9b1mc\u202ed\ud800e\rf\0g\th\ni é 日") == "a [2Jb 1mc d e f g h\ni é 日"
