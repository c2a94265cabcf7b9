"""Tables of users: attributes that a report may slice by."""

from __future__ import annotations

from pathlib import Path

from interestrec.columns.column_sql import id_expression
from interestrec.columns.row_filters import filter_checks, leave_out, mapped_columns
from interestrec.columns.table_settings import UserTable
from interestrec.columns.text_values import single_value_checks, text_checks, text_expression
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import require_column, scan


def read_users(log: RawLog, path: Path, users: UserTable) -> None:
    """Append the rows of a file of users, such as one of `data.users`.

    Raises:
        InputMissingError, DataError: the file or a column is missing.
    """
    key = users.columns.user
    column_names = list(
        dict.fromkeys([*mapped_columns(users.columns), *users.attributes, *(c.column for c in users.where)])
    )
    for columns in scan(log, path, column_names, users):
        require_column(list(columns), key, path, "data.users.columns.user")
        for name in users.attributes:
            require_column(list(columns), name, path, "data.users.attributes")
        checks = filter_checks(columns, path, "data.users.where", users.where)
        checks += single_value_checks(columns, key, path, "data.users.columns.user", "id")
        for name in users.attributes:
            checks += text_checks(columns, name, path, "data.users.attributes")
        rows = leave_out(log, checks)
        attributes = {name: text_expression(columns, name) for name in users.attributes}
        log.add_users(rows, user=id_expression(columns, key), attributes=attributes)
