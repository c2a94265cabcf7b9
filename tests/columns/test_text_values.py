"""A column as text: what JSON, Python, NumPy and Parquet write as a list is words, and an object is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interestrec.columns.text_values import single_value_checks, text_checks, text_expression
from interestrec.core.errors import DataError
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import scan
from tests.examples import examples

PATH, KEY = Path("f.parquet"), "data.items.columns.title"


def read(values: pa.Array, separator: str = " ", directory: Path | None = None) -> list[tuple[str | None, bool]]:
    """Each value as text, and whether the checks refuse it; through a Parquet file where there is a directory."""
    log = RawLog()
    if directory is None:
        log.load("given", pa.table({"words": values}))
        types = {name: kind for name, kind, *_ in log.sql("DESCRIBE given")}
    else:
        pq.write_table(pa.table({"words": values}), directory / "f.parquet")
        types = next(scan(log, directory / "f.parquet", ["words"]))
        log.db.execute("CREATE TEMP VIEW given AS FROM raw")
    condition = " OR ".join(check.condition for check in text_checks(types, "words", PATH, KEY)) or "false"
    return log.sql(f"SELECT {text_expression(types, 'words', separator)}, coalesce({condition}, false) FROM given")


def texts(*values: str | None) -> pa.Array:
    return pa.array(values, pa.string())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('["home","kitchen"]', "home kitchen"),
        ("""['home', "it's", 'a\\'b']""", "home it's a'b"),
        ("[u'home', u'kitchen']", "home kitchen"),
        ('["caf\\u00e9", null, 3, ["x"]]', "café 3 x"),
        ("['one\\nline' 'two\\\\']", "one line two\\"),
        ("['a', nan, None]", "a"),
        ("[]", None),
        ("[REC]", "[REC]"),
        ("['Allo 'Allo]", "['Allo 'Allo]"),
        ('["unclosed"', '["unclosed"'),
        ("{love}", "{love}"),
        ("  ", None),
        (None, None),
    ],
)
def test_written_lists_are_words_and_other_texts_stay(value: str | None, text: str | None) -> None:
    assert read(texts(value)) == [(text, False)]


@pytest.mark.parametrize(
    "value",
    [
        '{"id": 28, "name": "Action"}',
        '[{"id": 28, "name": "Action"}, {"id": 1}]',
        "{'id': 28, 'name': 'Action'}",
        "[{u'name': 'Action'}]",
        "{}",
        "[[{1: 'a'}]]",
    ],
)
def test_written_objects_are_refused(value: str) -> None:
    assert read(texts("plain", value))[1][1]


@pytest.mark.parametrize("directory", [False, True])
@pytest.mark.parametrize(
    ("values", "text"),
    [
        (pa.array([b"Caf\xc3\xa9"], pa.binary()), "Café"),
        (pa.array([b"Caf\xc3\xa9"], pa.large_binary()), "Café"),
        (pa.array([b"Caf\xc3\xa9"], pa.binary(5)), "Café"),
        (pa.array([["a", None, " b "]]), "a b"),
        (pa.array([[["a"], ["b", "c"]]]), "a b c"),
        (pa.array([[b"\xc3\xa9"]], pa.list_(pa.binary())), "é"),
        (pa.array([["a", "b"]], pa.list_(pa.string(), 2)), "a b"),
        (pa.array(["a"]).dictionary_encode(), "a"),
        (pa.array([12.0]), "12"),
        (pa.array([1.5]), "1.5"),
        (pa.array([float("nan")]), None),
        (pa.array([7], pa.uint8()), "7"),
        (pa.array([[]], pa.list_(pa.string())), None),
    ],
)
def test_typed_columns(tmp_path: Path, values: pa.Array, text: str | None, directory: bool) -> None:
    assert read(values, directory=tmp_path if directory else None) == [(text, False)]


def test_bytes_that_are_not_utf8_are_refused() -> None:
    assert read(pa.array([b"ok", b"\xff", None])) == [("ok", False), (None, True), (None, False)]
    assert read(pa.array([[b"ok"], [b"ok", b"\xff"]]))[1][1]


def test_a_category_takes_the_list_as_a_path() -> None:
    assert read(texts('["home","kitchen"]'), "/") == [("home/kitchen", False)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array([{"id": 1, "name": "x"}]), r"are objects \(id, name\); .* such as `words\.name`"),
        (pa.array([[{"id": 1, "na me": "x"}]]), r"are lists of objects \(id, na me\); .* such as `words\[\]\.id`"),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), r"are objects; name one of its fields under data"),
    ],
)
def test_typed_objects_are_refused_by_name(values: pa.Array, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(values)


words = st.text(st.characters(blacklist_categories=["C", "Z"]), max_size=8)
WRITERS = {
    "json": json.dumps,
    "json-unicode": lambda entries: json.dumps(entries, ensure_ascii=False),
    "python": repr,
    "numpy": lambda entries: str(np.array(entries, object)),
}


@pytest.mark.parametrize("writer", WRITERS)
@examples(60)
@given(st.lists(words, min_size=1, max_size=4))
@example(["\\r", "\\\\n", "a\\", "\\'"])
def test_lists_of_any_words_are_joined(writer: str, entries: list[str]) -> None:
    # Python writes some characters as escapes, which is not what this is about.
    entries = [entry for entry in entries if entry.isprintable()]
    expected = " ".join(entry for entry in entries if entry) or None
    assert read(texts(WRITERS[writer](entries))) == [(expected, False)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            pa.array([["a"]]),
            r"f\.parquet: .* are lists, but data\.events\.columns\.item needs one id each",
        ),
        (pa.array([{"a": 1}]), r"are objects, but .* needs one id each; write one row per id"),
    ],
)
def test_lists_and_objects_are_no_ids(values: Any, message: str) -> None:
    log = RawLog()
    log.load("given", pa.table({"words": values}))
    types = {name: kind for name, kind, *_ in log.sql("DESCRIBE given")}
    with pytest.raises(DataError, match=message):
        single_value_checks(types, "words", PATH, "data.events.columns.item", "id")


def test_written_lists_are_no_ids() -> None:
    [check] = single_value_checks({"words": "VARCHAR"}, "words", PATH, "data.events.columns.item", "id")
    log = RawLog()
    log.load("given", pa.table({"words": texts('["a"]', "['a', 'b']", '{"a": 1}', "[a]", "a", None)}))
    assert [row[0] for row in log.sql(f"SELECT coalesce({check.condition}, false) FROM given")] == [True] * 3 + [
        False
    ] * 3
