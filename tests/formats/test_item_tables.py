"""Further columns of tables of items: numbers, words and lists as texts of the raw log."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from interestrec.columns.table_settings import RESERVED_OF_ITEMS, ItemTable
from interestrec.core.errors import DataError
from interestrec.formats.item_tables import read_items
from interestrec.io import schemas
from interestrec.rawfiles.raw_log import RawLog
from tests.formats import test_events

CSV = """id,name,Body,ABV,Grapes,emb
i0,dog,Full,"12,5","['Cabernet Sauvignon', 'Merlot']","[0.5, 1]"
i1,cat, Full ,"7,0",['Merlot'],"[0.25, -1e2]"
i2,house,,NA,[],
i3,game,[Untitled],"1.013,25",Syrah,"[1, 2]"
i4,sun,-,13,"[""Pinot Noir"", null]","[1, 2]"
"""


def table(**changes: Any) -> ItemTable:
    whole = {
        "files": ["i.csv"],
        "columns": {"item": "id", "title": ["name"]},
        "attributes": ["Body", "ABV", "Grapes", "emb"],
    }
    return ItemTable(**{**whole, **changes})


def run(directory: Path, name: str = "i.csv", text: str | None = CSV, **changes: Any) -> RawLog:
    if text is not None:
        (directory / name).write_text(text)
    log = RawLog(directory)
    read_items(log, [directory / name], table(**changes))
    return log


def found(log: RawLog) -> list[list[str | None]]:
    return [row[0] for row in log.sql("SELECT attributes FROM items ORDER BY ord")]


def test_numbers_words_and_lists_as_they_are_written(tmp_path: Path) -> None:
    log = run(tmp_path)
    assert log.item_attributes == ["Body", "ABV", "Grapes", "emb"]
    assert found(log) == [
        ["Full", "12.5", '["Cabernet Sauvignon","Merlot"]', '["0.5","1"]'],
        ["Full", "7.0", '["Merlot"]', '["0.25","-1e2"]'],
        [None, None, None, None],
        ["[Untitled]", "1013.25", "Syrah", '["1","2"]'],
        [None, "13.0", '["Pinot Noir"]', '["1","2"]'],
    ]


def test_typed_lists_and_vectors(tmp_path: Path) -> None:
    columns = {
        "id": [1, 2],
        "name": ["a", "b"],
        "tags": [["x", None, " y "], []],
        "emb": pa.array([[1.5, 2], None], pa.list_(pa.float32())),
        "fixed": pa.array([[1.5, 2], [1, 2]], pa.list_(pa.float64(), 2)),
        "flag": [True, None],
    }
    pq.write_table(pa.table(columns), tmp_path / "i.parquet")
    log = run(tmp_path, "i.parquet", None, attributes=["tags", "emb", "fixed", "flag"])
    assert found(log) == [['["x","y"]', "[1.5, 2.0]", "[1.5, 2.0]", "true"], [None, None, "[1.0, 2.0]", None]]
    gaps = {**columns, "emb": pa.array([[1.5, None], [float("nan")]], pa.list_(pa.float32()))}
    pq.write_table(pa.table(gaps), tmp_path / "i.parquet")
    log = run(tmp_path, "i.parquet", None, attributes=["emb", "tags"])
    assert [row[0] for row in found(log)] == ['["1.5"]', '["nan"]']  # no vectors


def test_files_may_differ_in_types(tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text('id,name,emb\n1,a,"[1, 2]"\n2,b,"1,5"\n')
    pq.write_table(pa.table({"id": [3], "name": ["c"], "emb": [[1.5, 2.0]]}), tmp_path / "i.parquet")
    log = RawLog(tmp_path)
    read_items(log, [tmp_path / "i.csv", tmp_path / "i.parquet"], table(attributes=["emb"]))
    assert found(log) == [['["1","2"]'], ["1,5"], ["[1.5, 2.0]"]]


def test_a_column_that_is_the_title_as_well(tmp_path: Path) -> None:
    assert [row[0] for row in found(run(tmp_path, attributes=["name"]))] == ["dog", "cat", "house", "game", "sun"]


def test_rows_of_events_describe_their_items_by_them_too(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(test_events.HEADER + "u,a,1,Full,4,\nu,b,1,,3,\n")
    log = RawLog(tmp_path)
    items = {"files": ["e.csv"], "columns": {"item": "item", "title": ["item"]}, "attributes": ["kind", "stars"]}
    test_events.read_events(log, tmp_path, items=items)
    assert found(log) == [["Full", "4"], [None, "3"]]


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'Bdy' \(data\.items\.attributes\) \(did you mean 'Body'"):
        run(tmp_path, attributes=["Bdy"])
    pq.write_table(pa.table({"id": [1], "name": ["a"], "maker": [{"name": "x"}]}), tmp_path / "i.parquet")
    with pytest.raises(DataError, match=r"name one of its fields under data\.items\.attributes"):
        run(tmp_path, "i.parquet", None, attributes=["maker"])
    log = run(tmp_path, "i.jsonl", '{"id": 1, "name": "a", "maker": {"name": "x"}}\n', attributes=["maker"])
    assert log.rows("bad_rows") == 1
    for name in ("Title", "has_text", "in_train"):
        with pytest.raises(ValidationError, match="is the name of a column that every corpus has"):
            table(attributes=[name])
    with pytest.raises(ValidationError, match="'ABV' is given twice"):
        table(attributes=["ABV", "abv"])


def test_the_reserved_names_are_those_of_the_schema() -> None:
    assert set(schemas.ITEMS.names) < set(RESERVED_OF_ITEMS)
