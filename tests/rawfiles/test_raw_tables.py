"""Raw tables: every kind of file gives the same columns, numbers of rows and bad rows."""

import csv
import errno
import gzip
import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interestrec.core.errors import DataError, InputMissingError, StorageError
from interestrec.rawfiles import quoted_records, text_lines
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import land, require_column, scan
from interestrec.rawfiles.text_layout import TextLayout


def read(
    path: Path, content: bytes | str, delimiter: str | None = None, wanted: Sequence[str] = ()
) -> tuple[RawLog, list[tuple]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    log = RawLog()
    return log, [
        row
        for _ in scan(log, path, wanted, TextLayout(delimiter=delimiter))
        for row in log.sql("SELECT * FROM raw ORDER BY _row")
    ]


def bad(log: RawLog) -> list[tuple]:
    return log.sql("SELECT row, reason FROM bad_rows ORDER BY row")


def test_csv_with_quotes_line_breaks_and_empty_lines(tmp_path: Path) -> None:
    log, rows = read(tmp_path / "a.csv", 'a,b\r\n1,"x, ""y"""\r\n\r\n"two\nlines",\r\n3,z\r\n')
    assert rows == [("1", 'x, "y"', 2), ("two\nlines", None, 4), ("3", "z", 6)]
    assert bad(log) == []
    assert log.rows_read == 3  # records, without the header


def test_a_malformed_record_costs_itself_only(tmp_path: Path) -> None:
    log, rows = read(tmp_path / "a.csv", "a,b\n1,2\n3\n4,5\n6,7,8\n9,10\n")
    assert rows == [("1", "2", 2), ("4", "5", 4), ("9", "10", 6)]
    assert bad(log) == [(3, "expected 2 columns, found 1"), (5, "expected 2 columns, found 3")]


def test_a_quote_within_a_field_is_an_ordinary_character(tmp_path: Path) -> None:
    log, rows = read(tmp_path / "a.csv", 'a,b\n1,5" pipe\n2,"ok"\n')
    assert rows == [("1", '5" pipe', 2), ("2", "ok", 3)]
    assert bad(log) == []


def test_a_quote_that_is_never_closed_is_text_of_its_line(tmp_path: Path) -> None:
    log, rows = read(tmp_path / "a.csv", 'a,b\n1,2\n3,"never\n4,5\n')
    assert rows == [("1", "2", 2), ("3", '"never', 3), ("4", "5", 4)]
    assert bad(log) == []


def test_a_quote_within_a_field_does_not_close_one_that_is_open(tmp_path: Path) -> None:
    _, rows = read(tmp_path / "a.csv", 'a,b\n1,"two ""quoted""\nlines"\n2,5" pipe\n')
    assert rows == [("1", 'two "quoted"\nlines', 2), ("2", '5" pipe', 4)]


def test_a_record_of_too_many_lines_was_never_meant_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quoted_records, "_MAX_LINES", 3)
    _, rows = read(tmp_path / "a.csv", 'a,b\n1,"x\ny\nz"\n2,5\n')
    assert rows == [("1", "x\ny\nz", 2), ("2", "5", 5)]
    log, rows = read(tmp_path / "a.csv", 'a,b\n1,"x\n2,2\n3,3\n4,4\n5,"ok"\n')
    assert rows == [("1", '"x', 2), *((f"{n}", f"{n}", n + 1) for n in (2, 3, 4)), ("5", "ok", 6)]
    assert bad(log) == []


MIXED = 'a,b\r\n1,"x, ""y"""\r\n\r\n"two\nlines",\n3\n"é,","\n\n\n"\n4,5" pipe\n5,"""\n6"\n7,"open\n8,9\n'


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 21, 34, 55])
def test_blocks_of_any_size_give_the_same_records(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [
        ("1", 'x, "y"', 2),
        ("two\nlines", None, 4),
        ("é,", "\n\n\n", 7),
        ("4", '5" pipe', 11),
        ("5", '"\n6', 12),
        ("7", '"open', 14),
        ("8", "9", 15),
    ]
    monkeypatch.setattr(text_lines, "_BLOCK_BYTES", size)
    log, rows = read(tmp_path / "a.csv", MIXED)
    assert rows == expected
    assert [row for row, _ in bad(log)] == [6]


def test_json_lines_are_text_columns_with_whole_numbers(tmp_path: Path) -> None:
    text = '{"u": 13085.0, "t": "x"}\n{"u": 7, "w": 1.5}\n\nnot json\n[1]\n{"u": "", "t": null}\n'
    log, rows = read(tmp_path / "a.jsonl", text, wanted=["t", "u", "w"])
    assert rows == [("x", "13085", None, 1), (None, "7", "1.5", 2), (None, None, None, 6)]
    assert bad(log) == [(4, "not a JSON object"), (5, "not a JSON object")]


def test_json_lines_give_what_is_asked_by_path(tmp_path: Path) -> None:
    text = '{"a": {"b": 1, "c d": {"e": "x"}}, "z": 2}\n{"a": {"b": 2.0}}\n'
    for size in (1, 1 << 20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(text_lines, "_BLOCK_BYTES", size)
            _, rows = read(tmp_path / "a.jsonl", text, wanted=["a.b", "a.c d.e"])
        assert rows == [("1", "x", 1), ("2", None, 2)]


def test_a_key_that_no_record_of_json_has_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no column 'usr' \(no record has it\) \(did you mean 'user'\?\); it has: item, user"
    ):
        read(tmp_path / "a.jsonl", '{"user": 1, "item": 2}\n', wanted=["usr", "item"])
    # a key that comes with the second block only, or is always null, is there
    assert read(tmp_path / "a.jsonl", '{"user": 1}\n{"item": 2, "kind": null}\n', wanted=["item", "kind"])[1] == [
        (None, None, 1),
        ("2", None, 2),
    ]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, None], "b": ["x", "y"]}), tmp_path / "a.parquet")
    log = RawLog()
    [types] = [(types, log.sql("SELECT * FROM raw ORDER BY _row")) for types in scan(log, tmp_path / "a.parquet", [])]
    assert types == ({"a": "BIGINT", "b": "VARCHAR"}, [(1, "x", 1), (None, "y", 2)])
    assert log.rows_read == 2


def test_a_disk_that_fails_is_no_damage_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "t.parquet")

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(pq, "read_metadata", failing)
    with pytest.raises(StorageError, match=r"t\.parquet: Input/output error"):
        list(scan(RawLog(tmp_path), tmp_path / "t.parquet", []))


@pytest.mark.parametrize("name", ["e.csv", "e.jsonl", "e.parquet"])
def test_directories_with_an_equals_sign_are_columns(tmp_path: Path, name: str) -> None:
    path = tmp_path / "day=2026-03-01" / "shop=it's=one" / name
    path.parent.mkdir(parents=True)
    if name == "e.parquet":
        pq.write_table(pa.table({"a": ["1"]}), path)
    else:
        path.write_text({"e.csv": "a\n1\n", "e.jsonl": '{"a": "1"}\n'}[name])
    log = RawLog(tmp_path)
    [found] = [log.sql("SELECT a, day, shop FROM raw") for _ in scan(log, path, ["a"])]
    assert found == [("1", "2026-03-01", "it's=one")]


def test_delimiter_and_gzip(tmp_path: Path) -> None:
    _, rows = read(tmp_path / "a.dat", "a|b\n1|2\n", "|")
    assert rows == [("1", "2", 2)]
    _, rows = read(tmp_path / "a.tsv.gz", gzip.compress(b"a\tb\n1\t2\n"))
    assert rows == [("1", "2", 2)]


@pytest.mark.slow
@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";", "^", "]"])
@settings(max_examples=25, deadline=None)
@given(
    records=st.lists(
        st.lists(st.text(alphabet="ab\",;|^]\n\t'é", max_size=6), min_size=2, max_size=2), min_size=1, max_size=6
    ),
    block=st.sampled_from([1, 4, 11, 1 << 24]),
)
def test_reads_what_the_csv_module_writes(
    tmp_path_factory: pytest.TempPathFactory, delimiter: str, records: list[list[str]], block: int
) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([["first", "second"], *records])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_lines, "_BLOCK_BYTES", block)
        log, rows = read(tmp_path_factory.mktemp("csv") / "a.dat", written.getvalue(), delimiter)
    assert [[a or "", b or ""] for a, b, _ in rows] == records
    assert bad(log) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"a,A\n1,2\n", "two columns have the same name; rename one: 'A'"),
        ("a.csv", b'"a,b\n1,2\n', "the header has an unclosed quote"),
        ("a.xls", b"a", "unknown kind of file"),
        ("a.parquet", b"not parquet", "is text .* not Parquet"),
        ("a.parquet", b"PAR1 damaged PAR1", "cannot be read"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path / name, content)
    assert str(tmp_path / name) in str(error.value)


def test_missing_file_and_column(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="no such file"):
        list(scan(RawLog(), tmp_path / "a.csv", []))
    with pytest.raises(DataError, match=r"no column 'itme' \(key\) \(did you mean 'item'\?\); it has: user, item"):
        require_column(["user", "item"], "itme", tmp_path / "a.csv", "key")


def test_landed_columns_of_every_kind_of_file_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "_BLOCK_BYTES", 8)
    (tmp_path / "a.csv").write_text("a,b,c\n1,2,3\n4,5,6\n7,8,9\n")
    pq.write_table(pa.table({"a": [10, 11], "c": ["x", None]}), tmp_path / "b.parquet")
    (tmp_path / "c.jsonl").write_text("")
    log = RawLog()
    files = [land(log, tmp_path / name, {"c": "key", "a": "key"}) for name in ("a.csv", "b.parquet", "c.jsonl")]
    assert files[2] is None
    first, second = files[0], files[1]
    assert first is not None and second is not None
    assert log.sql(f"SELECT c, a, _row FROM {first.relation} ORDER BY _row") == [
        ("3", "1", 2),
        ("6", "4", 3),
        ("9", "7", 4),
    ]
    assert log.sql(f"SELECT c, a, _row FROM {second.relation} ORDER BY _row") == [("x", 10, 1), (None, 11, 2)]
    assert second.types == {"c": "VARCHAR", "a": "BIGINT"}
    log.return_to(first.path, first.base)
    assert (log.source, log.base, second.base) == (str(tmp_path / "a.csv"), 0, 4)


def test_a_landed_column_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"has no column 'z' \(data.events.columns.item\)"):
        land(RawLog(), tmp_path / "a.csv", {"z": "data.events.columns.item"})
