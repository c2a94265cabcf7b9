"""Objects of JSON files: one per line, or the entries of an array."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from interestrec.core.deferred_import import pa
from interestrec.core.errors import DataError
from interestrec.rawfiles.column_names import identifier, require_column
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.text_lines import NOT_UTF8, nonempty_lines, utf8_blocks, utf8_head
from interestrec.rawfiles.value_paths import json_value, parse_path

_BATCH_CHARACTERS = 1 << 24
_MAX_OBJECT_CHARACTERS = 1 << 26  # as of a line
_PYTHON = (
    "a Python dictionary instead of a JSON object; convert the file: "
    "python3 -c 'import ast, json, sys; [print(json.dumps(ast.literal_eval(row))) for row in sys.stdin]' < OLD > NEW"
)
_BLANKS = " \t\r\n"


def json_relations(log: RawLog, path: Path, names: Sequence[str], encoding: str | None) -> Iterator[str]:
    """Yield the SQL of relations of a JSON file: the values at the paths `names` as text, and `_row`.

    Raises:
        DataError: no object has a key or path.
    """
    keys: set[str] = set()
    filled: set[str] = set()
    for _ in object_blocks(log, path, encoding):
        if not keys:
            keys = {row[0] for row in log.sql("SELECT DISTINCT unnest(json_keys(line)) FROM (FROM lines LIMIT 1000)")}
        values = [f"{json_value('line', parse_path(name))} AS {identifier(name)}" for name in names]
        columns = ", ".join([*values, "row AS _row"])
        log.db.execute(f"CREATE OR REPLACE TEMP TABLE records AS SELECT {columns} FROM lines")
        counts = ", ".join(f"count({identifier(name)})" for name in names)
        if names:
            filled |= {n for n, count in zip(names, log.sql(f"SELECT {counts} FROM records")[0], strict=True) if count}
        yield "FROM records"
    require_keys(names, keys, filled, path)


def require_keys(names: Sequence[str], keys: set[str], filled: set[str], path: Path) -> None:
    """Check that the objects of a file have what was asked of them.

    A key that is always null is a column without values; a path without any value is a spelling mistake.

    Args:
        keys: those of the objects; empty where there was none.
        filled: names of which there was a value.

    Raises:
        DataError: a name stands for nothing.
    """
    absent = [name for name in names if name not in filled and (not parse_path(name).is_plain or name not in keys)]
    if absent and keys:
        require_column(sorted(keys), absent[0], path, "no record has it")


def object_blocks(log: RawLog, path: Path, encoding: str | None = None) -> Iterator[None]:
    """Fill the table `lines` (row, line) with the JSON objects of a file, block after block.

    `row` is the line of an object, or its place in the array from 1 where the file is one array.
    """
    is_object = "coalesce(json_type(try_cast(line AS JSON)) = 'OBJECT', false)"
    whole = _is_array_or_spread(path, encoding)
    for lines in _spread_objects(log, path, encoding) if whole else nonempty_lines(log, path, encoding):
        log.load("lines", lines)
        others = f"(SELECT row AS _row FROM lines WHERE NOT {is_object} AND %s)"
        python = "regexp_matches(line, '^\\s*\\{\\s*u?''')"
        log.refuse(others % python, _PYTHON)
        log.refuse(others % f"NOT {python}", "not a JSON object")
        log.db.execute(f"DELETE FROM lines WHERE NOT {is_object}")
        yield


def _is_array_or_spread(path: Path, encoding: str | None) -> bool:
    """Whether a file is an array of objects, or has objects that spread over lines, as programs indent them."""
    head = utf8_head(path, encoding).decode(errors="replace").lstrip()
    is_array = head.startswith("[") and head[1:].lstrip()[:1] in ("{", "]", "")
    return is_array or head.partition("\n")[0].strip() == "{"


def _spread_objects(log: RawLog, path: Path, encoding: str | None) -> Iterator[pa.Table]:
    """Yield tables (row int64, line large_string) of the values of an array, or of values one after another."""
    rows: list[int] = []
    texts: list[str] = []
    size = 0
    for row, text in enumerate(_values(path, encoding), 1):
        log.rows_read += 1
        if text.isascii() or _is_encodable(text):
            rows.append(row)
            texts.append(text)
            size += len(text)
        else:
            log.refuse(f"(SELECT {row} AS _row)", NOT_UTF8)
        if size > _BATCH_CHARACTERS:
            yield _object_table(rows, texts)
            rows, texts, size = [], [], 0
        if row == log.sample:
            log.is_cut = True  # perhaps: the next value is not read
            break
    yield _object_table(rows, texts)


def _values(path: Path, encoding: str | None) -> Iterator[str]:
    """Yield the text of each value of an array, or of values one after another.

    Raises:
        DataError: a value is no JSON, or the array breaks off.
    """
    parse = json.JSONDecoder(strict=False).raw_decode
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    blocks = utf8_blocks(path, encoding)
    buffer, place, number = "", 0, 0
    in_array: bool | None = None
    at_end = False
    wanted = 0  # characters that the buffer must have before it is worth another try
    while True:
        while not at_end and len(buffer) - place <= wanted:
            block = next(blocks, None)
            at_end = block is None
            buffer, place = buffer[place:] + decode(block or b"", at_end), 0
        place = _skip(buffer, place, _BLANKS)
        if place < len(buffer) and in_array is None:
            in_array = buffer[place] == "["
            place += in_array
            continue
        if place == len(buffer):
            if not at_end:
                wanted = 0
                continue
            if in_array:
                raise DataError(f"{path}: the JSON array breaks off after {number:,} objects; copy the file again")
            return
        if in_array and buffer[place] in ",]":
            if buffer[place] == "]":
                return
            place += 1
            continue
        try:
            value, end = parse(buffer, place)
        except (json.JSONDecodeError, RecursionError) as error:
            if not at_end and len(buffer) - place < _MAX_OBJECT_CHARACTERS:
                wanted = 2 * (len(buffer) - place)
                continue
            reason = f"{path}: object {number + 1:,} is not valid JSON, or the file breaks off in it; correct the file"
            raise DataError(reason) from error
        if end == len(buffer) and not at_end and not isinstance(value, dict | list | str):
            wanted = len(buffer) - place  # a number may go on
            continue
        number, wanted = number + 1, 0
        yield buffer[place:end]
        place = end


def _skip(text: str, place: int, characters: str) -> int:
    while place < len(text) and text[place] in characters:
        place += 1
    return place


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _object_table(rows: list[int], texts: list[str]) -> pa.Table:
    return pa.table({"row": pa.array(rows, pa.int64()), "line": pa.array(texts, pa.large_string())})
