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

from interestrec.columns.landed_tables import LandedTable
from interestrec.columns.property_settings import PropertyColumns
from interestrec.columns.row_checks import RowCheck, leave_out
from interestrec.columns.row_filters import TableFilter
from interestrec.columns.table_settings import ItemTable, NotationSettings
from interestrec.columns.text_values import list_expression, single_value_checks, text_checks, text_expression
from interestrec.formats.item_tables import ItemReader
from interestrec.formats.spelled_data import SpelledData
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.raw_tables import LandedFile, identifier, require_column, scan

_ITEM = "item of the row"  # column of the relation that describes items; beside it are columns named by properties
_KEY = "data.items"


def read_properties(log: RawLog, data: SpelledData, items: ItemTable, mapping: PropertyColumns) -> str:
    """Read the values of the properties that `items.columns` names; rows of other properties are left out and counted.

    Args:
        data: says where the files are and how the ids of items are spelled.

    Returns:
        The name of a table with item, name, value VARCHAR (the value is null where the row has none);
        time TIMESTAMP, null without a column for it; ord BIGINT.

    Raises:
        InputMissingError, DataError: a file or column is missing; a column or filter cannot be applied.
    """
    properties = f"properties_{log.rows('sources')}"
    log.db.execute(
        f"CREATE TEMP TABLE {properties} (item VARCHAR, name VARCHAR, value VARCHAR, time TIMESTAMP, ord BIGINT)"
    )
    files = [_land_named(log, path, items, mapping) for path in expand_patterns(data.root, items.files)]
    table = LandedTable(log, items, _KEY, [file for file in files if file is not None])
    item = table.id(items.columns.item, data.ids)
    time = table.time(mapping.time) if mapping.time else None
    row_filter = TableFilter(table, items.where, mapping.time)
    for file in table.take_files():
        types = file.types
        item_id = item.expression(types[items.columns.item])
        checks = [
            *single_value_checks(types, items.columns.item, file.path, f"{_KEY}.columns.item", "id"),
            *text_checks(types, mapping.value, file.path, f"{_KEY}.properties.value"),
            RowCheck("items without an id", f"{item_id} IS NULL", "the item's id is empty"),
        ]
        stamp = "CAST(NULL AS TIMESTAMP)"
        if time is not None:
            sql_type = types[time.column.name]
            stamp = time.expression(sql_type)
            raw = f"coalesce({time.column.text(sql_type)}, '')"
            checks.append(RowCheck("", f"{stamp} IS NULL", time.reason, raw))
        rows = row_filter.select(file, checks)
        name, value = text_expression(types, mapping.name), text_expression(types, mapping.value)
        if items.attributes:  # lists among these stay lists
            kept = ", ".join(sql_string(attribute) for attribute in items.attributes)
            value = f"coalesce(CASE WHEN {name} IN ({kept}) THEN {list_expression(types, mapping.value)} END, {value})"
        log.rows_kept += log.number(
            f"INSERT INTO {properties} SELECT {item_id}, {name}, {value}, {stamp}, _row + {log.base} FROM {rows}"
        )
    row_filter.require_rows()
    return properties


def _land_named(log: RawLog, path: Path, items: ItemTable, mapping: PropertyColumns) -> LandedFile | None:
    """Read the rows of a file whose property is named into the database; the others, often most, are counted only."""
    keys = {items.columns.item: f"{_KEY}.columns.item"}
    keys |= {column: f"{_KEY}.properties.{role}" for role, column in mapping if column}
    keys |= {each.column: f"{_KEY}.where.{n}.column" for n, each in enumerate(items.where) if each.column not in keys}
    names = ", ".join(sql_string(name) for name in _property_names(items))
    reason = f"{path.name}: properties that neither {_KEY}.columns nor {_KEY}.attributes names"
    relation = f"named_{log.rows('sources')}"
    landed: LandedFile | None = None
    for types in scan(log, path, list(keys), items):
        columns = [require_column(list(types), name, path, key) for name, key in keys.items()]
        is_other = f"coalesce({text_expression(types, mapping.name)} NOT IN ({names}), true)"
        rows = leave_out(log, [RowCheck("unused properties", is_other, reason)])
        query = f"SELECT {', '.join(columns)}, _row FROM {rows}"
        if landed is None:
            log.db.execute(f"CREATE TEMP TABLE {relation} AS {query}")
            landed = LandedFile(path, relation, {name: types[name] for name in keys}, log.base)
        else:
            log.db.execute(f"INSERT INTO {relation} {query}")
    return landed


def _property_names(items: ItemTable) -> list[str]:
    values = items.columns.model_dump(exclude={"item", "category_separator"}).values()
    names = [name for value in values for name in (value if isinstance(value, list) else [value]) if name]
    return list(dict.fromkeys([*names, *items.attributes]))


def describe_items(log: RawLog, items: ItemTable, properties: str) -> None:
    """Hand over the items that the rows of a table of `read_properties` describe, and drop the table.

    With times there is one description per row of `events`; events without an earlier value are counted. Without times
    there is one per item, by the last value of each property.
    """
    names = _property_names(items)
    over_time = items.properties is not None and items.properties.time is not None
    relation = (_latest_before_each_event if over_time else _last_of_each_item)(properties, names)
    log.db.execute(f"CREATE TEMP TABLE descriptions AS {relation}")
    if over_time:
        some = " OR ".join(f"{identifier(name)} IS NOT NULL" for name in names)
        described = log.number(f"SELECT count(*) FROM descriptions WHERE {some}")
        reason = "the item has no property before the event, so that the event does not describe it"
        log.quality.count("events without earlier properties", log.rows("descriptions"), described, reason)
    types = dict.fromkeys([_ITEM, *names], "VARCHAR")
    # `time_format` and `time_unit` of the table are those of the column with times, not of a property.
    notations = NotationSettings(null_values=items.null_values, decimal=items.decimal)
    place = Path(log.source)
    table = LandedTable(log, notations, _KEY, [LandedFile(place, "descriptions", types, 0)])
    reader = ItemReader(table, items.columns.model_copy(update={"item": _ITEM}), items.attributes)
    reader.count_unreadable("descriptions", types)
    expressions = reader.expressions(types)
    expressions["item_id"] = identifier(_ITEM)
    # `_row` is an `ord` already, the ids are read, and the rows of properties are counted.
    base, kept = log.base, log.rows_kept
    log.base = 0
    log.add_items("descriptions", **expressions, from_events=over_time)
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
