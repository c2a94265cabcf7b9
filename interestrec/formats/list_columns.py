"""Columns of lists: how their elements are written is decided over the elements of all rows of a table."""

from __future__ import annotations

from collections.abc import Mapping

from interestrec.columns.id_notations import IdNotation, IdSpelling, decide_id
from interestrec.columns.landed_tables import LandedTable, element_type
from interestrec.columns.number_notations import NumberNotation, decide_number
from interestrec.columns.time_notations import TimeNotation, decide_time
from interestrec.columns.whole_columns import WholeColumn, is_whole_type
from interestrec.core.errors import DataError
from interestrec.rawfiles.raw_tables import identifier

_JSON_LIST = "try_cast(from_json(try_cast({} AS JSON), '[\"VARCHAR\"]') AS VARCHAR[])"


def _elements(table: LandedTable, name: str) -> WholeColumn:
    lists = {}
    for file in table.files:
        sql_type = file.types[name]
        if sql_type != "VARCHAR" and not sql_type.endswith("[]"):
            raise DataError(f"{table.column(name).subject} is of type {sql_type}; expected a list")
        lists[sql_type] = _list(name, sql_type)
    return table.elements(name, lists)


def _list(name: str, sql_type: str) -> str:
    """Return the SQL of a list; text is parsed as JSON."""
    return _JSON_LIST.format(identifier(name)) if sql_type == "VARCHAR" else identifier(name)


def _transformed(name: str, sql_type: str, element: str) -> str:
    lists = _list(name, sql_type)
    return lists if element == '"x"' else f"list_transform({lists}, lambda x: {element})"


class IdLists:
    """A column of lists of ids."""

    def __init__(self, table: LandedTable, name: str, spelling: IdSpelling) -> None:
        self.name = name
        self.notation: IdNotation = decide_id(_elements(table, name), spelling)

    def expression(self, types: Mapping[str, str]) -> str:
        """Return the SQL of a list as VARCHAR[]; a null list becomes an empty one."""
        sql_type = types[self.name]
        element = self.notation.expression(element_type(sql_type))
        if is_whole_type(element_type(sql_type)) and element == 'CAST("x" AS VARCHAR)':
            element = '"x"'
        return f"coalesce(CAST({_transformed(self.name, sql_type, element)} AS VARCHAR[]), [])"


class TimeLists:
    """A column of lists of times."""

    def __init__(self, table: LandedTable, name: str) -> None:
        settings = table.settings
        self.name = name
        self.notation: TimeNotation = decide_time(_elements(table, name), settings.time_format, settings.time_unit)

    def expression(self, types: Mapping[str, str]) -> str:
        """Return the SQL of a list as TIMESTAMP[]; a time that cannot be read is null."""
        element = self.notation.expression(element_type(types[self.name]))
        return f"CAST({_transformed(self.name, types[self.name], element)} AS TIMESTAMP[])"


class NumberLists:
    """A column of lists of numbers."""

    def __init__(self, table: LandedTable, name: str) -> None:
        self.name = name
        self.notation: NumberNotation = decide_number(_elements(table, name), table.settings.decimal)

    def expression(self, types: Mapping[str, str]) -> str:
        """Return the SQL of a list as DOUBLE[]; a value that is no number is null."""
        element = self.notation.expression(element_type(types[self.name]))
        return f"CAST({_transformed(self.name, types[self.name], element)} AS DOUBLE[])"
