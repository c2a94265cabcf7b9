"""Files of pairs."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.answering.pair_files import read_pairs
from interestrec.core.errors import DataError


def test_csv_tsv_and_parquet_are_read_by_their_columns(tmp_path: Path) -> None:
    expected = (["u1", "u,2"], ["i1", "i2"])
    (tmp_path / "a.csv").write_text('item_id,other,user_id\ni1,x,u1\ni2,y,"u,2"\n')
    (tmp_path / "a.tsv").write_text("user_id\titem_id\nu1\ti1\nu,2\ti2\n")
    pq.write_table(pa.table({"user_id": expected[0], "item_id": expected[1]}), tmp_path / "a.parquet")
    for name in ("a.csv", "a.tsv", "a.parquet"):
        assert read_pairs(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,item_id\nu1,i1\n", "a.csv:1: the header lacks the column user_id"),
        ("", "a.csv:1: the header lacks the column user_id"),
        ("user_id,item_id\nu1,i1\nu2\n", "a.csv:3: lacks a user_id or an item_id"),
        ('user_id,item_id\nu1,"i1\n', "a.csv:2: "),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_pairs(tmp_path / "a.csv")
