"""Inputs that once ended in another exception than ours, in too long a message, or in rows that nothing counted."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import DataError
from interestrec.rawfiles.raw_log import RawLog
from interestrec.stages.preprocess import read
from tests.formats.inputs import KINDS, settings_of


def written(directory: Path, kind: str, name: str, content: bytes | None = None, added: bytes = b"") -> Path:
    """An input with one file replaced, or with something added at its end."""
    raw = directory / "raw"
    raw.mkdir(exist_ok=True)
    KINDS[kind](raw, np.random.default_rng(0))
    path = raw / name
    path.write_bytes((path.read_bytes() if content is None else content) + added)
    return path


def log_of(directory: Path, kind: str, tolerated: int = 0) -> RawLog:
    raw = directory / "raw"
    (directory / "again").mkdir(exist_ok=True)
    data = KINDS[kind](directory / "again", np.random.default_rng(0))
    log = RawLog(raw, threads=1)
    read(log, settings_of(directory, {**data, "max_bad_rows": tolerated}, directory))
    return log


@pytest.mark.parametrize("content", [b"\n\r\n\n", b"\xff\n\0\n"])
def test_a_recbole_file_without_a_line_of_text(tmp_path: Path, content: bytes) -> None:
    written(tmp_path, "recbole", "a.inter", content)
    with pytest.raises(DataError, match=r"a\.inter: the file is empty; expected a header"):
        log_of(tmp_path, "recbole", 9)


@pytest.mark.parametrize("kind", ["events-jsonl", "amazon-2018"])
def test_a_line_that_is_no_json_is_one_bad_row(tmp_path: Path, kind: str) -> None:
    name = "e.jsonl" if kind == "events-jsonl" else "reviews.jsonl"
    for broken in (b"{\n", b"nonsense\n", b'{"a": 1}}\n', b"[1]\n"):
        path = written(tmp_path, kind, name, added=broken)
        with pytest.raises(DataError, match=rf"{path.name}:37: not a JSON object; 1 such row"):
            log_of(tmp_path, kind)
        assert log_of(tmp_path, kind, 1).rows("events") == 36


def test_a_damaged_page_of_parquet(tmp_path: Path) -> None:
    path = written(tmp_path, "events-parquet", "e.parquet")
    whole = path.read_bytes()
    for place in range(4, 200, 7):
        path.write_bytes(whole[:place] + b"\xff\xff\xff" + whole[place + 3 :])
        try:
            log_of(tmp_path, "events-parquet", 99)
        except DataError as error:
            assert "e.parquet" in str(error)
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("kind", "name"), [("events-csv", "e.csv"), ("movielens-csv", "ratings.csv"), ("recbole", "a.inter")]
)
def test_a_long_value_is_shortened_in_the_message(tmp_path: Path, kind: str, name: str) -> None:
    path = written(tmp_path, kind, name)
    header, row, *_ = path.read_text().splitlines()
    path.write_text(header + "\n" + row.replace("15000", "x" * 100_000) + "\n")
    with pytest.raises(DataError, match=r"x … ") as error:
        log_of(tmp_path, kind)
    assert len(str(error.value)) < 1_000
    rules = log_of(tmp_path, kind, 1).quality.rules
    assert max(len(example) for rule in rules for example in rule["examples"]) < 1_000


@pytest.mark.parametrize("kind", ["events-csv", "recbole"])
def test_a_column_without_a_name_is_not_in_the_way(tmp_path: Path, kind: str) -> None:
    name, mark = ("e.csv", ",") if kind == "events-csv" else ("a.inter", "\t")
    path = written(tmp_path, kind, name)
    header, *rows = path.read_text().splitlines()
    numbered = [mark + header, *(f"{n}{mark}{row}" for n, row in enumerate(rows))]  # as pandas writes an index
    path.write_text("\n".join(numbered) + "\n")
    assert log_of(tmp_path, kind).rows("events") == 36


@pytest.mark.parametrize("written_as", ["infinity", "-infinity", "290000-01-01"])
def test_a_time_beyond_the_calendar_is_a_bad_row(tmp_path: Path, written_as: str) -> None:
    written(tmp_path, "events-csv", "e.csv", added=f"u1,i1,{written_as},3,buy\n".encode())
    with pytest.raises(DataError, match=rf"e\.csv:38: the time '{written_as}' cannot be read"):
        log_of(tmp_path, "events-csv")


def test_items_without_an_id_are_counted(tmp_path: Path) -> None:
    written(tmp_path, "events-csv", "i.csv", added=b',"Nothing",x\n')
    log = log_of(tmp_path, "events-csv")
    counted = next(rule for rule in log.quality.rules if rule["rule"] == "items without an id")
    assert (counted["rows_in"], counted["rows_out"], counted["examples"]) == (9, 8, ["i.csv:10"])
