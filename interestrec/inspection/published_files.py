"""Public data sets by the published names of their files: formats that read them by default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interestrec.formats.readers import READERS
from interestrec.formats.table_data import TableData


def published_format(root: Path, paths: Sequence[Path]) -> str | None:
    """Return the format whose default files are all among the files below a directory; None if there is none.

    Args:
        paths: the files that were named.
    """
    here = {str(path.relative_to(root)) for path in paths}
    for name, reader in READERS.items():
        if issubclass(reader.section, TableData) and name != "events":
            names = reader.section.model_validate({"format": name, "root": root}).names
            if set(names) <= here:
                return name
    return None
