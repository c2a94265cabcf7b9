"""Raw tables: every kind of file gives the same columns, numbers of rows and bad rows."""

import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interestrec.core.errors import DataError, InputMissingError
from interestrec.core.raw_log import Log
from interestrec.formats.tables import moment, open_table, require


def read(path: Path, content: bytes | str, delimiter: str | None = None) -> tuple[Log, list[tuple]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    log = Log()
    open_table(log, "raw", path, delimiter)
    return log, log.sql("SELECT * FROM raw ORDER BY _row")


def bad(log: Log) -> list[tuple]:
    return log.sql("SELECT row, reason FROM bad_rows ORDER BY row")


def test_csv_with_quotes_line_breaks_and_empty_lines(tmp_path: Path) -> None:
    log, rows = read(tmp_path / "a.csv", 'a,b\r\n1,"x, ""y"""\r\n\r\n"two\nlines",\r\n3,z\r\n')
    assert rows == [("1", 'x, "y"', 2), ("two\nlines", None, 4), ("3", "z", 6)]
    assert bad(log) == []
    assert log.rows_read == 5 - 1  # physical lines that are not empty, without the header


def test_a_malformed_record_costs_itself_only(tmp_path: Path) -> None:
    log, rows = read(tmp_path / "a.csv", "a,b\n1,2\n3\n4,5\n6,7,8\n9,10\n")
    assert rows == [("1", "2", 2), ("4", "5", 4), ("9", "10", 6)]
    assert bad(log) == [(3, "expected 2 columns, found 1"), (5, "expected 2 columns, found 3")]


def test_a_quote_within_a_field_is_an_ordinary_character(tmp_path: Path) -> None:
    log, rows = read(tmp_path / "a.csv", 'a,b\n1,5" pipe\n2,"ok"\n')
    assert rows == [("1", '5" pipe', 2), ("2", "ok", 3)]
    assert bad(log) == []


def test_a_quote_that_is_never_closed_is_counted(tmp_path: Path) -> None:
    log, rows = read(tmp_path / "a.csv", 'a,b\n1,2\n3,"never\n4,5\n')
    assert rows == [("1", "2", 2)]
    assert bad(log) == [(3, "a quote is not closed, or followed by more than the delimiter")]


def test_json_lines_are_text_columns_with_whole_numbers(tmp_path: Path) -> None:
    text = '{"u": 13085.0, "t": "x"}\n{"u": 7, "w": 1.5}\n\nnot json\n[1]\n{"u": "", "t": null}\n'
    log, rows = read(tmp_path / "a.jsonl", text)
    assert rows == [("x", "13085", None, 1), (None, "7", "1.5", 2), (None, None, None, 6)]
    assert bad(log) == [(4, "not a JSON object"), (5, "not a JSON object")]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, None], "b": ["x", "y"]}), tmp_path / "a.parquet")
    log = Log()
    assert open_table(log, "raw", tmp_path / "a.parquet", None) == ["a", "b"]
    assert log.sql("SELECT * FROM raw ORDER BY _row") == [(1, "x", 1), (None, "y", 2)]
    assert log.rows_read == 2


def test_delimiter_and_gzip(tmp_path: Path) -> None:
    _, rows = read(tmp_path / "a.dat", "a|b\n1|2\n", "|")
    assert rows == [("1", "2", 2)]
    _, rows = read(tmp_path / "a.tsv.gz", gzip.compress(b"a\tb\n1\t2\n"))
    assert rows == [("1", "2", 2)]


@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";", "^", "]"])
@settings(max_examples=25, deadline=None)
@given(
    records=st.lists(
        st.lists(st.text(alphabet="ab\",;|^]\n\t'é", max_size=6), min_size=2, max_size=2), min_size=1, max_size=6
    )
)
def test_reads_what_the_csv_module_writes(
    tmp_path_factory: pytest.TempPathFactory, delimiter: str, records: list[list[str]]
) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([["first", "second"], *records])
    log, rows = read(tmp_path_factory.mktemp("csv") / "a.dat", written.getvalue(), delimiter)
    assert [[a or "", b or ""] for a, b, _ in rows] == records
    assert bad(log) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"a,A\n1,2\n", "two columns are called 'A'"),
        ("a.csv", b'"a,b\n1,2\n', "the header has a quote"),
        ("a.xls", b"a", "unknown kind of file"),
        ("a.parquet", b"not parquet", "cannot be read"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path / name, content)
    assert str(tmp_path / name) in str(error.value)


def test_missing_file_and_column(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="no such file"):
        open_table(Log(), "raw", tmp_path / "a.csv", None)
    with pytest.raises(DataError, match=r"no column 'itme' \(key\) \(did you mean 'item'\?\); it has: user, item"):
        require(["user", "item"], "itme", tmp_path / "a.csv", "key")


def test_moment_refuses_years_that_are_another_unit() -> None:
    log = Log()
    for number, unit, year in [
        (1.5e9, 1_000_000, 2017),
        (1.5e12, 1_000, 2017),
        (1.5e15, 1, 2017),
        (0, 1_000_000, 1970),
    ]:
        assert log.number(f"SELECT year({moment(json.dumps(number), unit)})") == year
    for number, unit in [(1.5e12, 1_000_000), (1.5e15, 1_000_000), (1e300, 1)]:
        assert log.sql(f"SELECT {moment(json.dumps(number), unit)}") == [(None,)]
