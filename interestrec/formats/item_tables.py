"""Tables of items by column mapping."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from interestrec.formats.column_sql import id_of, time_of
from interestrec.formats.raw_log import RawLog, quoted
from interestrec.formats.raw_tables import require, scan
from interestrec.formats.row_filters import columns_of, filter_checks, leave_out
from interestrec.formats.table_settings import ItemColumns, ItemTable

_KEY = "data.items.columns"


class ItemExpressions(TypedDict):
    """SQL of an item's attributes, as `RawLog.add_items` takes them."""

    item_id: str
    title: str
    text: str
    category: str
    price: str
    published: str


def read_items(log: RawLog, path: Path, items: ItemTable) -> None:
    """Append a file of items, such as one of `data.items`; rows without an id are left out and counted.

    Raises:
        InputMissingError, DataError: the file or a column is missing.
    """
    for columns in scan(log, path, columns_of(items.columns, items.where), items.delimiter):
        rows = leave_out(log, filter_checks(columns, path, "data.items.where", items.where))
        values = item_columns(columns, path, items.columns)
        log.count_without_id("item", rows, f"{values['item_id']} IS NULL")
        log.add_items(f"{rows} WHERE {values['item_id']} IS NOT NULL", **values)


def item_columns(columns: Mapping[str, str], path: Path, mapping: ItemColumns) -> ItemExpressions:
    """An item's attributes over a table's columns.

    Raises:
        DataError: a column is missing.
    """
    names = list(columns)

    def joined(key: str, wanted: list[str]) -> str:
        parts = [require(names, column, path, f"{_KEY}.{key}") for column in wanted]
        texts = ", ".join(f"nullif(trim(CAST({part} AS VARCHAR)), '')" for part in parts)
        return f"concat_ws(' ', {texts})" if texts else "''"

    def single(key: str, column: str | None, converted: str) -> str:
        return converted.format(require(names, column, path, f"{_KEY}.{key}")) if column else "NULL"

    require(names, mapping.item, path, f"{_KEY}.item")
    category = single("category", mapping.category, "nullif(trim(CAST({} AS VARCHAR)), '')")
    if mapping.category_separator:
        category = f"replace({category}, {quoted(mapping.category_separator)}, '/')"
    if mapping.published:
        require(names, mapping.published, path, f"{_KEY}.published")
    # `$1,299.00` is a price, too
    price = "try_cast(regexp_replace(CAST({} AS VARCHAR), '[$€£, ]', '', 'g') AS DOUBLE)"
    return {
        "item_id": id_of(columns, mapping.item),
        "title": joined("title", mapping.title),
        "text": joined("text", mapping.text),
        "category": category,
        "price": single("price", mapping.price, price),
        "published": time_of(columns, mapping.published, "s"),
    }
