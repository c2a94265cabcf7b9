"""Raw logs made to hang, to fill the memory, or to read what is none of their business."""

import gzip
import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.hostile.client import Canary, Commands, expect, serving

pytestmark = pytest.mark.slow

CONFIG = """
version: 1
workspace: {directory}/work
data:
  format: events
  root: {directory}/raw
  relevant_at: 0.5
  events: {{files: [events.csv], columns: {{user: user, item: item, time: time, event: kind}}}}
  items: {{files: [items.csv], columns: {{item: id, title: [name], text: [about]}}}}
preprocess: {{intensity: {{weights: {{view: 0.25, buy: 1.0}}}}}}
encoders: {{text: {{source: {encoder}}}}}
runtime: {{threads: 2}}
"""
HEADER = "user,item,time,kind"
ROWS = [f"u{n % 4},i{n % 5},{1000 + n},{'buy' if n % 3 else 'view'}" for n in range(40)]
PARQUET = 'data.events.files=["events.parquet"]'


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    with serving() as served:
        yield served


@pytest.fixture
def place(tmp_path: Path, tiny_encoder: Path) -> Path:
    """A directory with a good log and its configuration."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "events.csv").write_text("\n".join([HEADER, *ROWS]) + "\n")
    (tmp_path / "raw" / "items.csv").write_text("id,name,about\n" + "".join(f"i{n},game {n},sun\n" for n in range(5)))
    (tmp_path / "c.yaml").write_text(CONFIG.format(directory=tmp_path, encoder=tiny_encoder))
    return tmp_path


def table(n: int = 40) -> pa.Table:
    rows = [ROWS[k % 40].split(",") for k in range(n)]
    columns = dict(zip(HEADER.split(","), map(list, zip(*rows, strict=True)), strict=True))
    return pa.table({**columns, "time": pa.array([int(t) for t in columns["time"]], pa.int64())})


def text(content: bytes | str) -> Callable[[Path], None]:
    return lambda raw: (raw / "events.csv").write_bytes(content if isinstance(content, bytes) else content.encode())


def after_header(line: bytes) -> Callable[[Path], None]:
    return text(b"\n".join([HEADER.encode(), *(row.encode() for row in ROWS), line]) + b"\n")


def long_line(raw: Path) -> None:
    with (raw / "events.csv").open("wb") as target:
        target.write(f"{HEADER}\nu1,".encode())
        for _ in range(256):
            target.write(b"i" * (1 << 20))
        target.write(b",1000,view\n")


def gzip_bomb(raw: Path) -> None:
    """2 GiB of one letter, without an end of line, in 2 MB."""
    with gzip.open(raw / "events.csv.gz", "wb", compresslevel=9) as target:
        target.write(f"{HEADER}\nu1,".encode())
    piece = gzip.compress(b"i" * (1 << 26))
    with (raw / "events.csv.gz").open("ab") as target:
        for _ in range(32):
            target.write(piece)


def pipe(raw: Path) -> None:
    (raw / "events.csv").unlink()
    os.mkfifo(raw / "events.csv")


def endless(raw: Path) -> None:
    (raw / "events.csv").unlink()
    (raw / "events.csv").symlink_to("/dev/zero")


def loop(raw: Path) -> None:
    (raw / "events.csv").unlink()
    (raw / "events.csv").symlink_to(raw / "events.csv")


def directory(raw: Path) -> None:
    (raw / "events.csv").unlink()
    (raw / "events.csv").mkdir()


TEXTS: dict[str, tuple[Callable[[Path], None], set[int]]] = {
    "zero bytes": (after_header(b"u\0001,i1,1000,view"), {65}),
    "nothing but zero bytes": (text(b"\0" * 10_000_000), {65}),
    "an open quote": (after_header(b'"u1,i1,1000,view'), {0}),
    "an open quote at the start": (text(b'"' + HEADER.encode() + b"\n" + b"u1,i1,1000,view\n" * 100_000), {65}),
    "ten million quotes": (after_header(b'"' * 10_000_001), {65}),
    "a quarter of a GiB in one line": (long_line, {65}),
    "a UTF-16 byte order mark": (text("\n".join([HEADER, *ROWS]).encode("utf-16")), {0}),
    "a UTF-32 byte order mark": (text("\n".join([HEADER, *ROWS]).encode("utf-32")), {0}),
    "a byte order mark in the middle": (after_header(b"\xef\xbb\xbfu1,i1,1000,view"), {0}),  # part of a user's id
    "lone surrogates": (after_header(b"u\xed\xa0\x80,i1,1000,view"), {65}),
    "overlong UTF-8": (after_header(b"u\xc0\x80,i1,1000,view"), {65}),
    "an escape sequence": (after_header(b"u1,i1,\x1b]0;owned\x07,view"), {65}),
    "no lines": (text(b""), {65}),
    "only a header": (text(HEADER + "\n"), {65}),
    "a million columns": (text(",".join([HEADER, *(f"c{n}" for n in range(1_000_000))]) + "\n" + ROWS[0]), {65}),
    "a thousand other columns": (text(",".join(f"c{n}" for n in range(1_000)) + "\n1\n"), {65}),
    "columns of SQL": (text('"user"" FROM x; --",item,time,kind\nu1,i1,1,view\n'), {65}),
    "ten million empty lines": (text(HEADER.encode() + b"\n" * 10_000_000), {65}),
    "a named pipe": (pipe, {65, 66}),
    "an endless device": (endless, {65, 66}),
    "a link to itself": (loop, {65, 66}),
    "a directory": (directory, {65, 66}),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text(name: str, place: Path, commands: Commands) -> None:
    spoil, statuses = TEXTS[name]
    canary = Canary(place)
    spoil(place / "raw")
    ended = commands.run("preprocess", "--config", place / "c.yaml", "--quiet")
    expect(ended, statuses)
    canary.check(ended, place / "work")


def test_a_bomb_of_gzip(place: Path, commands: Commands) -> None:
    gzip_bomb(place / "raw")
    expect(
        commands.run("preprocess", "--config", place / "c.yaml", "--set", 'data.events.files=["events.csv.gz"]'), {65}
    )


@pytest.mark.parametrize("special", [pipe, endless])
def test_special_files_where_names_are_no_patterns(special: Callable, place: Path, commands: Commands) -> None:
    for name in ("news", "train", "valid", "test"):
        (place / "raw" / f"{name}.tsv").write_text("")
    special(place / "raw")
    config = json.dumps(
        {
            "workspace": str(place / "work"),
            "data": {"format": "mind", "root": str(place / "raw"), "news": ["events.csv"]}
            | {name: [f"{name}.tsv"] for name in ("train", "valid", "test")},
            "preprocess": {"split": {"method": "given"}},
            "encoders": {"text": {"source": str(place)}},
        }
    )
    (place / "m.yaml").write_text(config)
    expect(commands.run("preprocess", "--config", place / "m.yaml"), {65, 66})


def damaged_footer(path: Path, change: Callable[[bytearray], None]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def footer_length(value: int) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        pq.write_table(table(), path)
        damaged_footer(path, lambda data: data.__setitem__(slice(-8, -4), struct.pack("<I", value)))

    return spoil


def row_count_lie(path: Path) -> None:
    """A row group that says 2⁴⁰ rows; the footer is Thrift, where 40 is the zigzag of a number of one byte."""
    pq.write_table(table(), path)
    data = bytearray(path.read_bytes())
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = bytes(data[start:-8]).replace(b"\x16\x50", b"\x16" + b"\x80\x80\x80\x80\x80\x40")
    assert footer != bytes(data[start:-8])
    path.write_bytes(bytes(data[:start]) + footer + struct.pack("<I", len(footer)) + b"PAR1")


def dictionary_index(path: Path) -> None:
    """Indices of a page that point beyond its dictionary."""
    pq.write_table(table(4096), path, compression="none", use_dictionary=True, write_statistics=False)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    start, stop = chunk.data_page_offset, chunk.data_page_offset + 600
    damaged_footer(path, lambda data: data.__setitem__(slice(start + 40, stop), b"\xff" * (stop - start - 40)))


def cut(path: Path) -> None:
    pq.write_table(table(), path)
    path.write_bytes(path.read_bytes()[:-100])


def encrypted(path: Path) -> None:
    pq.write_table(table(), path)
    path.write_bytes(b"PARE" + path.read_bytes()[4:-4] + b"PARE")


def run_length_bomb(path: Path) -> None:
    """1.25 thousand million rows of 8 bytes, all null: 10 GB in some kilobytes."""
    block = pa.table({"user": pa.nulls(1 << 24, pa.int64())})
    with pq.ParquetWriter(path, block.schema, compression="zstd", write_statistics=False) as writer:
        for _ in range(75):
            writer.write_table(block, row_group_size=1 << 24)


def nested(path: Path) -> None:
    deep: pa.DataType = pa.int64()
    for _ in range(60):
        deep = pa.list_(deep)
    pq.write_table(table().append_column("deep", pa.nulls(40, deep)), path)


PARQUETS: dict[str, tuple[Callable[[Path], None], set[int]]] = {
    "a footer of no length": (footer_length(0), {65}),
    "a footer of 4 GiB": (footer_length(2**32 - 1), {65}),
    "a footer longer than the file": (footer_length(10_000), {65}),
    "a false number of rows": (row_count_lie, {65}),
    "indices beyond the dictionary": (dictionary_index, {65}),
    "the end cut off": (cut, {65}),
    "an encrypted footer": (encrypted, {65}),
    "10 GB of one value": (run_length_bomb, {65}),
    "sixty lists in one another": (nested, {0, 65}),
    "no Parquet at all": (lambda path: path.write_bytes(b"PAR1" + b"\0" * 1000), {65}),
}


@pytest.mark.parametrize("name", PARQUETS)
def test_parquet(name: str, place: Path, commands: Commands) -> None:
    spoil, statuses = PARQUETS[name]
    spoil(place / "raw" / "events.parquet")
    expect(commands.run("preprocess", "--config", place / "c.yaml", "--set", PARQUET, "--quiet"), statuses)
