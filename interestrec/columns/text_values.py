"""SQL expressions that read a column as text: bytes are decoded, lists are joined, and objects are refused.

Text files cannot type a list, so a text that is a whole list as JSON, Python or NumPy writes it counts as one:
`["home", "kitchen"]`, `['home', 'kitchen']`. A text such as `[Untitled]` is none of them and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from interestrec.columns.id_notations import float_id
from interestrec.columns.row_checks import RowCheck
from interestrec.core.errors import DataError
from interestrec.rawfiles.raw_log import sql_string
from interestrec.rawfiles.raw_tables import identifier

_QUOTED = r'u?"(?:[^"\\]|\\.)*"' + r"|u?'(?:[^'\\]|\\.)*'"  # Python 2 wrote u'home'
_QUOTES = "^u?['\"]|['\"]$"
_ESCAPE_OR_TEXT = r"(?s)\\.|[^\\]+|\\$"  # read from the left, so that the second backslash of two escapes nothing
_WHITE_SPACE = r"\n", r"\r", r"\t"
_ESCAPED = r"\\", r"\'", r"\""
_NUMBER = r"-?[0-9][0-9.eE+-]*"
_NO_VALUE = "null|None|nan|NaN"
_LIST = rf"(?s)\[(?:[\s,\[\]]|{_QUOTED}|{_NUMBER}|{_NO_VALUE}|true|false|True|False)*\]"
_ENTRY = rf"(?s){_QUOTED}|[^\s,\[\]]+"
_OBJECT = rf"(?s)[\[\s]*\{{\s*(?:\}}|(?:{_QUOTED}|{_NUMBER})\s*:).*"
_NESTED = ("STRUCT(", "MAP(", "UNION(")  # types of objects
_ARRAY = re.compile(r"\[\d*\]$")  # the end of the type of a list


def text_expression(types: Mapping[str, str], column: str, separator: str = " ") -> str:
    """Return the SQL of a column as trimmed text, null where it is empty; the entries of a list are joined.

    Bytes that are not UTF-8 are null; `text_checks` refuses them, and objects.

    Args:
        types: SQL type of each column by name.
        separator: text between the entries of a list.
    """
    name, sql_type = identifier(column), types.get(column, "")
    if _entry_type(sql_type)[1]:
        return f"nullif(array_to_string({_typed_entries(name, sql_type)}, {sql_string(separator)}), '')"
    if sql_type in ("DOUBLE", "FLOAT"):  # a category 12.0 means 12
        return float_id(name)
    text = _trimmed(_as_text(name, sql_type))
    if sql_type not in ("VARCHAR", "JSON"):
        return text
    joined = f"nullif(array_to_string({_written_entries(name)}, {sql_string(separator)}), '')"
    return f"CASE WHEN {_is_list(name)} THEN {joined} ELSE {text} END"


def list_expression(types: Mapping[str, str], column: str) -> str:
    """Return the SQL of a column's lists as JSON lists; null where a value is no list or has no entry.

    Entries are texts, without missing ones, or float32 numbers where the column is typed as lists of fractions. Lists
    within lists are joined to one. A text `[0.5, null, 'a']` becomes `["0.5","a"]`.

    Args:
        types: SQL type of each column by name.
    """
    name, sql_type = identifier(column), types.get(column, "")
    if _entry_type(sql_type)[1]:
        entries = _typed_entries(name, sql_type)
    elif sql_type in ("VARCHAR", "JSON"):
        entries = f"CASE WHEN {_is_list(name)} THEN {_written_entries(name)} END"
    else:
        return "NULL"
    filled = f"list_filter({entries}, lambda x: x IS NOT NULL)"
    as_json = f"CASE WHEN len({filled}) > 0 THEN CAST(to_json({filled}) AS VARCHAR) END"
    if _entry_type(sql_type) not in (("DOUBLE", 1), ("FLOAT", 1)):
        return as_json
    numbers = f"CAST({name} AS FLOAT[])"  # the same for vectors, many times faster
    is_vector = f"len({numbers}) > 0 AND list_count({numbers}) = len({numbers}) AND isfinite(list_sum({numbers}))"
    return f"CASE WHEN {is_vector} THEN CAST({numbers} AS VARCHAR) ELSE {as_json} END"


def is_list_type(sql_type: str) -> bool:
    """Whether a type of SQL is a list."""
    return _entry_type(sql_type)[1] > 0


def text_checks(types: Mapping[str, str], column: str, path: Path, key: str) -> list[RowCheck]:
    """Return the checks of a column that is read by `text_expression`.

    Args:
        key: configuration key that names the column, for messages.

    Raises:
        DataError: the column is missing, or its type is an object or a list of objects.
    """
    name, sql_type = identifier(column), types.get(column, "")
    entry_type, depth = _entry_type(sql_type)
    example = f"{column}{'[]' * depth}.{_field(entry_type)}"
    advice = f"name one of its fields under {key}, such as `{example}`"
    if entry_type.startswith(_NESTED):
        kind = "lists of objects" if depth else "objects"
        fields = ", ".join(_fields(entry_type))
        raise DataError(f"{path}: the values of column '{column}' are {kind}{fields and f' ({fields})'}; {advice}")
    if sql_type in ("VARCHAR", "JSON"):
        advice = f"name one of its fields under {key}, such as `{column}.name` or `{column}[].name`"
        reason = f"the value of '{column}' is an object or a list of objects; {advice}"
        return [RowCheck("", _is_object(name), reason)]
    if entry_type == "BLOB":
        undecoded = f"try(decode({name})) IS NULL"
        if depth:
            undecoded = f"len(list_filter({name}, lambda x: x IS NOT NULL AND try(decode(x)) IS NULL)) > 0"
        reason = f"the bytes of column '{column}' ({key}) are not UTF-8; store the column as UTF-8 text"
        return [RowCheck("", f"{name} IS NOT NULL AND {undecoded}", reason)]
    return []


def single_value_checks(types: Mapping[str, str], column: str, path: Path, key: str, meaning: str) -> list[RowCheck]:
    """Return the checks of a column with one value per row, such as an id or the type of an event.

    Args:
        key: configuration key that names the column.
        meaning: noun for the value in messages.

    Raises:
        DataError: the type of the column is a list or an object.
    """
    name, sql_type = identifier(column), types.get(column, "")
    entry_type, depth = _entry_type(sql_type)
    advice = f"write one row per {meaning}, or name a column with a single {meaning} under {key}"
    if depth or entry_type.startswith(_NESTED):
        kind = "lists" if depth else "objects"
        raise DataError(
            f"{path}: the values of column '{column}' are {kind}, but {key} needs one {meaning} each; {advice}"
        )
    if sql_type not in ("VARCHAR", "JSON"):
        return []
    reason = f"'{column}' is a list or an object instead of one {meaning}; {advice}"
    return [RowCheck("", f"{_is_list(name)} OR {_is_object(name)}", reason)]


def _typed_entries(name: str, sql_type: str) -> str:
    """Return the SQL of the entries of typed lists as trimmed texts; lists within lists are joined to one."""
    entry_type, depth = _entry_type(sql_type)
    lists = f"CAST({name} AS {entry_type}{'[]' * depth})"
    for _ in range(depth - 1):
        lists = f"flatten({lists})"
    return f"list_transform({lists}, lambda x: {_trimmed(_as_text('x', entry_type))})"


def _written_entries(name: str) -> str:
    """Return the SQL of the entries of lists that are written as text, as trimmed texts."""
    return f"list_transform(regexp_extract_all({name}, {sql_string(_ENTRY)}), lambda x: {_trimmed(_unquoted('x'))})"


def _is_list(name: str) -> str:
    """Return the SQL that is true where a text is a whole list."""
    return _matches(name, "[", _LIST)


def _is_object(name: str) -> str:
    """Return the SQL that is true where a text is an object or a list of objects."""
    return f"({_matches(name, '{', _OBJECT)} OR {_matches(name, '[', _OBJECT)})"


def _matches(name: str, first: str, pattern: str) -> str:
    # CASE, unlike AND, evaluates the regular expression for the few texts alone that begin so.
    return (
        f"CASE WHEN starts_with({name}, '{first}') THEN regexp_full_match({name}, {sql_string(pattern)}) ELSE false END"
    )


def _as_text(value: str, sql_type: str) -> str:
    return f"try(decode({value}))" if sql_type == "BLOB" else f"CAST({value} AS VARCHAR)"


def _trimmed(text: str) -> str:
    return f"nullif(trim({text}), '')"


def _unquoted(entry: str) -> str:
    """Return the SQL of an entry of a written list without its quotes, null for a written null.

    JSON decodes its own escapes. Python writes a backslash before quotes and backslashes, and `\\n` for a new line,
    which becomes a space.
    """
    bare = f"regexp_replace({entry}, {sql_string(_QUOTES)}, '', 'g')"
    meaning = (
        f"CASE WHEN part IN ({', '.join(map(sql_string, _WHITE_SPACE))}) THEN ' ' "
        f"WHEN part IN ({', '.join(map(sql_string, _ESCAPED))}) THEN substr(part, 2) ELSE part END"
    )
    parts = f"regexp_extract_all({bare}, {sql_string(_ESCAPE_OR_TEXT)})"
    inner = f"array_to_string(list_transform({parts}, lambda part: {meaning}), '')"
    return (
        f"CASE WHEN {entry} IN ('null', 'None', 'nan', 'NaN') THEN NULL "
        f"WHEN left({entry}, 1) = '\"' THEN coalesce(json_extract_string(try_cast({entry} AS JSON), '$'), {inner}) "
        f"WHEN right({entry}, 1) IN ('''', '\"') THEN {inner} ELSE {entry} END"
    )


def _entry_type(sql_type: str) -> tuple[str, int]:
    """Return the type of the entries of nested lists, and how many lists are within each other."""
    depth = 0
    while match := _ARRAY.search(sql_type):
        sql_type, depth = sql_type[: match.start()], depth + 1
    return sql_type, depth


def _field(sql_type: str) -> str:
    """Return a field of an object that is likely to be its text."""
    fields = _fields(sql_type)
    return next(
        (name for name in ("name", "title", "text", "value") if name in fields), fields[0] if fields else "name"
    )


def _fields(sql_type: str) -> list[str]:
    """Return the names of the fields of a STRUCT type such as `STRUCT(id INTEGER, "name" VARCHAR)`."""
    if not sql_type.startswith("STRUCT("):
        return []
    level, parts = 0, [""]
    for character in sql_type.removeprefix("STRUCT(").removesuffix(")"):
        level += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and level == 0:
            parts.append("")
        else:
            parts[-1] += character
    names = [re.match(r'\s*("(?:[^"]|"")*"|\S+)', part) for part in parts]
    return [name[1].strip('"') for name in names if name]
