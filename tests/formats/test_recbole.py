"""RecBole's atomic files."""

from pathlib import Path

import pytest

from interestrec.core.errors import DataError
from interestrec.core.raw_log import Log
from interestrec.formats import recbole

INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\n186\t302\t4.5\t\n"
ITEM = """item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq
242\tKolya\t1996\tComedy
302\tL.A.\t\t
"""


def read(root: Path, inter: str = INTER, item: str = ITEM, max_bad_rows: int = 0, value: str = "rating") -> Log:
    (root / "a.inter").write_text(inter)
    (root / "a.item").write_text(item)
    log = Log()
    title = ["movie_title", "release_year"]
    recbole.read(log, root, max_bad_rows, "a.inter", "a.item", value, "rating", title, ["class"], None)
    return log


def test_fields_by_name(tmp_path: Path) -> None:
    log = read(tmp_path)
    assert log.sql("SELECT user_id, item_id, CAST(time AS VARCHAR), event, value FROM events ORDER BY ord") == [
        ("196", "242", "1997-12-04 15:55:49", "rating", 3.0),
        ("186", "302", None, "rating", 4.5),
    ]
    assert log.sql("SELECT item_id, title, text FROM items ORDER BY ord") == [
        ("242", "Kolya 1996", "Comedy"),
        ("302", "L.A.", ""),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1\t2\t3", "expected 4 tab-separated fields, found 3"),
        ("1\t\t3\t4", "user or item is empty"),
        ("1\t2\tx\t4", "the value 'x' is not a number"),
        ("1\t2\tnan\t4", "the value 'nan' is not a number"),
        ("1\t2\t3\tx", "the time 'x' is no number of seconds"),
    ],
)
def test_malformed_rows(tmp_path: Path, row: str, reason: str) -> None:
    with pytest.raises(DataError, match=f"a.inter:4: {reason}"):
        read(tmp_path, INTER + row + "\n")
    assert read(tmp_path, INTER + row + "\n", max_bad_rows=1).rows("events") == 2


def test_a_missing_field_names_the_others(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'stars' .*it has: user_id, item_id, rating"):
        read(tmp_path, value="stars")
