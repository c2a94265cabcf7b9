"""Layouts of raw files: encodings, compression, no header, directories, arrays, nested rows, true kinds."""

import bz2
import gzip
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from interestrec.core.errors import DataError
from interestrec.rawfiles import json_records, text_lines
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import identifier, scan
from interestrec.rawfiles.text_layout import TextLayout

TEXT = "user,title\nu1,Café “ok”\nu2,plain\n"
ROWS = [("u1", "Café “ok”"), ("u2", "plain")]


def rows_of(path: Path, names: list[str] | None = None, **layout: Any) -> list[tuple]:
    return read(path, names, **layout)[1]


def read(path: Path, names: list[str] | None = None, **layout: Any) -> tuple[RawLog, list[tuple]]:
    """The log, and the rows of a file without their numbers."""
    log = RawLog(path.parent)
    found = [
        row
        for columns in scan(log, path, names or [], TextLayout.model_validate(layout))
        for row in log.sql(f"SELECT {', '.join(map(identifier, names or columns))} FROM raw ORDER BY _row")
    ]
    assert log.rows_read == len(found) + log.rows("bad_rows") + log.rows_left_out
    return log, found


@pytest.mark.parametrize("size", [1, 2, 3, 1 << 24])
@pytest.mark.parametrize(
    ("written", "encoding"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-8-sig", "latin-1"),  # the mark tells what the file is
        ("utf-16", None),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16"),
        ("utf-16-le", "utf-16"),
        ("utf-32", None),
        ("cp1252", "cp1252"),
        ("gb18030", "gb18030"),
    ],
)
def test_encodings(
    tmp_path: Path, written: str, encoding: str | None, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_lines, "_BLOCK_BYTES", size)
    data = TEXT.encode(written)
    (tmp_path / "a.csv").write_bytes(data)
    assert rows_of(tmp_path / "a.csv", encoding=encoding) == ROWS


def test_what_an_encoding_does_not_have_is_a_malformed_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b\n1,x\n2,\x81y\n3,z\n")
    log, rows = read(tmp_path / "a.csv", encoding="cp1252")
    assert rows == [("1", "x"), ("3", "z")]
    assert log.sql("SELECT row, reason FROM bad_rows") == [(3, "not text in the encoding cp1252, or with a zero byte")]


@pytest.mark.parametrize("name", ["latin-2024", "base64", "rot13", "undefined", ""])
def test_no_encoding(name: str) -> None:
    with pytest.raises(ValidationError, match="no encoding of text; write one such as utf-8, latin-1"):
        TextLayout(encoding=name)


@pytest.mark.parametrize("mark", ["", "ab", "a", "\t"])
def test_no_quote(mark: str) -> None:
    with pytest.raises(ValidationError, match="write auto, none or the character that quotes"):
        TextLayout(quote=mark)


def zipped(data: bytes, names: tuple[str, ...] = ("inner.csv",)) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(name, data)

    return write


def zstandard(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


PACKED = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard}


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("name", ["a.csv{}", "a.b{}.csv", "a.CSV{}"])
def test_compressed_text(tmp_path: Path, suffix: str, name: str) -> None:
    path = tmp_path / name.format(suffix)
    path.write_bytes(PACKED[suffix](TEXT.encode()))
    assert rows_of(path) == ROWS
    path.write_bytes(PACKED[suffix](b"user,title\nu1,a\n") + PACKED[suffix](b"u2,b\n"))  # one behind another
    assert rows_of(path) == [("u1", "a"), ("u2", "b")]
    lines = b'{"user": "u1"}\n'
    (tmp_path / f"a.jsonl{suffix}").write_bytes(PACKED[suffix](lines))
    assert rows_of(tmp_path / f"a.jsonl{suffix}", ["user"]) == [("u1",)]


@pytest.mark.parametrize("suffix", PACKED)
def test_damaged_compression(tmp_path: Path, suffix: str) -> None:
    whole = PACKED[suffix](("user,title\n" + "".join(f"u{n},{n * n}\n" for n in range(99_999))).encode())
    for content in (whole[: len(whole) // 2], whole[:-3], b"no such thing, but text of some length", whole[:5]):
        (tmp_path / f"a.csv{suffix}").write_bytes(content)
        with pytest.raises(DataError, match=r"damaged \w+ file \(.*\); download or copy it again") as error:
            read(tmp_path / f"a.csv{suffix}")
        assert "\n" not in str(error.value)


def test_zip_archives(tmp_path: Path) -> None:
    for name in ("a.csv.zip", "a.zip"):
        zipped(TEXT.encode())(tmp_path / name)
        assert rows_of(tmp_path / name) == ROWS
    zipped(TEXT.encode(), ("__MACOSX/._x.csv", "x.csv"))(tmp_path / "mac.zip")
    assert rows_of(tmp_path / "mac.zip") == ROWS
    zipped(b"", ("one.csv", "two.csv"))(tmp_path / "two.csv.zip")
    with pytest.raises(DataError, match=r"must hold exactly one file, this one holds 2; unpack it: one\.csv, two\.csv"):
        read(tmp_path / "two.csv.zip")
    whole = (tmp_path / "a.csv.zip").read_bytes()
    for content in (whole[:-30], whole[:40] + b"\xff\xff" + whole[42:], b"PK\x03\x04"):
        for name in ("bad.csv.zip", "bad.zip"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(DataError, match="damaged zip file"):
                read(tmp_path / name)


def test_a_file_that_pandas_compresses(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS, columns=["user", "title"])
    for suffix in (".gz", ".bz2", ".xz", ".zip"):
        frame.to_csv(tmp_path / f"p.csv{suffix}", index=False)
        assert rows_of(tmp_path / f"p.csv{suffix}") == ROWS


@pytest.mark.parametrize("content", ["user,title\ru1,a\ru2,b", "user,title\ru1,a\ru2,b\r"])
def test_lines_of_old_macintosh_programs(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_text(content, newline="")
    assert rows_of(tmp_path / "a.csv") == [("u1", "a"), ("u2", "b")]


def test_columns_by_number(tmp_path: Path) -> None:
    (tmp_path / "u.data").write_text("196\t242\t3\n\n186\t302\n22\t377\t1\n")
    log, rows = read(tmp_path / "u.data", ["1", "3"], delimiter="\t", header=False)
    assert rows == [("196", "3"), ("22", "1")]
    assert log.sql("SELECT row, reason FROM bad_rows") == [(3, "expected 3 columns, found 2")]
    with pytest.raises(DataError, match="its first row has values instead of names; set `header: false`"):
        read(tmp_path / "u.data", ["user"], delimiter="\t")


def test_an_array_of_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = [{"u": f"u{n}", "t": 'é "[{,}]" \\', "n": {"a": [n, None]}} for n in range(20)]
    expected = [(f"u{n}", 'é "[{,}]" \\', str(n)) for n in range(20)]
    names = ["u", "t", "n.a[0]"]
    for size in (1, 7, 64, 1 << 24):
        monkeypatch.setattr(text_lines, "_BLOCK_BYTES", size)
        monkeypatch.setattr(json_records, "_BATCH_CHARACTERS", size)
        for indent in (None, 2):
            for written in (objects, *([[]] if indent is None else [])):
                (tmp_path / "a.json").write_text(json.dumps(written, indent=indent, ensure_ascii=False))
                assert rows_of(tmp_path / "a.json", names) == (expected if written else [])
        spread = "\n".join(json.dumps(one, indent=2) for one in objects)  # as jq writes objects
        (tmp_path / "a.json").write_text(spread)
        assert rows_of(tmp_path / "a.json", names) == expected
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps(objects).encode("utf-16")))
    assert rows_of(tmp_path / "a.json.gz", names) == expected


def test_an_array_of_json_that_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"u": 1}, 5, {"u": 2}, [3]]')
    log, rows = read(path, ["u"])
    assert rows == [("1",), ("2",)]
    assert log.sql("SELECT row, reason FROM bad_rows ORDER BY row") == [(n, "not a JSON object") for n in (2, 4)]
    for text, message in {
        '[{"u": 1}, {"u": 2}': "the JSON array breaks off after 2 objects",
        '[{"u": 1}, {"u": ': "object 2 is not valid JSON, or the file breaks off in it",
        '[{"u": 1} {"u" 2}]': "object 2 is not valid JSON",
    }.items():
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read(path, ["u"])


NESTED = {
    "id": 7,
    "genres": [{"name": "War"}, {"name": "Drama"}, {"name": None}],
    "by": {"who": [{"n": "A"}, {"n": "B"}]},
}
PATHS = {
    "genres[].name": "War, Drama",
    "by.who[].n": "A, B",
    "by.who[1].n": "B",
    "genres[0].name": "War",
    "genres[9].name": None,
}


def test_paths_into_json_and_parquet(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(NESTED) + "\n")
    pq.write_table(pa.Table.from_pylist([NESTED]), tmp_path / "a.parquet")
    for name in PATHS:
        if PATHS[name] is not None:
            assert rows_of(tmp_path / "a.jsonl", ["id", name]) == [("7", PATHS[name])]
        assert rows_of(tmp_path / "a.parquet", ["id", name]) == [(7, PATHS[name])]
    with pytest.raises(DataError, match=r"has no column 'genres\[\].nme' \(no record has it\)"):
        read(tmp_path / "a.jsonl", ["id", "genres[].nme"])
    log = RawLog()
    assert "genres[].nme" not in next(iter(scan(log, tmp_path / "a.parquet", ["genres[].nme"])))


SESSIONS = [
    {"session": 1, "events": [{"aid": 5, "ts": 11, "type": "clicks"}, {"aid": 6, "ts": 12, "type": "orders"}]},
    {"session": 2, "events": []},
    {"session": 3, "events": [{"aid": 5, "ts": 13, "type": "carts"}]},
]
ENTRIES = [(1, 5, 11, "clicks"), (1, 6, 12, "orders"), (3, 5, 13, "carts")]
COLUMNS = ["session", "events.aid", "events.ts", "events.type"]


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
def test_sessions_with_their_events(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(SESSIONS), path)
    else:
        path.write_text(json.dumps(SESSIONS) if kind == "json" else "".join(json.dumps(s) + "\n" for s in SESSIONS))
    log, rows = read(path, COLUMNS, unnest="events")
    assert [tuple(map(str, row)) for row in rows] == [tuple(map(str, row)) for row in ENTRIES]
    assert (log.rows_read, log.rows_left_out) == (4, 1)
    [rule] = [rule for rule in log.quality.rules if rule["rule"] == "records without entries"]
    assert rule["examples"] == [f"a.{kind}:2"]


def test_entries_have_the_number_of_their_record_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(s) + "\n" for s in [*SESSIONS, {"session": 4, "events": 5}, {"session": 5}]))
    log = RawLog(tmp_path)
    for _ in scan(log, path, COLUMNS, TextLayout(unnest=["events"])):
        log.refuse("raw WHERE \"events.type\" = 'carts'", "no carts")
        log.add_events(
            "(FROM raw WHERE \"events.type\" <> 'carts')",
            user="session",
            item='"events.aid"',
            time="NULL",
            event='"events.type"',
        )
    orders = [row[0] for row in log.sql("SELECT ord FROM events ORDER BY ord")]
    assert len(set(orders)) == 2
    assert log.places(orders) == [f"{path}:1"] * 2
    assert log.sql("SELECT row, reason FROM bad_rows ORDER BY row") == [
        (3, "no carts"),
        (4, "events: not a list; write it in brackets, or set `unnest_separator`"),
    ]
    assert log.rows_read == log.rows_kept + log.rows_left_out + log.rows("bad_rows")


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("u,items\nu1,i1 i2  i3\nu2,i4\n", {"unnest_separator": " "}),
        ("u,items\nu1,i1|i2|i3\nu2,i4\n", {"unnest_separator": "|"}),
        ('u,items\nu1,"[""i1"", ""i2"", ""i3""]"\nu2,[]\nu2,"[""i4""]"\n', {}),
        ("u,items\nu1,\"['i1', 'i2', 'i3']\"\nu2,['i4']\n", {}),  # as Python writes lists
        ("u,items\nu1,['i1' 'i2' 'i3']\nu2,['i4']\n", {}),  # as NumPy does
    ],
)
def test_lists_of_items_in_text(tmp_path: Path, text: str, layout: dict[str, str]) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert rows_of(tmp_path / "a.csv", ["u", "items"], unnest="items", **layout) == [
        ("u1", "i1"),
        ("u1", "i2"),
        ("u1", "i3"),
        ("u2", "i4"),
    ]


def test_lists_of_equal_length(tmp_path: Path) -> None:
    table = pa.table({"u": [1, 2, 3], "i": [[5, 6], [7], [8, 9]], "t": [[1.5, 2.5], [3.5], [4.5]]})
    pq.write_table(table, tmp_path / "a.parquet")
    log, rows = read(tmp_path / "a.parquet", ["u", "i", "t"], unnest=["i", "t"])
    assert rows == [(1, 5, 1.5), (1, 6, 2.5), (2, 7, 3.5)]
    assert log.sql("SELECT row, reason FROM bad_rows") == [(3, "i, t: the lists have different lengths")]
    with pytest.raises(DataError, match="the column 'u' has no lists"):
        read(tmp_path / "a.parquet", ["u"], unnest="u")
    with pytest.raises(DataError, match=r"has no column 'x' \(unnest\)"):
        read(tmp_path / "a.parquet", ["u"], unnest="x")


def test_a_field_that_no_entry_has(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(SESSIONS[0]) + "\n")
    with pytest.raises(DataError, match=r"has no column 'events.item' \(no entry has it\) .*it has: .*events.aid"):
        read(tmp_path / "a.jsonl", ["session", "events.aid", "events.item"], unnest="events")


EXCEL = b"PK\x03\x04....[Content_Types].xml"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", gzip.compress(b"a,b\n"), r"is compressed by gzip; name it `a.csv.gz`"),
        ("a.csv", bz2.compress(b"a,b\n"), r"is compressed by bzip2; name it `a.csv.bz2`"),
        ("a.tsv", zstandard(b"a,b\n"), r"is compressed by Zstandard; name it `a.tsv.zst`"),
        ("a.csv", b"PK\x03\x04 data.csv", r"is a zip archive; name it `a.csv.zip`"),
        ("a.csv", EXCEL, r"is an Excel workbook; export the sheet as CSV"),
        ("a.csv", b"PAR1\x15\x04", r"is a Parquet file; name it `a.parquet`"),
        ("a.jsonl", b"\n<!DOCTYPE html><html>", r"is a page of HTML or XML; download the file itself"),
        ("a.csv", b"version https://git-lfs.github.com/spec/v1\n", r"is a pointer of Git LFS"),
        ("a.csv", b"user;item\n1;2\n", r'separated by another character; set `delimiter: ";"`'),
        ("a.tsv", b"user,item\n1,2\n", r'set `delimiter: ","`'),
        ("a.csv", b"user\titem\n1\t2\n", r'set `delimiter: "\\t"`'),
        ("a.csv", "user,item,näme\n1,2,x\n".encode("latin-1"), r"a.csv:1: the first row is not UTF-8 .*latin-1.*iconv"),
        ("a.csv", "user,item\n1,2\n".encode("utf-16-le"), r"is UTF-16 without a byte-order mark; .*utf-16-le"),
        ("a.csv", "user,item\n1,2\n".encode("utf-16-be"), r"encoding: utf-16-be.*iconv -f utf-16-be"),
        ("a.parquet", b"user,item\n1,2\n", r"is text \(`.csv` or `.tsv`\), not Parquet; name it after what it is"),
        ("a.parquet", b'{"user": 1}\n', r"is JSON lines \(`.jsonl`\), not Parquet"),
        ("a.parquet", gzip.compress(b"PAR1"), r"is compressed by gzip, not Parquet"),
        ("a.parquet", b"", r"is empty, not Parquet"),
        ("a.xlsx", EXCEL, r"unknown kind of file; use .csv"),
    ],
)
def test_what_a_file_really_is(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path / name, ["user", "item"])
    assert "\n" not in str(error.value)


def test_dictionaries_of_python(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{'user': 'u1', 'ok': True}\n{\"user\": \"u2\"}\n{u'user': 'u3'}\nx\n")
    log, rows = read(tmp_path / "a.json", ["user"])
    assert rows == [("u2",)]
    reasons = dict(log.sql("SELECT row, reason FROM bad_rows"))
    assert all(reasons[row].startswith("a Python dictionary instead of a JSON object; convert") for row in (1, 3))
    assert reasons[4] == "not a JSON object"
