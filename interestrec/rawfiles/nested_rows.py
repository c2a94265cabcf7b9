"""Rows within rows: records with a list whose every entry is a row, such as a session with its events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from interestrec.core.errors import DataError
from interestrec.rawfiles.column_names import identifier, require_column
from interestrec.rawfiles.quality_log import EXAMPLES
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.text_layout import TextLayout
from interestrec.rawfiles.value_paths import json_value, parse_path, struct_value

# Entries of one record are numbered within it. A prime, so that a sample of every k-th row takes all places alike.
ENTRIES_PER_RECORD = 1_000_003


def record_columns(wanted: Sequence[str], layout: TextLayout) -> list[str]:
    """Return the columns of records that give the wanted columns of their entries."""
    return list(dict.fromkeys([*(name for name in wanted if _list_of(name, layout) is None), *layout.unnest]))


def nested_relations(
    log: RawLog, path: Path, relations: Iterator[str], layout: TextLayout, wanted: Sequence[str], lazy: bool
) -> Iterator[str]:
    """Yield the SQL of relations with one row per entry of the lists that `layout.unnest` names.

    `_row` is the record's times `ENTRIES_PER_RECORD` plus the place of the entry from 0. Every entry counts as a row
    read; a record without entries counts as one, which is left out.

    Args:
        relations: SQL of the records, with `_row`.
        wanted: columns that will be asked for, where the file does not tell them.
        lazy: whether the relations can be read again, so that nothing has to be kept.
    """
    filled: set[str] = set()
    missing: dict[str, None] = {}
    for relation in relations:
        types = {name: kind for name, kind, *_ in log.sql(f"DESCRIBE {relation}") if name != "_row"}
        for name in layout.unnest:
            require_column(list(types), name, path, "unnest")
        lists = [_list_sql(name, types[name], layout, path) for name in layout.unnest]
        outer = [identifier(name) for name in types if name not in layout.unnest]
        values = [f"{sql} AS list_{number}" for number, sql in enumerate(lists)]
        records = _whole_records(log, f"(SELECT {', '.join(['_row', *outer, *values])} FROM ({relation}))", layout)
        columns = _entry_columns(types, layout, wanted)
        entries = [f"unnest(list_{number}) AS entry_{number}" for number in range(len(lists))]
        selected = ", ".join(
            [f"_row * {ENTRIES_PER_RECORD} + place - 1 AS _row", *outer]
            + [f"{sql} AS {identifier(name)}" for name, sql in columns.items()]
        )
        rows = (
            f"SELECT {selected} FROM (SELECT _row, {', '.join([*outer, *entries])}, "
            f"generate_subscripts(list_0, 1) AS place FROM {records})"
        )
        if lazy:
            yield rows
            continue
        log.db.execute(f"CREATE OR REPLACE TEMP TABLE entries AS {rows}")
        for name in columns:
            filled |= {name} if log.number(f"SELECT count({identifier(name)}) FROM entries") else set()
        missing |= dict.fromkeys(columns) if log.rows("entries") else {}
        yield "FROM entries"
    absent = [name for name in missing if name not in filled and "." in name]
    if absent:
        require_column([*layout.unnest, *filled], absent[0], path, "no entry has it")


def _list_of(name: str, layout: TextLayout) -> str | None:
    """Return the list whose entries have a column; None if it is one of the record."""
    return next((one for one in layout.unnest if name == one or name.startswith(f"{one}.")), None)


def _list_sql(name: str, kind: str, layout: TextLayout, path: Path) -> str:
    """Return the SQL of a column as a list of its own type, of texts, or of JSON; null where it is no list."""
    column = identifier(name)
    if kind.endswith("]"):
        return f"coalesce({column}, [])"
    if kind not in ("VARCHAR", "JSON"):
        raise DataError(f"{path}: the column '{name}' has no lists (unnest)", f"; its type is {kind}")
    if layout.unnest_separator is not None:
        parts = f"string_split(trim({column}), {sql_string(layout.unnest_separator)})"
        parts = f"list_filter({parts}, lambda x: x <> '')" if layout.unnest_separator.isspace() else parts
        return f"CASE WHEN coalesce(trim({column}), '') = '' THEN [] ELSE {parts} END"
    # `['a' 'b']` is how NumPy and Python write lists.
    words = f"regexp_extract_all({column}, '''[^'']*''|\"[^\"]*\"|[^\\s,\\[\\]]+')"
    words = f"list_transform({words}, lambda x: to_json(trim(x, '''\"')))"
    parsed = f"from_json(try_cast({column} AS JSON), '[\"JSON\"]')"
    is_array = f"json_type(try_cast({column} AS JSON)) = 'ARRAY'"
    return (
        f"CASE WHEN coalesce(trim({column}), '') = '' THEN [] WHEN {is_array} THEN {parsed} "
        f"WHEN regexp_full_match(trim({column}), '(?s)\\[[^{{}}]*\\]') THEN {words} END"
    )


def _whole_records(log: RawLog, records: str, layout: TextLayout) -> str:
    """Count the entries of records, leave out those without, refuse those whose lists do not fit.

    Returns:
        the relation of the others.
    """
    names = ", ".join(layout.unnest)
    lists = [f"list_{number}" for number in range(len(layout.unnest))]
    no_list = " OR ".join(f"{name} IS NULL" for name in lists)
    uneven = " OR ".join([f"len({name}) <> len(list_0)" for name in lists[1:]] or ["false"])
    long = f"len(list_0) >= {ENTRIES_PER_RECORD}"
    hint = "" if layout.unnest_separator else "; write it in brackets, or set `unnest_separator`"
    fault = f"CASE WHEN {no_list} THEN 1 WHEN {uneven} THEN 2 WHEN {long} THEN 3 WHEN len(list_0) = 0 THEN 0 END"
    counts = {
        kind: (count, entries, rows)
        for kind, count, entries, rows in log.sql(
            f"SELECT {fault} AS fault, count(*), sum(len(list_0)), min(_row, {EXAMPLES}) FROM {records} GROUP BY fault"
        )
    }
    kept, entries, _ = counts.get(None, (0, 0, []))
    log.rows_read += int(entries or 0) - kept
    empty, _, first = counts.get(0, (0, 0, []))
    total = sum(count for count, _, _ in counts.values())
    places = [f"{log.source}:{row}" for row in first]
    log.leave_out("records without entries", total, total - empty, f"{names}: the list is empty", places=places)
    reasons = [
        (1, f"{names}: not a list{hint}"),
        (2, f"{names}: the lists have different lengths"),
        (3, f"{names}: more than a million entries"),
    ]
    for kind, reason in reasons:
        if kind in counts:
            relation = f"(SELECT _row * {ENTRIES_PER_RECORD} AS _row FROM {records} WHERE ({fault}) = {kind})"
            log.refuse(relation, reason)
    return f"(FROM {records} WHERE ({fault}) IS NULL)" if len(counts) > 1 or None not in counts else records


def _entry_columns(types: dict[str, str], layout: TextLayout, wanted: Sequence[str]) -> dict[str, str]:
    """Return the SQL of each column of entries over `entry_0`, `entry_1` and so on."""
    columns: dict[str, str] = {}
    for number, name in enumerate(layout.unnest):
        entry, kind = f"entry_{number}", types[name]
        inner = [one for one in wanted if one.startswith(f"{name}.")]
        if kind.startswith("STRUCT") and kind.endswith("]"):
            for one in inner:
                columns[one] = struct_value(entry, parse_path(one.removeprefix(f"{name}.")).steps)
        elif kind.endswith("]") or layout.unnest_separator is not None:
            columns[name] = entry if kind.endswith("]") else f"nullif(trim({entry}), '')"
        else:
            columns |= {one: json_value(entry, parse_path(one.removeprefix(f"{name}."))) for one in inner}
            columns |= {} if inner else {name: json_value(entry, parse_path(""))}
    return columns
