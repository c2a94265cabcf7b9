"""Expansion of names of raw files, which may be glob patterns or directories of files."""

from collections.abc import Sequence
from pathlib import Path

from interestrec.core.errors import InputMissingError
from interestrec.rawfiles.remote_files import download, is_remote

_WILDCARDS = frozenset("*?[")


def expand_patterns(root: Path, names: Sequence[str]) -> list[Path]:
    """Return the files that names or patterns such as `day=*/part-*.parquet` match, sorted within a pattern.

    A directory stands for the files in it and below, as Spark writes a table: without hidden ones, empty ones, and
    those that begin with `_`, such as `_SUCCESS`. `~` is the home directory, and a URL stands for a
    local copy. A file that several names match is returned once.

    Args:
        root: directory that relative names start from.

    Raises:
        InputMissingError: a name matches no file.
    """
    paths: dict[Path, None] = {}
    for name in names:
        if is_remote(name):
            paths.update(dict.fromkeys(download(name)))
            continue
        whole = file_under(root, name)
        matches = _files_of(whole) if whole.exists() else []
        if not matches and _WILDCARDS & set(name):
            start = root if whole == root / name and not Path(name).is_absolute() else Path(whole.anchor)
            pattern = str(whole.relative_to(start))
            found = [path for path in sorted(start.glob(pattern)) if whole.name[0] not in _WILDCARDS or _is_data(path)]
            matches = [file for path in found for file in _files_of(path)]
        if not matches and whole.is_dir():
            raise InputMissingError(f"{whole}: no such file; it is a directory without files of data")
        if not matches:
            raise InputMissingError(f"{whole}: no such file; check data.root and the names under data")
        paths.update(dict.fromkeys(matches))
    return list(paths)


def file_under(root: Path, name: str) -> Path:
    """Return the path of a name that is relative to a directory, absolute, begins with `~` or is the URL of a file."""
    if is_remote(name):
        return download(name)[0]
    return root / expand_home(Path(name))


def expand_home(path: Path) -> Path:
    """Return a path with the home directory for `~`; unchanged where nobody's home is known."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _files_of(path: Path) -> list[Path]:
    """Return a file, or the files of data of a directory."""
    if not path.is_dir():
        return [path] if path.is_file() else []
    return [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.stat().st_size and all(map(_is_data, [file, *_between(path, file)]))
    ]


def _between(directory: Path, file: Path) -> list[Path]:
    """Return the directories below a directory that a file lies in."""
    return [parent for parent in file.parents if parent.is_relative_to(directory) and parent != directory]


def _is_data(path: Path) -> bool:
    """Whether a file or directory holds data, by its name: `_SUCCESS`, `_metadata` and checksums do not."""
    is_hidden = path.name.startswith((".", "_")) and "=" not in path.name
    return not is_hidden and path.suffix != ".crc"
