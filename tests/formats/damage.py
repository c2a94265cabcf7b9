"""Ways in which a raw file can be broken; each rewrites the file, or replaces it by one of another name."""

import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Rng = np.random.Generator
_ABSURD = ["1e400", "-1", "9e18", "nan", "-9223372036854775809", "infinity", "", "1e-400", "0x10", "290000-01-01"]


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def _store(path: Path, data: bytes) -> None:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def _on_bytes(change: Callable[[bytes, Rng], bytes]) -> Callable[[Path, Rng], Path]:
    def apply(path: Path, rng: Rng) -> Path:
        _store(path, change(_content(path), rng))
        return path

    return apply


def _inserted(*pieces: bytes, times: int = 3) -> Callable[[bytes, Rng], bytes]:
    """Pieces put in at random places."""

    def change(data: bytes, rng: Rng) -> bytes:
        for _ in range(times):
            place, piece = int(rng.integers(len(data) + 1)), pieces[int(rng.integers(len(pieces)))]
            data = data[:place] + piece + data[place:]
        return data

    return change


def _mixed_ends(data: bytes, rng: Rng) -> bytes:
    ends = [b"\n", b"\r\n", b"\r", b"\n\n"]
    return b"".join(line + ends[int(rng.integers(len(ends)))] for line in data.split(b"\n"))


def _swapped(data: bytes, rng: Rng) -> bytes:
    lines = data.split(b"\n")
    return b"\n".join(lines[int(n)] for n in rng.permutation(len(lines)))


def _flipped(data: bytes, rng: Rng) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(len(changed), size=4):
        changed[int(place)] = int(rng.integers(256))
    return bytes(changed)


def _other_delimiter(data: bytes, rng: Rng) -> bytes:
    found = next((mark for mark in (b"::", b"\t", b",") if mark in data), b",")
    return data.replace(found, b";")


def _long_line(data: bytes, rng: Rng) -> bytes:
    line = rng.choice(data.split(b"\n")) if b"\n" in data else data
    return data + bytes(line)[:10] + b"x" * 300_000 + b"\n"


def _stray_quotes(data: bytes, rng: Rng) -> bytes:
    """Quotes at the beginning and the end of fields, as titles that are cut off and inches have them."""
    marks = [mark for mark in (b"::", b"\t", b",", b"\n") if mark in data] or [b"\n"]
    for _ in range(4):
        mark = marks[int(rng.integers(len(marks)))]
        parts = data.split(mark)
        n = int(rng.integers(len(parts)))
        parts[n] = b'"' + parts[n] if rng.random() < 0.5 else parts[n] + b'"'
        data = mark.join(parts)
    return data


def _unclosed_quote(data: bytes, rng: Rng) -> bytes:
    lines = data.split(b"\n")
    n = int(rng.integers(len(lines)))
    mark = next((mark for mark in (b"::", b"\t", b",") if mark in lines[n]), b",")
    lines[n] = lines[n].replace(mark, mark + b'"', 1)
    return b"\n".join(lines)


def _as_encoded(encoding: str, mark: bytes = b"") -> Callable[[bytes, Rng], bytes]:
    """The text in another encoding, with a letter beyond ASCII somewhere."""

    def change(data: bytes, rng: Rng) -> bytes:
        text = data.decode("latin-1")
        place = int(rng.integers(len(text) + 1))
        return mark + (text[:place] + "\xe9" + text[place:]).encode(encoding)

    return change


def _packed(suffix: str, pack: Callable[[bytes], bytes], share: float) -> Callable[[Path, Rng], Path]:
    """The file compressed, whole or cut off somewhere."""

    def apply(path: Path, rng: Rng) -> Path:
        packed = pack(_content(path))
        path.unlink()
        target = path.with_name(path.name.removesuffix(".gz") + suffix)
        target.write_bytes(packed if rng.random() > share else packed[: int(rng.integers(1, len(packed)))])
        return target

    return apply


def _zip(data: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", data)
    return target.getvalue()


def _other_kind(path: Path, rng: Rng) -> Path:
    """The content of another kind of file under the name."""
    contents = [gzip.compress(_content(path)), _zip(_content(path)), b"PAR1\x15\x04", b"<html><body>Not found</body>"]
    path.write_bytes(contents[int(rng.integers(len(contents)))])
    return path


def _directory(path: Path, rng: Rng) -> Path:
    path.unlink()
    path.mkdir()
    return path


def _half_gzip(path: Path, rng: Rng) -> Path:
    packed = gzip.compress(_content(path))
    path.unlink()
    target = path if path.suffix == ".gz" else path.with_name(f"{path.name}.gz")
    target.write_bytes(packed[: int(rng.integers(1, len(packed)))])
    return target


def _on_cells(change: Callable[[list[list[Any]], Rng], None]) -> Callable[[Path, Rng], Path]:
    """A change of rows of cells, the first of them the header where the format has one, in whatever is the file."""

    def apply(path: Path, rng: Rng) -> Path:
        kind = path.name.removesuffix(".gz").rpartition(".")[2]
        if kind == "parquet":
            table = pq.read_table(path)
            rows = [table.column_names, *(list(row.values()) for row in table.to_pylist())]
            change(rows, rng)
            columns = [_column([row[n] for row in rows[1:]]) for n in range(len(rows[0]))]
            pq.write_table(pa.Table.from_arrays(columns, names=[str(name) for name in rows[0]]), path)
        elif kind in ("jsonl", "json"):
            records = [json.loads(line) for line in _content(path).decode().splitlines()]
            rows = [list(records[0]), *(list(record.values()) for record in records)]
            change(rows, rng)
            names = [json.dumps(str(name)) for name in rows[0]]
            lines = [", ".join(f"{n}: {_json(v)}" for n, v in zip(names, row, strict=True)) for row in rows[1:]]
            _store(path, "".join(f"{{{line}}}\n" for line in lines).encode())
        else:
            text = _content(path).decode("latin-1")
            mark = {"csv": ",", "dat": "::"}.get(kind, "\t")
            quoted = kind == "csv"
            rows = list(csv.reader(io.StringIO(text))) if quoted else [r.split(mark) for r in text.splitlines()]
            change(rows, rng)
            made = [[f'"{c}"' if quoted and set(str(c)) & set(',"\n') else str(c) for c in row] for row in rows]
            _store(path, "".join(mark.join(row) + "\n" for row in made).encode("latin-1"))
        return path

    return apply


def _column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        return pa.array([str(value) for value in values])


def _json(value: Any) -> str:
    bare = isinstance(value, str) and value in ("1e400", "-1", "9e18", "nan")
    return str(value) if bare else json.dumps(value)


def _absurd(rows: list[list[Any]], rng: Rng) -> None:
    for _ in range(6):
        row, column = int(rng.integers(1, len(rows))), int(rng.integers(len(rows[0])))
        rows[row][column] = _ABSURD[int(rng.integers(len(_ABSURD)))]


def _absurd_column(rows: list[list[Any]], rng: Rng) -> None:
    column = int(rng.integers(len(rows[0])))
    value = [float("nan"), -1, 9 * 10**18, None, [1, None], {"a": 1}][int(rng.integers(6))]
    for row in rows[1:]:
        row[column] = value


def _without_column(rows: list[list[Any]], rng: Rng) -> None:
    column = int(rng.integers(len(rows[0])))
    for row in rows:
        del row[column]


def _renamed(rows: list[list[Any]], rng: Rng) -> None:
    rows[0][int(rng.integers(len(rows[0])))] = ["", "other", "a.b", '"', "_row", "x" * 300][int(rng.integers(6))]


def _doubled(rows: list[list[Any]], rng: Rng) -> None:
    column = int(rng.integers(len(rows[0])))
    for row in rows:
        row.append(row[column])


# Name of a way -> function (file, generator) that does it and returns the file's path afterwards.
DAMAGES: dict[str, Callable[[Path, Rng], Path]] = {
    "truncated": _on_bytes(lambda data, rng: data[: int(rng.integers(len(data)))]),
    "delimiter": _on_bytes(_other_delimiter),
    "not-utf8": _on_bytes(_inserted(b"\xff", b"\xc3", b"\xed\xa0\x80")),
    "nul": _on_bytes(_inserted(b"\0", b"\0\0\0")),
    "line-ends": _on_bytes(_mixed_ends),
    "quote": _on_bytes(_inserted(b'"', times=1)),
    "stray-quotes": _on_bytes(_stray_quotes),
    "unclosed-quote": _on_bytes(_unclosed_quote),
    "escaped": _on_bytes(_inserted(b'\\"', b"\\", b'""')),
    "utf-16": _on_bytes(_as_encoded("utf-16")),
    "utf-16-le": _on_bytes(_as_encoded("utf-16-le")),
    "latin-1": _on_bytes(_as_encoded("latin-1")),
    "carriage-returns": _on_bytes(lambda data, rng: data.replace(b"\n", b"\r")),
    "byte-order-mark": _on_bytes(lambda data, rng: b"\xef\xbb\xbf" + data),
    "half-zst": _packed(".zst", lambda data: pa.compress(data, codec="zstd", asbytes=True), 0.8),
    "half-xz": _packed(".xz", lzma.compress, 0.8),
    "half-zip": _packed(".zip", _zip, 0.8),
    "other-kind": _other_kind,
    "array": _on_bytes(lambda data, rng: b"[" + data.replace(b"\n", b",")[:-1] + b"]"),
    "flipped": _on_bytes(_flipped),
    "empty": _on_bytes(lambda data, rng: b""),
    "blank": _on_bytes(lambda data, rng: b"\n\r\n\n" if rng.random() < 0.5 else b"\xff\n\0\n"),
    "swapped": _on_bytes(_swapped),
    "long-line": _on_bytes(_long_line),
    "directory": _directory,
    "half-gzip": _half_gzip,
    "absurd": _on_cells(_absurd),
    "absurd-column": _on_cells(_absurd_column),
    "no-column": _on_cells(_without_column),
    "renamed": _on_cells(_renamed),
    "doubled": _on_cells(_doubled),
}
