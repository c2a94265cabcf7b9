"""Normalised text."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.text.normalise import normalise


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("AT&amp;T caf&eacute; &#39;x&#39; &lt;3", "AT&T café 'x' <3"),
        ("<p>One</p><br/>two <a href='x'>three</a>", "One two three"),
        ("I <3 you, 2 < 3 > 1", "I <3 you, 2 < 3 > 1"),
        ("e\u0301\t\r\n  x\u00a0y", "é x y"),
        ("soft\u00adhyphen \u0007bell\ufeff", "softhyphen bell"),
        ("fish & chips", "fish & chips"),
        ("", ""),
        (None, ""),
    ],
)
def test_by_hand(raw: str | None, expected: str) -> None:
    assert normalise(pa.array([raw, raw], pa.string())).to_pylist() == [expected, expected]


@given(st.lists(st.text(max_size=30), max_size=10))
def test_every_text_keeps_its_place_and_loses_its_control_characters(texts: list[str]) -> None:
    found = normalise(pa.chunked_array([pa.array(texts, pa.string())])).to_pylist()
    assert len(found) == len(texts)
    for text, alone in zip(found, texts, strict=True):
        assert text == normalise(pa.array([alone], pa.string()))[0].as_py()
        assert text == text.strip()
        assert not any(c < " " or c == "\x7f" for c in text)
