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

from interestrec.columns.column_sql import id_expression, time_expression
from interestrec.columns.property_settings import PropertyColumns
from interestrec.columns.row_filters import RowCheck, filter_checks, leave_out, mapped_columns
from interestrec.columns.table_settings import ItemTable
from interestrec.core.errors import VALUE
from interestrec.formats.item_tables import item_expressions
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.raw_tables import identifier, require_column, scan

_ITEM = "item of the row"  # column of the relation that describes items; beside it are columns named by properties


def read_properties(log: RawLog, root: Path, items: ItemTable, mapping: PropertyColumns) -> str:
    """Read the values of the properties that `items.columns` names; rows of other properties are left out and counted.

    Returns:
        The name of a table with item, name, value VARCHAR (the value is null where the row has none);
        time TIMESTAMP, null without a column for it; ord BIGINT.

    Raises:
        InputMissingError, DataError: a file or a column is missing.
    """
    table = f"properties_{log.rows('sources')}"
    log.db.execute(f"CREATE TEMP TABLE {table} (item VARCHAR, name VARCHAR, value VARCHAR, time TIMESTAMP, ord BIGINT)")
    for path in expand_patterns(root, items.files):
        _read_file(log, path, items, mapping, table)
    return table


def _read_file(log: RawLog, path: Path, items: ItemTable, mapping: PropertyColumns, table: str) -> None:
    columns_by_key = {"columns.item": items.columns.item}
    columns_by_key |= {f"properties.{key}": column for key, column in mapping if column and key != "time_unit"}
    names = [*columns_by_key.values(), *(condition.column for condition in items.where)]
    for types in scan(log, path, list(dict.fromkeys(names)), items):
        for key, column in columns_by_key.items():
            require_column(list(types), column, path, f"data.items.{key}")
        item, name = id_expression(types, items.columns.item), id_expression(types, mapping.name)
        time = time_expression(types, mapping.time, mapping.time_unit)
        named = ", ".join(sql_string(wanted) for wanted in _property_names(items))
        unused = f"{path.name}: properties that data.items.columns does not name"
        checks = [
            *filter_checks(types, path, "data.items.where", items.where),
            RowCheck("unused properties", f"coalesce({name} NOT IN ({named}), true)", unused),
            RowCheck("items without an id", f"{item} IS NULL", "the item's id is empty"),
        ]
        if mapping.time is not None:
            raw = f"coalesce(CAST({identifier(mapping.time)} AS VARCHAR), '')"
            reason = f"the time '{VALUE}' of a property is neither ISO 8601 nor a number of {mapping.time_unit}"
            checks.append(RowCheck("", f"{time} IS NULL", reason, raw))
        value = f"nullif(trim(CAST({identifier(mapping.value)} AS VARCHAR)), '')"
        log.rows_kept += log.number(
            f"INSERT INTO {table} SELECT {item}, {name}, {value}, {time}, _row + {log.base} "
            f"FROM {leave_out(log, checks)}"
        )


def _property_names(items: ItemTable) -> list[str]:
    return mapped_columns(items.columns.model_copy(update={"item": ""}))


def describe_items(log: RawLog, items: ItemTable, table: str) -> None:
    """Hand over the items that the rows of a table of `read_properties` describe, and drop the table.

    With times there is one description per row of `events`; events without an earlier value are counted. Without times
    there is one per item, by the last value of each property.
    """
    names = _property_names(items)
    if items.properties is not None and items.properties.time is not None:
        from_events = True
        log.db.execute(f"CREATE TEMP TABLE descriptions AS {_latest_before_each_event(table, names)}")
        some = " OR ".join(f"{identifier(name)} IS NOT NULL" for name in names)
        described = log.number(f"SELECT count(*) FROM descriptions WHERE {some}")
        reason = "the item has no property before the event, so that the event does not describe it"
        log.quality.count("events without earlier properties", log.rows("descriptions"), described, reason)
    else:
        from_events = False
        log.db.execute(f"CREATE TEMP TABLE descriptions AS {_last_of_each_item(table, names)}")
    columns = items.columns.model_copy(update={"item": _ITEM})
    expressions = item_expressions(dict.fromkeys([_ITEM, *names], "VARCHAR"), Path(log.source), columns)
    # `_row` is an `ord` already, and the rows of properties are counted already.
    base, kept = log.base, log.rows_kept
    log.base = 0
    log.add_items("descriptions", **expressions, from_events=from_events)
    log.base, log.rows_kept = base, kept
    log.db.execute(f"DROP TABLE descriptions; DROP TABLE {table}")


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
