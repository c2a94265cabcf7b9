"""Lines of raw text: numbers, ends, bytes that are no text."""

import gzip
from pathlib import Path

import pytest

from interestrec.core.errors import DataError, InputMissingError
from interestrec.rawfiles import text_lines
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.text_lines import nonempty_lines, read_lines


def read(path: Path, content: bytes) -> tuple[RawLog, list[tuple]]:
    path.write_bytes(content)
    log = RawLog()
    return log, [tuple(row.values()) for lines in nonempty_lines(log, path) for row in lines.to_pylist()]


def test_empty_lines_count_in_the_numbers_only(tmp_path: Path) -> None:
    log, found = read(tmp_path / "a.tsv", b"one\n\n\r\ntwo\r\nthree")
    assert found == [(1, "one"), (4, "two"), (5, "three")]
    assert log.rows_read == 3


def test_byte_order_mark_and_lone_carriage_returns(tmp_path: Path) -> None:
    _, found = read(tmp_path / "a.tsv", b"\xef\xbb\xbfo\rne\ntwo\n")
    assert found == [(1, "o\rne"), (2, "two")]


def test_a_line_that_is_no_text_is_a_bad_row_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    log, found = read(path, b"one\nt\xffwo\nthr\x00ee\nf\xc3\xb6ur\n")
    assert found == [(1, "one"), (4, "four".replace("o", "ö"))]
    assert log.sql("SELECT source, row, reason FROM bad_rows ORDER BY row") == [
        (str(path), 2, text_lines.NOT_UTF8),
        (str(path), 3, text_lines.ZERO_BYTE),
    ]
    assert log.rows_read == 4


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 22])
def test_blocks_of_any_size_give_the_same_lines(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "_BLOCK_BYTES", size)
    _, found = read(tmp_path / "a.tsv", "éa\n\nlonger line\r\nz\n".encode())
    assert found == [(1, "éa"), (3, "longer line"), (4, "z")]


def test_all_lines_have_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"one\n\ntwo\n\n")
    log = RawLog()
    assert [row for lines in read_lines(log, tmp_path / "a.tsv") for row in lines["row"].to_pylist()] == [1, 2, 3, 4]
    assert log.rows_read == 2


@pytest.mark.parametrize("size", [1, 4, 1 << 22])
def test_a_sample_is_the_first_lines(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "_BLOCK_BYTES", size)
    (tmp_path / "a.tsv").write_bytes(b"a\nb\nc\nd\ne\nf\n")
    log = RawLog(sample=3)
    assert [line for part in nonempty_lines(log, tmp_path / "a.tsv") for line in part["line"].to_pylist()] == list(
        "abc"
    )
    assert log.rows_read == 3


def test_gzip(tmp_path: Path) -> None:
    _, found = read(tmp_path / "a.tsv.gz", gzip.compress(b"one\ntwo\n"))
    assert found == [(1, "one"), (2, "two")]


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"absent\.tsv: no such file"):
        list(read_lines(RawLog(), tmp_path / "absent.tsv"))
    with pytest.raises(DataError, match=r"a\.tsv\.gz: damaged gzip"):
        read(tmp_path / "a.tsv.gz", gzip.compress(b"one\ntwo\n" * 100)[:-9])
