"""Tables of users: attributes that tell them apart in a report."""

from __future__ import annotations

from pathlib import Path

from interestrec.formats.column_sql import id_of
from interestrec.formats.raw_log import RawLog
from interestrec.formats.raw_tables import require, scan
from interestrec.formats.row_filters import columns_of, filter_checks, leave_out
from interestrec.formats.table_settings import UserTable


def read_users(log: RawLog, path: Path, users: UserTable) -> None:
    """Append a file of users, such as one of `data.users`.

    Raises:
        InputMissingError, DataError: the file or a column is missing.
    """
    key = users.columns.user
    wanted = list(dict.fromkeys([*columns_of(users.columns), *users.attributes, *(c.column for c in users.where)]))
    for columns in scan(log, path, wanted, users.delimiter):
        require(list(columns), key, path, "data.users.columns.user")
        for name in users.attributes:
            require(list(columns), name, path, "data.users.attributes")
        rows = leave_out(log, filter_checks(columns, path, "data.users.where", users.where))
        attributes = {name: id_of(columns, name) for name in users.attributes}
        log.add_users(rows, user=id_of(columns, key), attributes=attributes)
