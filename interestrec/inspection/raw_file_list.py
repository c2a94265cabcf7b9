"""The raw files that paths and directories name, with parts of one table put together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from interestrec.core.errors import DataError, InputMissingError
from interestrec.rawfiles.packed_files import DELIMITERS, JSON, PARQUET, kind_of

_TEXT = {".txt", ".dat", ".data", ".inter", ".item", ".user", ".base", ".psv"}
_NO_TABLE = re.compile(r"(read.?me|licen[cs]e|copying|citation|changelog|requirements)", re.IGNORECASE)
# What tells the parts of one table apart: `part-00000-3f2c…`, a date, a number.
_PART = re.compile(
    r"(part-[-0-9a-f]{5,}(-c\d+)?|\d{4}-\d{2}(-\d{2})?|[0-9a-f]{8}-[-0-9a-f]{27}|(?<![a-z])\d+)", re.IGNORECASE
)


@dataclass(frozen=True)
class FileGroup:
    """Files that are parts of one table, or a single file."""

    names: tuple[str, ...]  # as in the configuration: relative to the common directory; may be one pattern
    paths: tuple[Path, ...]
    kind: str  # text, json or parquet

    @property
    def label(self) -> str:
        """What a sentence calls the table."""
        return self.names[0] if len(self.names) == 1 else f"{self.names[0]} and {len(self.names) - 1} more"


def _table_kind(path: Path) -> str | None:
    """Return the kind of table that a file's name promises; None if it promises none."""
    try:
        suffix = kind_of(path)
    except (DataError, OSError):  # an archive of several files
        return None
    if suffix == PARQUET:
        return "parquet"
    if suffix in JSON:
        return "json"
    return "text" if suffix in DELIMITERS or suffix in _TEXT else None


def group_files(named: Sequence[Path]) -> tuple[Path, list[FileGroup], list[Path]]:
    """Return the common directory, the groups of files, and the files of a directory that seem to hold no table.

    Raises:
        InputMissingError: a path does not exist, or no file is left.
    """
    paths: dict[Path, None] = {}
    ignored = []
    for path in named:
        if not path.exists():
            raise InputMissingError(f"{path}: no such file or directory; name the files of your events and items")
        if path.is_file():
            paths[path] = None
            continue
        for inner in sorted(path.rglob("*")):
            hidden = any(part.startswith((".", "_")) for part in inner.relative_to(path).parts)
            if not inner.is_file() or hidden:
                continue
            if _table_kind(inner) is None or _NO_TABLE.search(inner.name):
                ignored.append(inner)
            else:
                paths[inner] = None
    if not paths:
        raise InputMissingError(f"{named[0]}: holds no CSV, TSV, JSON or Parquet file; name the files themselves")
    root = _common_directory(list(paths), named)
    groups: dict[tuple[str, str], list[Path]] = {}
    for path in paths:
        groups.setdefault((_series(path.relative_to(root)), _table_kind(path) or "text"), []).append(path)
    return root, [_group(root, parts, kind) for (_, kind), parts in groups.items()], ignored


def _common_directory(paths: Sequence[Path], named: Sequence[Path]) -> Path:
    """Return the directory that contains all paths; a single directory that was named stays it."""
    if len(named) == 1 and named[0].is_dir():
        return named[0]
    directories = [path.parent for path in paths]
    shared = directories[0]
    while not all(directory.is_relative_to(shared) for directory in directories):
        shared = shared.parent
    return shared


def _series(path: Path) -> str:
    """Return a path without what tells parts of one table apart."""
    folder = "/".join(re.sub(r"=.*", "=*", part) for part in path.parent.parts)
    return f"{folder}/{_PART.sub('*', path.name)}"


def _group(root: Path, paths: list[Path], kind: str) -> FileGroup:
    names = [str(path.relative_to(root)) for path in paths]
    pattern = _series(paths[0].relative_to(root)).lstrip("/")
    if len(names) > 2 and set(root.glob(pattern)) == set(paths):
        names = [pattern]
    return FileGroup(tuple(names), tuple(paths), kind)
