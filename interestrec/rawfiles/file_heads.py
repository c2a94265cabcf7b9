"""The first lines of a raw text file, by which its layout is told before it is read."""

from __future__ import annotations

from pathlib import Path

from interestrec.core.errors import DataError
from interestrec.rawfiles.text_lines import NOT_UTF8, is_utf8, text_blocks

_HEAD_BYTES = 1 << 20
_WINDOW_BYTES = 1 << 22


def head_lines(path: Path, encoding: str | None) -> list[str]:
    """Return the complete lines of the first megabyte of a text file, at least one where the file has one.

    Raises:
        InputMissingError, DataError: the file is missing or no text; or its first line that is not empty is none.
    """
    lines = _lines_from(path, encoding, b"", _HEAD_BYTES)
    first = next((number for number, line in enumerate(lines) if line.strip(b"\r")), None)
    if first is not None and (b"\0" in lines[first] or not is_utf8(lines[first])):
        raise DataError(f"{path}:{first + 1}: the first row is {NOT_UTF8}")
    return [_text(line) for line in lines]


def lines_from_first(path: Path, encoding: str | None, mark: str) -> list[str]:
    """Return the lines of some megabytes of a text file from the first line on that has a character."""
    return [_text(line) for line in _lines_from(path, encoding, mark.encode(), _WINDOW_BYTES)]


def _lines_from(path: Path, encoding: str | None, mark: bytes, size: int) -> list[bytes]:
    """Return the complete lines of about `size` bytes from the first line on that has the mark, whatever the blocks."""
    parts: list[bytes] = []
    total = 0
    for block in text_blocks(path, encoding):
        if not parts and mark:
            place = block.find(mark)
            if place < 0:
                continue
            block = block[block.rfind(b"\n", 0, place) + 1 :]
        parts.append(block)
        total += len(block) + 1
        if total > size:
            break
    text = b"\n".join(parts)
    if len(text) > size:
        end = text.rfind(b"\n", 0, size)
        text = text[:end] if end >= 0 else text.partition(b"\n")[0]
    return text.split(b"\n") if text else []


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")
