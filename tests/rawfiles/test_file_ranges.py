"""A file whose ranges are parsed by several processes is read as one that is parsed whole."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interestrec.core.errors import DataError
from interestrec.rawfiles.file_ranges import file_ranges, parsed_range, range_blocks, range_key
from interestrec.rawfiles.parse_range import write_range
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import scan
from interestrec.rawfiles.text_layout import BY_SUFFIX, TextLayout
from tests.examples import examples

NAMES = ["user", "item"]
FIELD = st.text("ab é,\t", max_size=6).map(str.encode) | st.sampled_from([b"u1", b"", b"\xff", b"\x00", b'"', b"\\"])
LINE = st.lists(FIELD, max_size=4).map(b",".join) | st.just(b"u1,i1") | st.just(b"u2,i2\r")
TABLE = st.tuples(st.lists(LINE, max_size=8), st.sampled_from([b"", b"\n"]))
OBJECT = st.sampled_from(
    [b'{"user": "u1", "item": "i1"}', b'{"user": 2}', b"", b"[1]", b"no object", b'{"user": "\xff"}', b'{"item": {}}']
)


def read(log: RawLog, path: Path, layout: TextLayout) -> dict[str, object]:
    rows = []
    for columns in scan(log, path, NAMES, layout):
        kept = ", ".join(f'"{name}"' for name in sorted(columns))
        rows += log.sql(f"SELECT _row, {kept} FROM raw")
    bad = log.sql("SELECT row, reason, value FROM bad_rows ORDER BY ALL")
    return {"rows": rows, "bad": bad, "read": log.rows_read, "end": log._end}


def outcome(log: RawLog, path: Path, layout: TextLayout) -> object:
    try:
        return read(log, path, layout)
    except DataError as error:
        return str(error)
    finally:
        log.close()


def divided(path: Path, layout: TextLayout, range_bytes: int) -> RawLog:
    """A log that has the ranges of a file, if it can be divided."""
    log = RawLog(path.parent)
    made = []
    for part in file_ranges(path, layout, range_bytes):
        directory = path.parent / str(part.start)
        directory.mkdir()
        of_part = RawLog(path.parent)
        of_part.part = part
        write_range(of_part, directory, path, NAMES, layout)
        of_part.close()
        made.append(parsed_range(directory, part.first_row))
    whole = [part for part in made if part is not None]
    if made and len(whole) == len(made):
        log.ranges = {range_key(path, NAMES, layout): whole}
    return log


def check(name: str, content: bytes, range_bytes: int, layout: TextLayout = BY_SUFFIX) -> bool:
    """Whether the file was divided."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / name
        path.write_bytes(content)
        log = divided(path, layout, range_bytes)
        was_divided = bool(log.ranges)
        assert outcome(log, path, layout) == outcome(RawLog(path.parent), path, layout)
        return was_divided


@examples(20)  # every range opens a database
@given(TABLE, st.integers(8, 40), st.sampled_from(["auto", "none"]))
@example(([b"u1,i1", b"", b"u2,i2"], b"\n"), 10, "auto")
def test_delimited_files(table: tuple[list[bytes], bytes], range_bytes: int, quote: str) -> None:
    lines, end = table
    check("x.csv", b"\n".join([b"user,item", *lines]) + end, range_bytes, TextLayout(quote=quote))


@examples(20)  # every range opens a database
@given(st.lists(OBJECT, max_size=10), st.integers(30, 90))
def test_json_lines(lines: list[bytes], range_bytes: int) -> None:
    check("x.jsonl", b"\n".join([b'{"user": "u1", "item": "i1"}', *lines]), range_bytes)


def test_what_is_divided() -> None:
    rows = b"user,item\n" + b"u1,i1\n" * 40
    assert check("x.csv", rows, 50)
    assert check("x.csv", rows.replace(b"\n", b"\r\n"), 50)
    assert check("x.csv", rows + b"u1\n" + b"\xff,i1", 50)  # malformed rows have their numbers
    assert check("x.csv", rows[10:], 50, TextLayout(header=False))
    assert check("x.jsonl", b'{"user": "u1", "item": "i1"}\n' * 40, 58)  # a line begins in each range


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b"user,item\n" + b'u1,"i\n1"\n' * 40),  # a record may span ranges
        ("x.csv", b"\xef\xbb\xbfuser,item\n" + b"u1,i1\n" * 40),
        ("x.csv", b"user,item\r" + b"u1,i1\r" * 40),
        ("x.json", b"[" + b'{"user": "u1", "item": "i1"},\n' * 40 + b'{"user": "u1", "item": "i1"}]'),
        ("x.jsonl", b'{"user": "u1", "item": "i1"}\n' + b'{"user": "u1"}\n' * 40),  # a range lacks a key
    ],
)
def test_what_is_parsed_whole(name: str, content: bytes) -> None:
    assert not check(name, content, 50)


def test_a_line_belongs_to_the_range_that_it_begins_in(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"abc\n\ndefgh\ni")
    for size in range(1, 14):
        ranges = file_ranges(path, BY_SUFFIX, size) or []
        lines = [line for part in ranges for block in range_blocks(path, part) for line in block.split(b"\n")]
        assert lines == ([b"abc", b"", b"defgh", b"i"] if size < 12 else []), size
