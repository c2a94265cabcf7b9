"""Names of the columns of raw files: as identifiers, checked, and what a missing one is told to be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interestrec.core.choices import suggestion
from interestrec.core.errors import DataError
from interestrec.io.parquet_limits import MAX_COLUMNS

_MAX_COLUMNS_NAMED = 50  # in a message


def identifier(column: str) -> str:
    """Return the name of a column as an identifier of SQL."""
    return '"' + column.replace('"', '""') + '"'


def unique_names(names: list[str], path: Path) -> list[str]:
    """Return the names of columns; one without a name, such as the index that pandas writes, becomes `column 1`.

    Raises:
        DataError: two names differ at most in case, or there are more than `MAX_COLUMNS`.
    """
    if len(names) > MAX_COLUMNS:
        raise DataError(f"{path}: has {len(names):,} columns, at most {MAX_COLUMNS:,} can be read; check the delimiter")
    seen = {"_row"}
    names = [name or f"column {n}" for n, name in enumerate(names, 1)]
    for name in names:
        if name.lower() in seen:
            raise DataError(f"{path}: two columns have the same name; rename one", f": '{name}'")
        seen.add(name.lower())
    return names


def require_column(columns: Sequence[str], name: str, path: Path, key: str) -> str:
    """Return the SQL identifier of a column that must exist.

    Args:
        key: configuration key or other origin of the name, for the message.

    Raises:
        DataError: the column does not exist; the message lists those that do.
    """
    if name in columns:
        return identifier(name)
    more = f" and {len(columns) - _MAX_COLUMNS_NAMED:,} more" if len(columns) > _MAX_COLUMNS_NAMED else ""
    existing = f"{suggestion(name, list(columns))}; it has: {', '.join(columns[:_MAX_COLUMNS_NAMED])}{more}"
    # The names are kept apart as a raw value: in a file without a header they are values of the first row.
    raise DataError(f"{path}: has no column '{name}' ({key})", existing)
