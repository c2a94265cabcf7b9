"""Texts as people meant them."""

import html
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.text.normalise import has_code, normalise
from tests.examples import examples

CODE = [
    ("Mug<script type='a'>var x = '<b>1</b>';</script> red", "Mug red"),
    ("<STYLE>p {color: red}</STYLE>Mug &lt;script&gt;alert(1)&lt;/script&gt;", "Mug"),
    ("Mug <script>window.dataLayer = window.dataLayer || [", "Mug"),
    ("<style>.a{b:c", ""),
    ("var aPageStart = (new Date()).getTime();\nvar ue_t0=ue_t0||+new Date();", ""),
    ("(function(i,s,o){i['x']=s;})(window);", ""),
    ("window.dataLayer = window.dataLayer || [];", ""),
    ("$(document).ready(function() {});", ""),
    (".a-box-inner{background-color:#fff}#aloha .selected{color:#000}", ""),
    ("body { margin: 0 }", ""),
    ("@media (max-width: 3px) {a {b: c}}", ""),
]


def one(text: str | None) -> str:
    return normalise(pa.array([text], pa.string())).to_pylist()[0]


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        (None, ""),
        ("  a \t b\n", "a b"),
        ("Tom &amp; Jerry &#233;&#xe9; &quot;x&quot;", 'Tom & Jerry éé "x"'),
        ("<p>One</p><br/>two <!-- no\nmore -->three", "One two three"),
        ("&lt;b&gt;bold&lt;/b&gt;", "bold"),
        ("I <3 you, a < b > c", "I <3 you, a < b > c"),
        ("AT&T & co; R&D;", "AT&T & co; R&D;"),
        ("cafe\u0301", "café"),
        ("zero\u200bwidth so\u00adft \ufeffmark", "zerowidth soft mark"),
        ("bell\x07 no\u00a0break\u3000wide", "bell no break wide"),
        ("東京 ☕ 😀", "東京 ☕ 😀"),
        ("Red &amp;amp; Mug &amp;lt;b&amp;gt;new&amp;lt;/b&amp;gt;", "Red & Mug new"),
        *CODE,
        ("How to use the <script> tag", "How to use the tag"),
        ("var. lutea; function follows form", "var. lutea; function follows form"),
        ("body: a story {of} two", "body: a story {of} two"),
        ("$(12.99); window seats = good", "$(12.99); window seats = good"),
    ],
)
def test_examples(raw: str | None, meant: str) -> None:
    assert one(raw) == meant


def test_code_is_told_apart_from_words() -> None:
    texts = pa.array([raw for raw, _ in CODE] + ["a <b>mug</b>", "How to use the <script> tag", None], pa.string())
    assert has_code(texts).to_pylist() == [True] * len(CODE) + [False] * 3


def test_order_and_repetition_of_chunks() -> None:
    found = normalise(pa.chunked_array([["b ", "a"], [None, "b "]]))
    assert found.to_pylist() == ["b", "a", "", "b"]


@examples(100)
@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=30))
def test_what_comes_out_is_clean(text: str) -> None:
    found = one(text)
    assert found == " ".join(found.split())
    assert unicodedata.normalize("NFC", found) == found
    assert not any(unicodedata.category(c) == "Cc" for c in found)


@examples(100)
@given(st.text(alphabet="abc é&<>\"'1", max_size=20).filter(lambda t: "<" not in t and "&" not in t))
def test_escaping_is_undone(text: str) -> None:
    assert one(html.escape(text)) == one(text)
