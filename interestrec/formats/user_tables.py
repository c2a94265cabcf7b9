"""Tables of users: attributes that a report may slice by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interestrec.columns.id_notations import AS_READ, IdSpelling
from interestrec.columns.landed_tables import LandedTable, column_keys, land_table
from interestrec.columns.number_notations import decide_number
from interestrec.columns.row_filters import TableFilter
from interestrec.columns.table_settings import UserTable
from interestrec.rawfiles.raw_log import RawLog

_KEY = "data.users"


def read_users(log: RawLog, paths: Sequence[Path], users: UserTable, ids: IdSpelling = AS_READ) -> None:
    """Append the rows of a table of users, such as `data.users`.

    Args:
        paths: all files of the table.
        ids: how the ids of users are spelled in the log.

    Raises:
        InputMissingError, DataError: a file or column is missing; a column or filter cannot be applied.
    """
    keys = column_keys(users.columns, _KEY, users.where)
    keys |= {name: f"{_KEY}.attributes" for name in users.attributes if name not in keys}
    table = land_table(log, paths, keys, users, _KEY)
    user = table.id(users.columns.user, ids)
    attributes = {name: AttributeNotation(table, name) for name in users.attributes}
    row_filter = TableFilter(table, users.where)
    for file in table.take_files():
        values = {name: notation.expression(file.types[name]) for name, notation in attributes.items()}
        log.add_users(row_filter.select(file), user=user.expression(file.types[users.columns.user]), attributes=values)
    row_filter.require_rows()


class AttributeNotation:
    """How an attribute is handed over as text: `12,5` as a number where all texts are numbers, else as it is."""

    def __init__(self, table: LandedTable, name: str) -> None:
        self.id = table.id(name)
        number = decide_number(table.column(name), table.settings.decimal, must_decide=False)
        self.number = number if number.reads_all() and not number.is_plain and not number.doubt else None

    def expression(self, sql_type: str) -> str:
        """Return the SQL of a value of this type as text, null where it is missing."""
        if self.number is None:
            return self.id.expression(sql_type)
        return f"CAST({self.number.expression(sql_type)} AS VARCHAR)"
