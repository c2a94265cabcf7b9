"""Names of raw files, which may be patterns."""

from collections.abc import Sequence
from pathlib import Path

from interestrec.core.errors import InputMissingError

_MAGIC = frozenset("*?[")


def expand_patterns(root: Path, names: Sequence[str]) -> list[Path]:
    """Files of names relative to `root` or absolute, of which `day=*/part-*.parquet` stands for all that match, sorted.

    A file that several names stand for is taken once.

    Raises:
        InputMissingError: a name stands for no file.
    """
    found: dict[Path, None] = {}
    for name in names:
        matches = [root / name] if (root / name).is_file() else []
        if not matches and _MAGIC & set(name):
            start = Path(Path(name).anchor or root)
            pattern = str(Path(name).relative_to(Path(name).anchor))
            matches = sorted(path for path in start.glob(pattern) if path.is_file())
        if not matches:
            raise InputMissingError(f"{root / name}: no such file; check data.root and the names under data")
        found.update(dict.fromkeys(matches))
    return list(found)
