"""Tables of users: attributes that tell them apart in a report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interestrec.formats.column_sql import id_of
from interestrec.formats.raw_log import RawLog
from interestrec.formats.raw_tables import require, scan
from interestrec.formats.row_filters import filter_checks, leave_out, named


def read_users(log: RawLog, path: Path, users: Mapping[str, Any]) -> None:
    """Append a file of users; `users` is a mapping such as `data.users`.

    Raises:
        InputMissingError, DataError: the file or a column is missing.
    """
    base = log.begin(path)
    key, names, filters = users["columns"]["user"], users["attributes"], users["where"]
    log.user_attributes = names
    wanted = named({"user": key, "attributes": names}, filters)
    for columns in scan(log, path, wanted, users["delimiter"]):
        require(list(columns), key, path, "data.users.columns.user")
        for name in names:
            require(list(columns), name, path, "data.users.attributes")
        fine = leave_out(log, path, filter_checks(columns, path, "data.users.where", filters))
        values = [id_of(columns, name) for name in names]
        add_users(log, path, f"(FROM raw WHERE {fine})", id_of(columns, key), values, base)
        log.reached(base + log.number("SELECT max(_row) FROM raw"))


def add_users(log: RawLog, path: Path, rows: str, key: str, values: Sequence[str], base: int) -> None:
    """Append rows to `users`, counting those of nobody.

    Args:
        rows: SQL of a relation with `_row`.
        key: SQL of the id, null where it is empty.
        values: SQL of each attribute as text, null where it is unknown, in the order of `log.user_attributes`.
    """
    log.count_without_id("user", path, rows, f"{key} IS NULL")
    attributes = f"CAST([{', '.join(values)}] AS VARCHAR[])"
    log.db.execute(f"INSERT INTO users SELECT {key}, {attributes}, _row + {base} FROM {rows} WHERE {key} IS NOT NULL")
