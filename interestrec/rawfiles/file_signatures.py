"""What a file is by its first bytes, where it is not the text that its name promises."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from interestrec.core.errors import DataError
from interestrec.rawfiles.packed_files import open_unpacked

HEAD_BYTES = 1 << 16
# In this order, because the mark of UTF-32 begins with that of UTF-16.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_EXCEL = "export the sheet as CSV (UTF-8)"
# First bytes -> what the file is, and what to do about it.
_SIGNATURES = {
    b"\x1f\x8b": ("compressed by gzip", "name it `{name}.gz`"),
    b"BZh": ("compressed by bzip2", "name it `{name}.bz2`"),
    b"\xfd7zXZ\0": ("compressed by xz", "name it `{name}.xz`"),
    b"\x28\xb5\x2f\xfd": ("compressed by Zstandard", "name it `{name}.zst`"),
    b"PAR1": ("a Parquet file", "name it `{stem}.parquet`"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an Excel workbook", _EXCEL),
    b"SQLite format 3\0": ("an SQLite database", "export its table as CSV"),
    b"%PDF-": ("a PDF document", "give the table as CSV"),
    b"version https://git-lfs": ("a pointer of Git LFS instead of the file", "run `git lfs pull`"),
    b"ORC": ("an ORC file", "convert it to Parquet"),
    b"Obj\x01": ("an Avro file", "convert it to Parquet"),
    b"ARROW1": ("an Arrow file", "convert it to Parquet"),
    b"\x80\x04\x95": ("a Python pickle, which is never loaded", "convert it to Parquet"),
    b"\x7fELF": ("a program", "give the table as CSV"),
}
_MARKUP = re.compile(rb"\s*<(!doctype|html|head|body|\?xml|table)\b", re.IGNORECASE)


def head_of(path: Path) -> bytes:
    """Return the first bytes of what a file holds, decompressed.

    Raises:
        InputMissingError, DataError: the file is missing or damaged.
    """
    with open_unpacked(path) as source:
        return source.read(HEAD_BYTES)


def require_text(path: Path, head: bytes) -> None:
    """Check that a file whose name promises text is no other kind of file.

    Raises:
        DataError: it is; the message says what it is and what to do.
    """
    kind = _kind_by_bytes(head)
    if kind is not None:
        what, advice = kind
        advice = advice.format(name=path.name, stem=path.name.partition(".")[0])
        raise DataError(f"{path}: is {what}; {advice}")


def _kind_by_bytes(head: bytes) -> tuple[str, str] | None:
    if head.startswith(b"PK\x03\x04"):
        if b"[Content_Types].xml" in head or b"xl/" in head or b"_rels/" in head:
            return "an Excel workbook", _EXCEL
        return "a zip archive", "name it `{name}.zip`"
    if _MARKUP.match(head):
        return "a page of HTML or XML", "download the file itself, or export the table as CSV"
    return next((kind for mark, kind in _SIGNATURES.items() if head.startswith(mark)), None)


def reason_not_parquet(path: Path) -> str | None:
    """Return what a file named `.parquet` is instead, with advice, as the rest of a sentence; None if it is Parquet."""
    with path.open("rb") as source:
        head = source.read(HEAD_BYTES)
    if head.startswith((b"PAR1", b"PARE")):
        return None
    if kind := _kind_by_bytes(head):
        return f"is {kind[0]}, not Parquet; name it after what it is"
    if head and b"\0" not in head:
        kind_of_text = "JSON lines (`.jsonl`)" if head.lstrip().startswith(b"{") else "text (`.csv` or `.tsv`)"
        return f"is {kind_of_text}, not Parquet; name it after what it is"
    return "is empty, not Parquet; write it again" if not head else None


def encoding_of(path: Path, head: bytes, encoding: str | None) -> str:
    """Return the encoding of a text file: that of its byte-order mark, else the one that is set, else UTF-8.

    Raises:
        DataError: the file is UTF-16 without a mark, and no encoding is set.
    """
    marked = next((name for mark, name in _BYTE_ORDER_MARKS.items() if head.startswith(mark)), None)
    name = codecs.lookup(marked or encoding or "utf-8").name
    order = _order_of_utf16(head) if marked is None else None
    if name == "utf-16" and marked is None:  # which needs the mark
        return order or "utf-16-le"
    if order is not None and encoding is None:
        raise DataError(
            f"{path}: is UTF-16 without a byte-order mark; set `encoding: {order}` for the table, or convert the file "
            f"with `iconv -f {order} -t utf-8`"
        )
    return f"{name}-le" if name == "utf-32" and marked is None else name


def _order_of_utf16(head: bytes) -> str | None:
    """Return the encoding whose characters below 256 leave every other byte zero, as most texts' do."""
    even, odd = head[0::2], head[1::2]
    if len(odd) < 4:
        return None
    if odd.count(0) > len(odd) // 2 and not even.count(0):
        return "utf-16-le"
    if even.count(0) > len(even) // 2 and not odd.count(0):
        return "utf-16-be"
    return None


def line_end_of(head: bytes) -> bytes:
    """Return the byte that ends the lines of a text: CR where there is no LF, as old Macintosh programs write it."""
    return b"\r" if b"\r" in head and b"\n" not in head else b"\n"
