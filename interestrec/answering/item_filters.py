"""Filters of items by their columns: conditions such as `category=kitchen` and `price<20`."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.choices import suggestion
from interestrec.core.errors import UsageError
from interestrec.corpus.categories import SEPARATOR

_CONDITION = re.compile(r"(?P<column>[^<>=!]+?)\s*(?P<sign>!=|<=|>=|=|<|>)\s*(?P<value>.*)", re.DOTALL)
_ORDER = {"<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal}
_HIDDEN = {"item", "text", "has_text"}  # columns that no condition is for


def filter_items(items: pa.Table, conditions: Sequence[str]) -> np.ndarray:
    """Return which items meet all conditions; bool [items].

    `category=sports` is also met by items of `sports/football`. `=` and `!=` compare texts; an item with a list of
    values meets `=` if one of them does. `<`, `<=`, `>` and `>=` compare numbers, or times in ISO 8601. An item without
    a value meets `!=` alone.

    Args:
        items: schemas.ITEMS followed by attributes.

    Raises:
        UsageError: a condition cannot be read, or its column is not there.
    """
    kept = np.ones(items.num_rows, dtype=bool)
    for condition in conditions:
        kept &= _meets(items, condition)
    return kept


def _meets(items: pa.Table, condition: str) -> np.ndarray:
    parts = _CONDITION.fullmatch(condition)
    if parts is None:
        raise UsageError(f"the filter {condition}: expected COLUMN=VALUE, or !=, <, <=, > or >= in place of =")
    name, sign, value = parts["column"].strip(), parts["sign"], parts["value"].strip()
    columns = [column for column in items.column_names if column not in _HIDDEN]
    if name not in columns:
        raise UsageError(
            f"the filter {condition}: items have no column '{name}'{suggestion(name, columns)}; there are: "
            f"{', '.join(columns)}"
        )
    column = items[name].combine_chunks()
    found = _ordered(column, sign, value, condition) if sign in _ORDER else _equal(column, value)
    if name == "category" and sign not in _ORDER:
        found = pc.or_(found, pc.starts_with(column, f"{value}{SEPARATOR}"))
    known = found.fill_null(False).to_numpy(zero_copy_only=False)
    return ~known if sign == "!=" else known


def _equal(column: pa.Array, value: str) -> pa.Array:
    """Return where a value, or one of a list of values, is the given one; bool [items]."""
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        hits = pc.equal(column.flatten().cast(pa.string()), value)
        owner = pc.list_parent_indices(column).to_numpy()
        found = np.zeros(len(column), dtype=bool)
        found[owner[hits.fill_null(False).to_numpy(zero_copy_only=False)]] = True
        return pa.array(found)
    if pa.types.is_floating(column.type):
        try:
            return pc.equal(column, float(value))
        except ValueError:
            return pa.array(np.zeros(len(column), dtype=bool))
    return pc.equal(column.cast(pa.string()), value)


def _ordered(column: pa.Array, sign: str, value: str, condition: str) -> pa.Array:
    """Return where a number or a time is on the given side of another one; bool [items]."""
    try:
        if pa.types.is_timestamp(column.type):
            return _ORDER[sign](column, pa.scalar(value, pa.string()).cast(column.type))
        return _ORDER[sign](column.cast(pa.float64()), float(value))
    except (ValueError, pa.ArrowException):
        raise UsageError(f"the filter {condition}: {sign} compares numbers or times, and this is neither") from None
