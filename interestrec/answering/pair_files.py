"""Files of pairs of user and item, whose scores are asked for."""

import csv
from collections.abc import Iterator
from pathlib import Path

from interestrec.core.errors import DataError
from interestrec.io import files

COLUMNS = ("user_id", "item_id")


def read_pairs(path: Path) -> tuple[list[str], list[str]]:
    """Read pairs from a CSV or TSV file with a header, or a Parquet file; return the ids of users and of items.

    Raises:
        DataError: a column is missing, or a row has no value in it; the message names the line.
        InputMissingError: there is no such file.
    """
    if path.suffix == ".parquet":
        table = files.read_parquet(path, columns=list(COLUMNS))
        users, items = (table[name].cast("string").to_pylist() for name in COLUMNS)
        return users, items
    pairs = list(_rows(path))
    return [user for user, _ in pairs], [item for _, item in pairs]


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    lines = files.read_lines(path)
    delimiter = "\t" if lines and "\t" in lines[0] else ","
    reader = csv.DictReader(lines, delimiter=delimiter, strict=True)
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise DataError(f"{path}:1: the header lacks the column {missing[0]}; the columns are {' and '.join(COLUMNS)}")
    try:
        for row in reader:
            user, item = (row[name] for name in COLUMNS)
            if not user or not item:
                raise DataError(f"{path}:{reader.line_num}: lacks a user_id or an item_id")
            yield user, item
    except csv.Error as error:
        raise DataError(f"{path}:{reader.reader.line_num}: {error}") from None
