"""Item properties over time: tables with one row per item, property and value, such as Retailrocket's.

An event row describes its item by the latest values before the event, so that no later value leaks into it. Three rows
of one item and two events:

    time   property  value         event at   describes the item as
    10:00  price     9             10:00      -
    11:00  price     8             11:30      price 8, colour red
    11:20  colour    red
"""

from __future__ import annotations

from pathlib import Path

from interestrec.columns.id_notations import IdSpelling
from interestrec.columns.landed_tables import LandedTable, column_keys, land_table
from interestrec.columns.property_settings import PropertyColumns
from interestrec.columns.row_checks import RowCheck
from interestrec.columns.row_filters import TableFilter
from interestrec.columns.table_settings import ItemTable
from interestrec.columns.text_values import single_value_checks, text_expression
from interestrec.formats.item_tables import ItemReader
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.raw_tables import LandedFile, identifier

_KEY = "data.items"
_ITEM = "item of the row"  # column of the relation that describes items; beside it are columns named by properties


def read_properties(log: RawLog, root: Path, items: ItemTable, mapping: PropertyColumns, ids: IdSpelling) -> str:
    """Read the values of the properties that `items.columns` names; rows of other properties are left out and counted.

    Args:
        root: directory that the names of files are relative to.
        ids: how the ids of items are spelled in the log.

    Returns:
        The name of a table with item, name, value VARCHAR (the value is null where the row has none);
        time TIMESTAMP, null without a column for it; ord BIGINT.

    Raises:
        InputMissingError, DataError: a file or column is missing; a column or filter cannot be applied.
    """
    columns = {items.columns.item: f"{_KEY}.columns.item"}
    columns |= {column: f"{_KEY}.properties.{role}" for role, column in mapping if column is not None}
    columns |= {condition.column: f"{_KEY}.where.{n}.column" for n, condition in enumerate(items.where)}
    properties = f"properties_{log.rows('sources')}"
    log.db.execute(
        f"CREATE TEMP TABLE {properties} (item VARCHAR, name VARCHAR, value VARCHAR, time TIMESTAMP, ord BIGINT)"
    )
    table = land_table(log, expand_patterns(root, items.files), columns, items, _KEY)
    item = table.id(items.columns.item, ids)
    time = None if mapping.time is None else table.time(mapping.time)
    row_filter = TableFilter(table, items.where, mapping.time)
    named = ", ".join(sql_string(name) for name in _property_names(items))
    for file in table.take_files():
        types, path = file.types, file.path
        item_id, name = item.expression(types[items.columns.item]), text_expression(types, mapping.name)
        unused = f"{path.name}: properties that data.items.columns does not name"
        checks = [
            *single_value_checks(types, items.columns.item, path, f"{_KEY}.columns.item", "id"),
            RowCheck("unused properties", f"coalesce({name} NOT IN ({named}), true)", unused),
            RowCheck("items without an id", f"{item_id} IS NULL", "the item's id is empty"),
        ]
        stamp = "CAST(NULL AS TIMESTAMP)"
        if time is not None:
            raw = time.column.text(types[time.column.name])
            stamp = time.expression(types[time.column.name])
            checks.append(RowCheck("", f"{stamp} IS NULL", time.reason, f"coalesce({raw}, '')"))
        value = text_expression(types, mapping.value)
        log.rows_kept += log.number(
            f"INSERT INTO {properties} SELECT {item_id}, {name}, {value}, {stamp}, _row + {log.base} "
            f"FROM {row_filter.select(file, checks)}"
        )
    row_filter.require_rows()
    return properties


def _property_names(items: ItemTable) -> list[str]:
    return list(column_keys(items.columns.model_copy(update={"item": ""}), _KEY))


def describe_items(log: RawLog, items: ItemTable, properties: str) -> None:
    """Hand over the items that the rows of a table of `read_properties` describe, and drop the table.

    With times there is one description per row of `events`; events without an earlier value are counted. Without times
    there is one per item, by the last value of each property.
    """
    names = _property_names(items)
    from_events = items.properties is not None and items.properties.time is not None
    if from_events:
        log.db.execute(f"CREATE TEMP TABLE descriptions AS {_latest_before_each_event(properties, names)}")
        some = " OR ".join(f"{identifier(name)} IS NOT NULL" for name in names)
        described = log.number(f"SELECT count(*) FROM descriptions WHERE {some}")
        reason = "the item has no property before the event, so that the event does not describe it"
        log.quality.count("events without earlier properties", log.rows("descriptions"), described, reason)
    else:
        log.db.execute(f"CREATE TEMP TABLE descriptions AS {_last_of_each_item(properties, names)}")
    # `_row` of a description is an `ord` already, and the rows of properties are counted already.
    file = LandedFile(Path(log.source), "descriptions", dict.fromkeys([_ITEM, *names], "VARCHAR"), base=0)
    table = LandedTable(log, items, _KEY, [file])
    reader = ItemReader(table, items.columns.model_copy(update={"item": _ITEM}))
    base, kept = log.base, log.rows_kept
    log.base = 0
    reader.count_unreadable(file.relation, file.types)
    log.add_items(file.relation, **reader.expressions(file.types), from_events=from_events)
    log.base, log.rows_kept = base, kept
    log.db.execute(f"DROP TABLE descriptions; DROP TABLE {properties}")


def _latest_before_each_event(table: str, names: list[str]) -> str:
    """Return the SQL of one row per event with the latest value of each property before it, null where there is none.

    Of values at the same time, the last row counts.
    """
    columns, joins = [], []
    for n, name in enumerate(names):
        values = (
            f"(SELECT item, time, arg_max_null(value, ord) AS value FROM {table} "
            f"WHERE name = {sql_string(name)} GROUP BY item, time)"
        )
        joins.append(f"ASOF LEFT JOIN {values} p{n} ON e.item_id = p{n}.item AND e.time > p{n}.time")
        columns.append(f"p{n}.value AS {identifier(name)}")
    return (
        f"SELECT e.ord AS _row, e.item_id AS {identifier(_ITEM)}, {', '.join(columns)} FROM events e {' '.join(joins)}"
    )


def _last_of_each_item(table: str, names: list[str]) -> str:
    columns = ", ".join(
        f"arg_max_null(value, ord) FILTER (WHERE name = {sql_string(name)}) AS {identifier(name)}" for name in names
    )
    return f"SELECT min(ord) AS _row, item AS {identifier(_ITEM)}, {columns} FROM {table} GROUP BY item"
