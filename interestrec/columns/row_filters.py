"""Selection of the rows of a table by the conditions of the configuration, compared by what a column holds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from interestrec.columns.landed_tables import LandedTable
from interestrec.columns.row_checks import RowCheck, leave_out
from interestrec.columns.table_settings import RowCondition, Scalar
from interestrec.core.deferred_import import duckdb
from interestrec.core.errors import ConfigError, TooFewRowsError
from interestrec.rawfiles.quality_log import EXAMPLES, one_line
from interestrec.rawfiles.raw_log import sql_string
from interestrec.rawfiles.raw_tables import LandedFile

_RULE = "filter"
_TRUE, _FALSE = ("true", "t", "yes", "y", "on", "1", "1.0"), ("false", "f", "no", "n", "off", "0", "0.0")
_Test = Callable[[Mapping[str, str]], str]  # the SQL of a test for the types of a file's columns
_EXACT = 1 << 53  # greatest whole number up to which all are exact as DOUBLE


class TableFilter:
    """The conditions that the rows of a table must meet.

    Args:
        table: the table; the notations of its columns are decided once.
        where: the conditions.
        time_column: the column that `time_format` and `time_unit` of the table describe.
    """

    def __init__(self, table: LandedTable, where: Sequence[RowCondition], time_column: str | None = None) -> None:
        self.table, self.where, self.time_column = table, where, time_column
        self.kept = [0] * len(where)
        self.tested = [0] * len(where)
        self.found = [Counter[str]() for _ in where]  # values of the columns of conditions that kept nothing so far
        self._tests = [self._test(position) for position in range(len(where))]

    def select(self, file: LandedFile, checks: Iterable[RowCheck] = ()) -> str:
        """Leave out the rows of a file that fail a condition or meet a check, and return the relation of the others."""
        log, name = self.table.log, file.path.name
        own = [
            RowCheck(_RULE, f"NOT coalesce({test(file.types)}, false)", f"{name}: kept where {self._phrase(n)}")
            for n, test in enumerate(self._tests)
        ]
        before = [self._counts(check.reason) for check in own]
        rows = leave_out(log, [*own, *checks], file.relation)
        for n, check in enumerate(own):
            tested, kept = self._counts(check.reason)
            self.tested[n] += tested - before[n][0]
            self.kept[n] += kept - before[n][1]
            if not self.kept[n]:
                self._find_values(n, file)
        return rows

    def require_rows(self) -> None:
        """Check, after all files, that every condition kept a row.

        Raises:
            TooFewRowsError: a condition kept none; the message names it and the values of its column.
        """
        for n, condition in enumerate(self.where):
            if self.tested[n] and not self.kept[n]:
                found = self.found[n].most_common(EXAMPLES)
                frequent = ", ".join(f"'{one_line(value)}' ({count:,})" for value, count in found)
                more = ", …" if len(self.found[n]) > EXAMPLES else ""
                raise TooFewRowsError(
                    f"{self.table.key}.where.{n} ({self._phrase(n)}) keeps no row of {self.tested[n]:,}; "
                    f"correct it by the values of the column '{condition.column}'",
                    f", which has {frequent}{more}" if frequent else ", which has none",
                )

    def _phrase(self, position: int) -> str:
        test, value = _test_of(self.where[position])
        return (
            f"{self.where[position].column} {test.replace('_', ' ')} {str(value).lower() if value is True else value}"
        )

    def _counts(self, reason: str) -> tuple[int, int]:
        for entry in self.table.log.quality.rules:
            if (entry["rule"], entry["reason"]) == (_RULE, reason):
                return entry["rows_in"], entry["rows_out"]
        return 0, 0

    def _find_values(self, position: int, file: LandedFile) -> None:
        column = self.table.column(self.where[position].column, with_nulls=False)
        text = column.text(file.types[column.name])
        self.found[position].update(
            dict(
                self.table.log.sql(
                    f"SELECT {text}, count(*) AS n FROM {file.relation} WHERE {text} IS NOT NULL "
                    f"GROUP BY 1 ORDER BY n DESC, 1 LIMIT {EXAMPLES + 1}"
                )
            )
        )

    def _test(self, position: int) -> _Test:
        """Return the test of a condition, its notation decided."""
        condition = self.where[position]
        test, value = _test_of(condition)
        name, table = condition.column, self.table
        if test in ("above", "below"):
            number, sign = table.number(name), ">" if test == "above" else "<"
            return lambda types: f"{number.expression(types[name])} {sign} {value!r}"
        if test in ("from", "to"):
            time, sign = table.time(name, is_mapped=name == self.time_column), ">=" if test == "from" else "<"
            return lambda types: f"{time.expression(types[name])} {sign} TIMESTAMP {sql_string(value)}"
        if test == "not_null":
            return lambda types: f"{table.column(name).text(types[name])} IS NOT NULL"
        column = table.column(name, with_nulls=False)
        if test == "not_prefix":
            return lambda types: f"NOT starts_with({column.text(types[name])}, {sql_string(value)})"
        if test == "matches":
            self._require_pattern(f"{table.key}.where.{position}.matches", value)
            return lambda types: f"regexp_matches({column.text(types[name])}, {sql_string(value)})"
        ids = table.id(name, with_nulls=False)
        values = value if isinstance(value, list) else [value]

        def equals(types: Mapping[str, str]) -> str:
            text, key = column.text(types[name]), ids.expression(types[name])
            any_of = "(" + " OR ".join(_equals(text, key, each) for each in values) + ")"
            return any_of if test in ("equals", "in") else f"NOT coalesce({any_of}, false)"

        return equals

    def _require_pattern(self, key: str, pattern: str) -> None:
        try:
            self.table.log.sql("SELECT regexp_matches('', ?)", [pattern])
        except duckdb.Error as error:
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(f"{key}: '{pattern}' is not a regular expression of RE2 ({reason})") from error


def _test_of(condition: RowCondition) -> tuple[str, Any]:
    """Return the key of a condition's test and its value."""
    [(test, value)] = condition.model_dump(exclude={"column"}, exclude_none=True).items()
    return test, value


def _equals(text: str, key: str, value: Scalar) -> str:
    """Return the SQL of whether a value, given as its text and as an id, equals a value of the configuration."""
    if isinstance(value, bool):
        return f"lower({text}) IN ({', '.join(map(sql_string, _TRUE if value else _FALSE))})"
    if isinstance(value, str):
        whole = re.sub(r"^([+-]?[0-9]+)\.0+$", r"\1", value.strip())
        return f"({text} = {sql_string(value.strip())} OR {key} = {sql_string(whole)})"
    number = f"try_cast({text} AS DOUBLE) = {value!r}" if abs(value) <= _EXACT else "false"
    return f"({number} OR {key} = {sql_string(str(value))})"
