"""Tables of items by column mapping."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from interestrec.columns.column_sql import id_expression, time_expression
from interestrec.columns.row_filters import RowCheck, filter_checks, leave_out, mapped_columns
from interestrec.columns.table_settings import ItemColumns, ItemTable
from interestrec.columns.text_values import text_checks, text_expression
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.raw_tables import require_column, scan

_KEY = "data.items.columns"


class ItemExpressions(TypedDict):
    """SQL expressions of an item's attributes: arguments of `RawLog.add_items`."""

    item_id: str
    title: str
    text: str
    category: str
    price: str
    published: str


def read_items(log: RawLog, path: Path, items: ItemTable) -> None:
    """Append the rows of a file of items, such as one of `data.items`; rows without an id are left out and counted.

    Raises:
        InputMissingError, DataError: the file or a column is missing.
    """
    for columns in scan(log, path, mapped_columns(items.columns, items.where), items):
        filters = filter_checks(columns, path, "data.items.where", items.where)
        rows = leave_out(log, [*filters, *item_text_checks(columns, path, items.columns)])
        values = item_expressions(columns, path, items.columns)
        log.count_without_id("item", rows, f"{values['item_id']} IS NULL")
        log.add_items(f"{rows} WHERE {values['item_id']} IS NOT NULL", **values)


def item_text_checks(columns: Mapping[str, str], path: Path, mapping: ItemColumns) -> list[RowCheck]:
    """Return the checks of the columns of title, text and category.

    Raises:
        DataError: a column is missing, or has objects instead of texts.
    """
    sources = [("title", name) for name in mapping.title] + [("text", name) for name in mapping.text]
    sources += [("category", mapping.category)] if mapping.category else []
    checks = []
    for key, name in sources:
        require_column(list(columns), name, path, f"{_KEY}.{key}")
        checks += text_checks(columns, name, path, f"{_KEY}.{key}")
    return checks


def item_expressions(columns: Mapping[str, str], path: Path, mapping: ItemColumns) -> ItemExpressions:
    """Return the SQL of an item's attributes over the columns of a table.

    Raises:
        DataError: a column is missing.
    """
    names = list(columns)

    def joined(key: str, sources: list[str]) -> str:
        for column in sources:
            require_column(names, column, path, f"{_KEY}.{key}")
        texts = ", ".join(text_expression(columns, column) for column in sources)
        return f"concat_ws(' ', {texts})" if texts else "''"

    def single(key: str, column: str | None, template: str) -> str:
        return template.format(require_column(names, column, path, f"{_KEY}.{key}")) if column else "NULL"

    require_column(names, mapping.item, path, f"{_KEY}.item")
    category = "NULL"
    if mapping.category:
        require_column(names, mapping.category, path, f"{_KEY}.category")
        category = text_expression(columns, mapping.category, separator="/")  # a list is a path
    if mapping.category_separator:
        category = f"replace({category}, {sql_string(mapping.category_separator)}, '/')"
    if mapping.published:
        require_column(names, mapping.published, path, f"{_KEY}.published")
    # `$1,299.00` is a price, too.
    price = "try_cast(regexp_replace(CAST({} AS VARCHAR), '[$€£, ]', '', 'g') AS DOUBLE)"
    return {
        "item_id": id_expression(columns, mapping.item),
        "title": joined("title", mapping.title),
        "text": joined("text", mapping.text),
        "category": category,
        "price": single("price", mapping.price, price),
        "published": time_expression(columns, mapping.published, "s"),
    }
