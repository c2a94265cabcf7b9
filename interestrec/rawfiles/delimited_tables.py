"""Tables of text whose fields a delimiter separates, block after block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from interestrec.core.errors import DataError
from interestrec.rawfiles.column_names import identifier, unique_names
from interestrec.rawfiles.quoted_records import DelimitedFile, split_fields
from interestrec.rawfiles.raw_log import COUNT, RawLog, sql_string
from interestrec.rawfiles.text_layout import TextLayout
from interestrec.rawfiles.text_lines import nonempty_lines, read_lines

_OTHER_DELIMITERS = (",", "\t", ";", "|", "^", ":", " ")


def delimited_relations(
    log: RawLog, path: Path, wanted: Sequence[str], layout: TextLayout, delimiter: str, sparse: bool
) -> Iterator[str]:
    """Yield the SQL of relations of CSV and similar files: text columns, null where empty, and `_row`.

    Args:
        wanted: columns that will be asked for, for the advice in a message.
        sparse: see `DelimitedFile`.
    """
    file = DelimitedFile(path, layout, delimiter, sparse)
    if file.header:
        _require_plausible_header(path, file.header, wanted, delimiter)
        names = unique_names(file.header, path)
    else:
        names = [str(number) for number in range(1, file.width + 1)]
    for lines in file.join(log, read_lines(log, path, layout.encoding)):
        split_fields(log, lines, delimiter, file.quote)
        _refuse_length(log, "(SELECT row AS _row, f FROM fields)", len(names), "columns")
        columns = ", ".join(f"nullif(f[{n}], '') AS {identifier(name)}" for n, name in enumerate(names, 1))
        log.db.execute(
            f"CREATE OR REPLACE TEMP TABLE records AS SELECT {columns}, row AS _row FROM fields "
            f"WHERE len(f) = {len(names)} ORDER BY row"
        )
        yield "FROM records"


def _require_plausible_header(path: Path, header: list[str], wanted: Sequence[str], delimiter: str) -> None:
    """Check that the header has the wanted columns, or that no other layout explains why it has not.

    Raises:
        DataError: another delimiter would find them, or the first row is no header.
    """
    missing = [name for name in wanted if name not in header]
    if not missing:
        return
    joined = delimiter.join(header)
    for other in _OTHER_DELIMITERS:
        names = [name.strip().strip('"') for name in joined.split(other)]
        if other != delimiter and all(name in names for name in wanted):
            shown = "\\t" if other == "\t" else other
            raise DataError(f'{path}: its columns are separated by another character; set `delimiter: "{shown}"`')
    if len(missing) == len(wanted) and any(_is_number(name) for name in header):
        raise DataError(
            f"{path}: its first row has values instead of names; set `header: false` and give the columns by their "
            "numbers from 1"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def separated_relations(
    log: RawLog,
    path: Path,
    separator: str,
    fields: str,
    names: list[str],
    header: Callable[[str], str],
    fallback: str,
) -> Iterator[str]:
    """Yield the SQL of relations of a file whose fields a text separates and nothing quotes; see `scan_fields`."""
    for lines in nonempty_lines(log, path, fallback=fallback):
        if not names:
            if not lines.num_rows:
                continue
            names = unique_names([header(field) for field in lines["line"][0].as_py().split(separator)], path)
            log.rows_read -= 1
            lines = lines.slice(1)
        log.load("lines", lines)
        log.db.execute(
            "CREATE OR REPLACE TEMP TABLE fields AS "
            f"SELECT row AS _row, string_split(line, {sql_string(separator)}) AS f FROM lines"
        )
        _refuse_length(log, "fields", len(names), fields)
        columns = ", ".join(f"f[{n}] AS {identifier(name)}" for n, name in enumerate(names, 1))
        yield f"SELECT {columns}, _row FROM fields WHERE len(f) = {len(names)}"
    if not names:
        raise DataError(f"{path}: the file is empty; expected a header with the names of the columns")


def _refuse_length(log: RawLog, records: str, expected: int, fields: str) -> None:
    """Record those of the records (_row, f VARCHAR[]) that have another number of fields as malformed."""
    reason = f"expected {expected} {fields}, found {COUNT}"
    log.refuse(f"{records} WHERE len(f) <> {expected}", reason, counts=["len(f)"])
