"""Tables of users: attributes that a report may slice by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from interestrec.columns.id_notations import AS_READ, IdSpelling
from interestrec.columns.landed_tables import LandedTable, attribute_keys, column_keys, land_table
from interestrec.columns.number_notations import decide_number
from interestrec.columns.row_filters import TableFilter
from interestrec.columns.table_settings import UserTable
from interestrec.columns.text_values import single_value_checks, text_checks, text_expression
from interestrec.rawfiles.raw_log import RawLog


def read_users(
    log: RawLog, paths: Sequence[Path], users: UserTable, ids: IdSpelling = AS_READ, key: str = "data.users"
) -> None:
    """Append the rows of a table of users, such as `data.users`.

    Args:
        paths: all files of the table.
        ids: how the ids of users are spelled in the log.
        key: configuration key of the table, for messages.

    Raises:
        InputMissingError, DataError: a file or column is missing; a column or filter cannot be applied.
    """
    keys = attribute_keys(users.attributes, key) | column_keys(users.columns, key, users.where)
    table = land_table(log, paths, keys, users, key)
    user = table.id(users.columns.user, ids)
    attributes = {name: AttributeNotation(table, name) for name in users.attributes}
    row_filter = TableFilter(table, users.where)
    for file in table.take_files():
        values = {name: notation.expression(file.types) for name, notation in attributes.items()}
        checks = single_value_checks(file.types, users.columns.user, file.path, f"{key}.columns.user", "id")
        for name in users.attributes:
            checks += text_checks(file.types, name, file.path, f"{key}.attributes")
        log.add_users(
            row_filter.select(file, checks), user=user.expression(file.types[users.columns.user]), attributes=values
        )
    row_filter.require_rows()


class AttributeNotation:
    """How an attribute is handed over as text: `12,5` as a number where all texts are numbers, else as it is."""

    def __init__(self, table: LandedTable, name: str) -> None:
        self.column = table.column(name)
        number = decide_number(self.column, table.settings.decimal, must_decide=False)
        self.number = number if number.reads_all() and not number.is_plain and not number.doubt else None

    def expression(self, types: Mapping[str, str]) -> str:
        """Return the SQL of a value as text, null where it is missing; `types` are those of a file's columns."""
        name = self.column.name
        if self.number is not None:
            return f"CAST({self.number.expression(types[name])} AS VARCHAR)"
        return f"CASE WHEN {self.column.text(types[name])} IS NOT NULL THEN {text_expression(types, name)} END"
