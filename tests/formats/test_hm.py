"""H&M's purchases, articles and customers."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import DataError
from interestrec.formats.events import read_preset
from interestrec.formats.hm import HmData
from interestrec.rawfiles.raw_log import RawLog
from tests.formats.inputs import ITEMS, USERS, rows_of

ARTICLES = ["article_id", "prod_name", "product_type_name", "product_group_name", "colour_group_name", "detail_desc"]
CUSTOMERS = ["customer_id", "FN", "Active", "club_member_status", "fashion_news_frequency", "age", "postal_code"]


def write(path: Path, header: list[str], rows: list[Any]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def article(item: str) -> str:
    return f"01{int(item[1:]):08d}"


def write_sample(raw: Path, rng: np.random.Generator) -> dict[str, Any]:
    header = ["t_dat", "customer_id", "article_id", "price", "sales_channel_id"]
    day = "{:%Y-%m-%d}".format
    # The same article may be bought twice on a day; one purchase a day keeps the rows of the sample apart.
    purchases = [
        (day(datetime.fromtimestamp(time + n * 86_400, UTC)), user * 20, article(item), "0.0508135593220339", 2)
        for n, (user, item, time, _, _) in enumerate(rows_of(rng))
    ]
    write(raw / "transactions_train.csv", header, purchases)
    articles = [
        (article(f"i{n}"), f"Strap top ({n})", "Vest top", "Garment Upper body", "Black", 'Top, with "narrow" straps')
        for n in range(ITEMS)
    ]
    write(raw / "articles.csv", ARTICLES, articles)
    people = [(f"u{n}" * 20, "", "1.0", "ACTIVE", "NONE", 20 + n if n else "", "52043ee2") for n in range(USERS)]
    write(raw / "customers.csv", CUSTOMERS, people)
    return {"format": "hm", "attributes": ["age"]}


def test_ids_keep_their_zeros_and_days_are_times(tmp_path: Path) -> None:
    header = ["t_dat", "customer_id", "article_id", "price", "sales_channel_id"]
    write(tmp_path / "transactions_train.csv", header, [("2018-09-20", "000058a1", "0663713001", "0.05", 2)])
    rows = [
        ("0663713001", "Atlanta Push", "Bra", "Underwear", "Black", ""),
        ("0108775015", "Top", "Vest", "U", "B", ""),
    ]
    write(tmp_path / "articles.csv", ARTICLES, rows)
    log = RawLog(tmp_path)
    read_preset(log, HmData(format="hm", root=tmp_path))
    expected = ("000058a1", "0663713001", datetime(2018, 9, 20), "purchase")
    assert log.sql("SELECT user_id, item_id, time, event FROM events") == [expected]
    assert log.sql("SELECT item_id, title, category FROM items ORDER BY ord") == [
        ("0663713001", "Atlanta Push Bra Black", "Underwear"),
        ("0108775015", "Top Vest B", "U"),
    ]


def test_a_copy_that_lost_the_zeros_matches(tmp_path: Path) -> None:
    columns = {"t_dat": ["2018-09-20"], "customer_id": ["000058a1"], "article_id": [663713001], "price": [0.05]}
    pq.write_table(pa.table(columns), tmp_path / "transactions.parquet")
    write(tmp_path / "articles.csv", ARTICLES, [("0663713001", "Atlanta Push", "Bra", "Underwear", "Black", "")])
    log = RawLog(tmp_path)
    read_preset(log, HmData(format="hm", root=tmp_path, transactions=["transactions.parquet"]))
    assert log.sql("SELECT item_id FROM events UNION ALL SELECT item_id FROM items") == [("0663713001",)] * 2


def test_a_message_names_no_key_that_the_configuration_lacks(tmp_path: Path) -> None:
    write_sample(tmp_path, np.random.default_rng(0))
    with pytest.raises(DataError, match=r"has no column 'sex' \(format hm: users\.attributes\)"):
        read_preset(RawLog(tmp_path), HmData(format="hm", root=tmp_path, attributes=["sex"]))
