"""Filters compare by what a column holds, in every kind of file."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from interestrec.columns.landed_tables import land_table
from interestrec.columns.row_filters import TableFilter
from interestrec.columns.table_settings import RowCondition, TableSettings
from interestrec.core.errors import ConfigError, DataError
from interestrec.rawfiles.raw_log import RawLog

ROWS = [
    {"n": 1, "liked": True, "who": "17850", "at": "2020-07-05T10:00:00", "price": "12,99 €", "word": "Café au lait"},
    {"n": 2, "liked": False, "who": "17851", "at": "2020-08-01", "price": "3,50", "word": "C1"},
    {"n": 3, "liked": None, "who": None, "at": None, "price": None, "word": None},
]


def write(directory: Path, kind: str) -> str:
    name = f"e.{kind}"
    if kind == "parquet":
        typed = [{**row, "who": None if row["who"] is None else float(row["who"])} for row in ROWS]
        pq.write_table(pa.Table.from_pylist(typed), directory / name)
    elif kind == "jsonl":
        (directory / name).write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    else:  # as pandas writes a frame with missing values
        lines = [";".join(ROWS[0])]
        lines += [
            ";".join("" if v is None else f"{v}.0" if k == "who" else str(v) for k, v in row.items()) for row in ROWS
        ]
        (directory / name).write_text("\n".join(lines) + "\n")
    return name


def kept(log: RawLog, name: str, *where: dict[str, Any]) -> list[int]:
    settings = TableSettings(files=[name], where=where, delimiter=";")
    columns = dict.fromkeys(["n", *(condition.column for condition in settings.where)], "key")
    table = land_table(log, [log.quality.root / name], columns, settings, "data.events")
    row_filter = TableFilter(table, settings.where)
    found = [int(row[0]) for file in table.take_files() for row in log.sql(f"SELECT n {row_filter.select(file)[1:-1]}")]
    row_filter.require_rows()
    return found


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ({"column": "liked", "equals": True}, [1]),
        ({"column": "liked", "equals": False}, [2]),
        ({"column": "liked", "not_equals": True}, [2, 3]),
        ({"column": "who", "equals": 17850}, [1]),
        ({"column": "who", "equals": "17850"}, [1]),
        ({"column": "who", "equals": "17850.0"}, [1]),
        ({"column": "who", "in": [17851, "x"]}, [2]),
        ({"column": "who", "not_in": ["17851"]}, [1, 3]),
        ({"column": "price", "above": 5}, [1]),
        ({"column": "price", "below": 5}, [2]),
        ({"column": "at", "from": "2020-07-05T12:00:00+02:00"}, [1, 2]),
        ({"column": "at", "to": "2020-08"}, [1]),
        ({"column": "word", "matches": "^C[0-9]"}, [2]),
        ({"column": "word", "matches": "au"}, [1]),
        ({"column": "word", "not_prefix": "C1"}, [1]),
        ({"column": "word", "not_null": True}, [1, 2]),
    ],
)
def test_operators(tmp_path: Path, kind: str, condition: dict, rows: list[int]) -> None:
    assert kept(RawLog(tmp_path), write(tmp_path, kind), condition) == rows


@pytest.mark.parametrize(
    ("written", "value"),
    [("True", True), ("yes", True), ("1", True), ("0.0", False), ("no", False), ("NA", "NA"), ("5.0", 5), ("5", "5.0")],
)
def test_values_that_are_equal(tmp_path: Path, written: str, value: Any) -> None:
    (tmp_path / "e.csv").write_text(f"n;x\n1;{written}\n2;other\n")
    assert kept(RawLog(tmp_path), "e.csv", {"column": "x", "equals": value}) == [1]


def test_a_filter_that_keeps_nothing_is_named(tmp_path: Path) -> None:
    name = write(tmp_path, "csv")
    with pytest.raises(DataError) as error:
        kept(RawLog(tmp_path), name, {"column": "n", "below": 3}, {"column": "liked", "equals": "maybe"})
    assert str(error.value) == (
        "data.events.where.1 (liked equals maybe) keeps no row of 2; correct it by the values of the column 'liked', "
        "which has 'False' (1), 'True' (1)"
    )
    assert "False" not in str(error.value.without_value())


def test_a_pattern_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.events\.where\.0\.matches: '\(' is not a regular expression"):
        kept(RawLog(tmp_path), write(tmp_path, "csv"), {"column": "word", "matches": "("})


@pytest.mark.parametrize(
    ("condition", "complaint"),
    [
        ({"equals": 1, "in": [1]}, "exactly one of equals, not_equals, in, not_in, above"),
        ({"one_of": [1]}, "one_of is called `in`"),
        ({"from": "yesterday"}, "'yesterday' is not a time in ISO 8601"),
    ],
)
def test_conditions_that_are_refused(condition: dict, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        RowCondition(column="x", **condition)
