"""Expansion of names of raw files, which may be glob patterns."""

from collections.abc import Sequence
from pathlib import Path

from interestrec.core.errors import InputMissingError

_WILDCARDS = frozenset("*?[")


def expand_patterns(root: Path, names: Sequence[str]) -> list[Path]:
    """Return the files that names or patterns such as `day=*/part-*.parquet` match, sorted within a pattern.

    A file that several names match is returned once.

    Args:
        root: directory that relative names start from.

    Raises:
        InputMissingError: a name matches no file.
    """
    paths: dict[Path, None] = {}
    for name in names:
        matches = [root / name] if (root / name).is_file() else []
        if not matches and _WILDCARDS & set(name):
            start = Path(Path(name).anchor or root)
            pattern = str(Path(name).relative_to(Path(name).anchor))
            matches = sorted(path for path in start.glob(pattern) if path.is_file())
        if not matches:
            raise InputMissingError(f"{root / name}: no such file; check data.root and the names under data")
        paths.update(dict.fromkeys(matches))
    return list(paths)
