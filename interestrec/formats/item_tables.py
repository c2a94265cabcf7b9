"""Tables of items by column mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from interestrec.columns.id_notations import AS_READ, IdNotation, IdSpelling
from interestrec.columns.landed_tables import LandedTable, attribute_keys, column_keys, land_table
from interestrec.columns.number_notations import NumberNotation
from interestrec.columns.row_checks import RowCheck
from interestrec.columns.row_filters import TableFilter
from interestrec.columns.table_settings import ItemColumns, ItemTable
from interestrec.columns.text_values import (
    is_list_type,
    list_expression,
    single_value_checks,
    text_checks,
    text_expression,
)
from interestrec.columns.time_notations import TimeNotation
from interestrec.columns.unreadable_values import count_unreadable
from interestrec.formats.user_tables import AttributeNotation
from interestrec.rawfiles.raw_log import RawLog, sql_string


class ItemExpressions(TypedDict):
    """SQL expressions of an item's attributes: arguments of `RawLog.add_items`."""

    item_id: str
    title: str
    text: str
    category: str
    price: str
    published: str
    attributes: dict[str, str]


class ItemReader:
    """Reads the attributes of items from the columns of a table, whose notations are decided over all its files.

    Args:
        table: a table with the columns of the mapping.
        mapping: which column means what.
        attributes: further columns that are kept.
        ids: how the ids of items are spelled in the log.
    """

    def __init__(
        self, table: LandedTable, mapping: ItemColumns, attributes: Sequence[str] = (), ids: IdSpelling = AS_READ
    ) -> None:
        self.table, self.mapping = table, mapping
        self.attributes = {name: _AttributeOfItems(table, name) for name in attributes}
        self.id: IdNotation = table.id(mapping.item, ids)
        self.price: NumberNotation | None = table.number(mapping.price) if mapping.price else None
        self.published: TimeNotation | None = table.time(mapping.published) if mapping.published else None

    def expressions(self, types: Mapping[str, str]) -> ItemExpressions:
        """Return the SQL of an item's attributes over the columns of a file with these types."""
        mapping = self.mapping
        category = "NULL"
        if mapping.category:
            category = text_expression(types, mapping.category, separator="/")  # a list is a path
        if mapping.category_separator:
            category = f"replace({category}, {sql_string(mapping.category_separator)}, '/')"
        return {
            "item_id": self.id.expression(types[mapping.item]),
            "title": _joined(types, mapping.title),
            "text": _joined(types, mapping.text),
            "category": category,
            "price": self.price.expression(types[self.price.column.name]) if self.price else "NULL",
            "published": self.published.expression(types[self.published.column.name]) if self.published else "NULL",
            "attributes": {name: attribute.expression(types) for name, attribute in self.attributes.items()},
        }

    def checks(self, types: Mapping[str, str], path: Path) -> list[RowCheck]:
        """Return the checks of rows whose id, title, text or category cannot be read.

        Raises:
            DataError: a column has objects instead of texts, or lists of ids.
        """
        mapping, key = self.mapping, f"{self.table.key}.columns"
        sources = [("title", name) for name in mapping.title] + [("text", name) for name in mapping.text]
        sources += [("category", mapping.category)] if mapping.category else []
        checks = single_value_checks(types, mapping.item, path, f"{key}.item", "id")
        for role, name in sources:
            checks += text_checks(types, name, path, f"{key}.{role}")
        for name in self.attributes:
            checks += text_checks(types, name, path, f"{self.table.key}.attributes")
        return checks

    def count_unreadable(self, rows: str, types: Mapping[str, str]) -> None:
        """Count the prices and times of publication of a relation that are left empty because they are unreadable."""
        for notation, subject in ((self.price, "prices"), (self.published, "times of publication")):
            if notation is not None:
                count_unreadable(notation, rows, types[notation.column.name], subject)


class _AttributeOfItems:
    """How an attribute is handed over as text: a list as JSON, else as an attribute of users is."""

    def __init__(self, table: LandedTable, name: str) -> None:
        self.name = name
        has_texts = any(not is_list_type(file.types[name]) for file in table.files)
        self.text = AttributeNotation(table, name) if has_texts else None

    def expression(self, types: Mapping[str, str]) -> str:
        """Return the SQL of a value, null where it is missing; `types` are those of a file's columns."""
        as_list = list_expression(types, self.name)
        if self.text is None or is_list_type(types[self.name]):
            return as_list
        return f"coalesce({as_list}, {self.text.expression(types)})"


def _joined(types: Mapping[str, str], columns: Sequence[str]) -> str:
    texts = ", ".join(text_expression(types, column) for column in columns)
    return f"concat_ws(' ', {texts})" if texts else "''"


def read_items(
    log: RawLog, paths: Sequence[Path], items: ItemTable, ids: IdSpelling = AS_READ, key: str = "data.items"
) -> None:
    """Append the rows of a table of items, such as `data.items`; rows without an id are left out and counted.

    Args:
        paths: all files of the table.
        ids: how the ids of items are spelled in the log.
        key: configuration key of the table, for messages.

    Raises:
        InputMissingError, DataError: a file or column is missing; a column or filter cannot be applied.
    """
    keys = column_keys(items.columns, key, items.where)
    table = land_table(log, paths, attribute_keys(items.attributes, key) | keys, items, key)
    reader = ItemReader(table, items.columns, items.attributes, ids)
    row_filter = TableFilter(table, items.where, items.columns.published)
    for file in table.take_files():
        rows = row_filter.select(file, reader.checks(file.types, file.path))
        values = reader.expressions(file.types)
        log.count_without_id("item", rows, f"{values['item_id']} IS NULL")
        described = f"{rows} WHERE {values['item_id']} IS NOT NULL"
        reader.count_unreadable(described, file.types)
        log.add_items(described, **values)
    row_filter.require_rows()
