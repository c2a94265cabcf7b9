"""RecBole's atomic files."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from interestrec.core.errors import DataError, InputMissingError
from interestrec.formats.recbole import RecboleData, read
from interestrec.rawfiles import text_lines
from interestrec.rawfiles.raw_log import RawLog

INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\t1\t4.5\t881250949.0\n7\t2\t3\t\n"
ITEM = 'item_id:token\tname:token_seq\tyear:token\tclass:token_seq\n1\tToy "Story\t1995\tAnimation Comedy\n2\tX\t\t\n'


def section(directory: Path, **changes: Any) -> RecboleData:
    usual = {"format": "recbole", "root": directory, "inter": "a.inter", "item": "a.item", "title": ["name"]}
    return RecboleData(**{**usual, **changes})


def run(
    directory: Path, inter: str = INTER, item: str = ITEM, tolerated: int = 0, value: str | None = "rating"
) -> RawLog:
    (directory / "a.inter").write_text(inter)
    (directory / "a.item").write_text(item)
    log = RawLog(directory)
    texts = {"title": ["name", "year"], "text": ["class"], "category": "class"}
    read(log, section(directory, max_bad_rows=tolerated, value=value, event="rating", **texts))
    return log


def test_fields_lose_their_types(tmp_path: Path) -> None:
    log = run(tmp_path)
    assert log.sql(
        "SELECT user_id, item_id, time, event, value, ord - base AS row FROM events "
        "ASOF JOIN sources ON ord > base ORDER BY ord"
    ) == [
        ("7", "1", datetime(1997, 12, 4, 15, 55, 49), "rating", 4.5, 2),
        ("7", "2", None, "rating", 3.0, 3),
    ]
    assert log.sql("SELECT item_id, title, text, category FROM items ORDER BY ord") == [
        ("1", 'Toy "Story 1995', "Animation Comedy", "Animation Comedy"),
        ("2", "X", "", None),
    ]
    assert log.rows_read == 4


def test_blocks_of_any_size_give_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [run(tmp_path).sql(f"FROM {table} ORDER BY ord") for table in ("items", "events")]
    for size in (1, 17, 60):
        monkeypatch.setattr(text_lines, "_BLOCK_BYTES", size)
        log = run(tmp_path)
        assert [log.sql(f"FROM {table} ORDER BY ord") for table in ("items", "events")] == whole
        assert log.rows_read == 4


def test_without_a_value(tmp_path: Path) -> None:
    assert run(tmp_path, value=None).sql("SELECT DISTINCT value FROM events") == [(None,)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("7\t1\t4", "expected 4 tab-separated fields, found 3"),
        ("\t1\t4\t1", "user or item is empty"),
        ("7\t1\tgood\t1", "the value 'good' is not a number"),
        ("7\t1\t4\tnoon", "the time 'noon' is not a number of seconds"),
        ("7\t1\t4\t881250949000000", "the time '881250949000000' is not a number of seconds"),
    ],
)
def test_malformed_rows(tmp_path: Path, row: str, reason: str) -> None:
    with pytest.raises(DataError) as error:
        run(tmp_path, INTER + row + "\n")
    assert str(error.value).startswith(f"{tmp_path / 'a.inter'}:4: {reason}")
    log = run(tmp_path, INTER + row + "\n", tolerated=1)
    assert log.rows("events") == 2


USER = "user_id:token\tage:token\tgender:token\n7\t24\tM\n8\t\tF\n\t9\tF\n"


def test_fields_of_users(tmp_path: Path) -> None:
    for name, text in {"a.inter": INTER, "a.item": ITEM, "a.user": USER}.items():
        (tmp_path / name).write_text(text)
    log = RawLog(tmp_path)
    read(log, section(tmp_path, user="a.user", attributes=["gender", "age"]))
    assert log.user_attributes == ["gender", "age"]
    assert log.sql("SELECT user_id, attributes FROM users ORDER BY ord") == [("7", ["M", "24"]), ("8", ["F", None])]
    assert next(rule for rule in log.quality.rules if rule["rule"] == "users without an id")["rows_out"] == 2
    with pytest.raises(DataError, match=r"a\.user: has no column 'sex' \(data\.attributes\)"):
        read(RawLog(tmp_path), section(tmp_path, user="a.user", attributes=["sex"]))


def test_further_fields_of_items(tmp_path: Path) -> None:
    item = "item_id:token\tname:token\tyear:float\ttags:token_seq\n1\tA\t1999\tpop rock\n2\tB\t\t['x', 'y']\n"
    for name, text in {"a.inter": INTER, "a.item": item}.items():
        (tmp_path / name).write_text(text)
    log = RawLog(tmp_path)
    read(log, section(tmp_path, title=["name"], text=[], category=None, item_attributes=["year", "tags"]))
    assert log.item_attributes == ["year", "tags"]
    assert log.sql("SELECT attributes FROM items ORDER BY ord") == [(["1999", "pop rock"],), ([None, '["x","y"]'],)]
    with pytest.raises(DataError, match=r"a\.item: has no column 'colour' \(data\.item_attributes\)"):
        read(RawLog(tmp_path), section(tmp_path, title=["name"], text=[], category=None, item_attributes=["colour"]))


def test_fields_have_free_names(tmp_path: Path) -> None:
    files = {
        "a.inter": "listener:token\tartist_id:token\tweight:float\twhen:float\n2\t51\t13883\t881250949\n",
        "a.item": "artist_id:token\tname:token\ttags:token_seq\tvector:float_seq\n51\tDuran Duran\tpop rock\t0.1 0.2\n",
        "a.user": "listener:token\tage:token\n2\t30\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    fields = {"user_field": "listener", "item_field": "artist_id", "time_field": "when", "value": "weight"}
    log = RawLog(tmp_path)
    read(log, section(tmp_path, **fields, text=["tags", "vector"], user="a.user", attributes=["age"]))
    expected = ("2", "51", datetime(1997, 12, 4, 15, 55, 49), 13883.0)
    assert log.sql("SELECT user_id, item_id, time, value FROM events") == [expected]
    assert log.sql("SELECT item_id, title, text FROM items") == [("51", "Duran Duran", "pop rock 0.1 0.2")]
    assert log.sql("SELECT user_id, attributes FROM users") == [("2", ["30"])]
    with pytest.raises(DataError, match=r"a\.inter: has no column 'time' \(data\.time_field\)"):
        read(RawLog(tmp_path), section(tmp_path, **{**fields, "time_field": "time"}))
    with pytest.raises(DataError, match=r"a\.item: has no column 'item_id' \(data\.item_field\).*artist_id"):
        read(RawLog(tmp_path), section(tmp_path))


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no column 'stars' \(data\.value\).*it has: user_id, item_id, rating"):
        run(tmp_path, value="stars")
    with pytest.raises(DataError, match="the file is empty"):
        run(tmp_path, inter="")
    with pytest.raises(InputMissingError):
        read(RawLog(), section(tmp_path, inter="absent.inter"))
