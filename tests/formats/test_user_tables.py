"""Tables of users, and what the events format does with one."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.columns.table_settings import UserTable
from interestrec.core.errors import DataError, InputMissingError
from interestrec.formats.user_tables import read_users
from interestrec.rawfiles import text_lines
from interestrec.rawfiles.raw_log import RawLog
from tests.formats import test_events

CSV = "uid,sex,age\nu,F,31\n v , ,007\n,M,5\nu,M,32\n"


def mapping(**changes: Any) -> dict[str, Any]:
    whole = {
        "files": ["u.csv"],
        "delimiter": None,
        "where": [],
        "columns": {"user": "uid"},
        "attributes": ["age", "sex"],
    }
    return {**whole, **changes}


def run(directory: Path, name: str = "u.csv", text: str | None = CSV, **changes: Any) -> RawLog:
    if text is not None:
        (directory / name).write_text(text)
    log = RawLog(directory)
    read_users(log, [directory / name], UserTable(**mapping(**changes)))
    return log


def found(log: RawLog) -> list[tuple]:
    return log.sql("SELECT user_id, attributes, ord FROM users ORDER BY ord")


def test_attributes_in_the_order_of_the_configuration(tmp_path: Path) -> None:
    log = run(tmp_path)
    assert log.user_attributes == ["age", "sex"]
    assert found(log) == [("u", ["31", "F"], 2), ("v", ["007", None], 3), ("u", ["32", "M"], 5)]
    counted = test_events.rule(log, "users without an id")
    assert (counted["rows_in"], counted["rows_out"], counted["examples"]) == (4, 3, ["u.csv:4"])


def test_filters(tmp_path: Path) -> None:
    assert [row[0] for row in found(run(tmp_path, where=[{"column": "sex", "equals": "F"}]))] == ["u"]


def test_parquet_and_json_lines(tmp_path: Path) -> None:
    table = {"uid": [7.0, 8.0], "age": [31.5, float("nan")], "sex": [True, None]}
    pq.write_table(pa.table(table), tmp_path / "u.parquet")
    assert [row[:2] for row in found(run(tmp_path, "u.parquet", None))] == [
        ("7", ["31.5", "true"]),
        ("8", [None, None]),
    ]
    text = json.dumps({"uid": 7, "about": {"age": 31, "sex": "F"}}) + "\n"
    log = run(tmp_path, "u.jsonl", text, attributes=["about.sex"])
    assert [row[:2] for row in found(log)] == [("7", ["F"])]


@pytest.mark.parametrize("size", [1, 12])
def test_blocks_of_any_size_give_the_same_rows(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = found(run(tmp_path))
    monkeypatch.setattr(text_lines, "_BLOCK_BYTES", size)
    assert found(run(tmp_path)) == whole


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"u\.csv: has no column 'user' \(data\.users\.columns\.user\)"):
        run(tmp_path, columns={"user": "user"})
    with pytest.raises(DataError, match=r"no column 'sax' \(data\.users\.attributes\) \(did you mean 'sex'"):
        run(tmp_path, attributes=["age", "sax"])
    with pytest.raises(InputMissingError, match=r"absent\.csv: no such file"):
        run(tmp_path, "absent.csv", None)


def test_a_log_of_events_has_them_beside_its_items(tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text(CSV)
    (tmp_path / "more.csv").write_text("uid,sex,age\nw,M,9\n")
    (tmp_path / "e.csv").write_text(test_events.HEADER + "u,a,1,,,\n")
    (tmp_path / "i.csv").write_text("id,name\na,Apple\n")
    log = RawLog(tmp_path)
    users = mapping(files=["u.csv", "more.csv"])
    test_events.read_events(log, tmp_path, users=users)
    assert [row[0] for row in found(log)] == ["u", "v", "u", "w"]
    assert log.place(found(log)[-1][2]) == f"{tmp_path}/more.csv:2"
