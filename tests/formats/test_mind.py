"""MIND files as they are found: times or none, empty histories, quotes that mean nothing."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from interestrec.core.errors import DataError, InputMissingError
from interestrec.corpus.event_codes import code_events
from interestrec.formats.mind import MindData, read
from interestrec.rawfiles import text_lines
from interestrec.rawfiles.raw_log import RawLog
from tests.corpus.logs import listed, rows_of

NEWS = 'N1\tsports\tgolf\tA "title\tAbstract\tu\t[]\t[]\nN2\tnews\t\tTwo\t\t\t\t\n'
TRAIN = "1\tU1\t11/12/2019 2:14:46 PM\tN1 N2\tN1-0 N2-1\n2\tU2\t\t\tN9-1 N1-1\n"


def section(directory: Path, **changes: Any) -> MindData:
    usual = {"format": "mind", "root": directory, "news": ["news.tsv"], "train": ["train.tsv"]}
    return MindData(**{**usual, **changes})


def run(directory: Path, train: str = TRAIN, news: str = NEWS, tolerated: int = 0) -> RawLog:
    (directory / "news.tsv").write_text(news)
    (directory / "train.tsv").write_text(train)
    (directory / "test.tsv").write_text("1\tU1\t\tN1\tN2-1\n")
    log = RawLog(directory)
    read(log, section(directory, max_bad_rows=tolerated, test=["test.tsv"]))
    return log


def test_news_and_impressions(tmp_path: Path) -> None:
    log = run(tmp_path)
    assert log.sql("SELECT item_id, title, text, category FROM items ORDER BY ord") == [
        ("N1", 'A "title', "Abstract", "sports/golf"),
        ("N2", "Two", "", "news"),
    ]
    rows = log.sql(
        "SELECT impression_id, i.user_id, time, split, items, shown, labels FROM impressions i "
        "LEFT JOIN impression_segments USING (ord) LEFT JOIN segments USING (segment) ORDER BY i.ord"
    )
    assert [(*rest, listed(log, items or []), listed(log, shown), labels) for *rest, items, shown, labels in rows] == [
        ("1", "U1", datetime(2019, 11, 12, 14, 14, 46), "train", "N1N2", "N1N2", [0, 1]),
        ("2", "U2", None, "train", "", "N1", [1]),
        ("1", "U1", None, "test", "N1", "N2", [1]),
    ]


def test_unknown_candidates_are_counted_while_reading(tmp_path: Path) -> None:
    counted = next(rule for rule in run(tmp_path).quality.rules if rule["rule"] == "unresolved candidates")
    assert (counted["rows_in"], counted["rows_out"], counted["examples"]) == (5, 4, ["N9 (1)"])


def test_clicks_are_events_and_ignored_candidates_are_not(tmp_path: Path) -> None:
    log = run(tmp_path, news=NEWS + "N9\tnews\t\tNine\t\t\t\t\n")
    code_events(log)
    assert rows_of(log, "user_id, item_id, event, split, row, place") == [
        ("U1", "N2", "click", "train", 1, 1),
        ("U2", "N9", "click", "train", 2, 0),
        ("U2", "N1", "click", "train", 2, 1),
        ("U1", "N2", "click", "test", 1, 0),
    ]


def test_merged_news_share_a_code(tmp_path: Path) -> None:
    (tmp_path / "news.tsv").write_text(NEWS + "N3\tnews\t\ttwo!\t\t\t\t\n")
    (tmp_path / "train.tsv").write_text("1\tU1\t\tN3 N2\tN1-0 N3-1\n")
    log = RawLog(tmp_path, merge_items=True)
    read(log, section(tmp_path))
    assert [
        (listed(log, items), listed(log, shown))
        for items, shown in log.sql(
            "SELECT items, shown FROM impressions JOIN impression_segments USING (ord) JOIN segments USING (segment)"
        )
    ] == [("N2N2", "N1N2")]


@pytest.mark.parametrize("size", [1, 40, 1 << 24])
def test_blocks_of_any_size_give_the_same_log(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "_BLOCK_BYTES", size)
    log = run(tmp_path, TRAIN + "\n3\tU3\n" + TRAIN, tolerated=1)
    assert log.sql("SELECT impression_id, ord FROM impressions ORDER BY ord") == [("1", 3), ("2", 4), ("1", 9)]
    assert log.sql("SELECT segment, user_id, items FROM segments ORDER BY segment") == [
        (3, "U1", [0, 1]),
        (9, "U1", [0]),
    ]
    assert log.sql("SELECT row FROM bad_rows") == [(4,)]
    assert log.sql("SELECT ord, item, place FROM clicks ORDER BY ord, place") == [(3, 1, 1), (4, 0, 0), (9, 1, 0)]


def test_equal_rows_count_once(tmp_path: Path) -> None:
    log = run(tmp_path, TRAIN + TRAIN)
    assert log.rows("impressions") == 3
    counted = next(entry for entry in log.quality.rules if entry["rule"] == "repeated impressions")
    assert counted["examples"] == ["train.tsv:3", "train.tsv:4"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("3\tU3\t\tN1", "expected 5 tab-separated columns, found 4"),
        ("3\t\t\tN1\tN1-1", "the user is empty"),
        ("3\tU3\t2019/13/45\tN1\tN1-1", "the time '2019/13/45' is not like 11/12/2019 2:14:46 PM"),
        ("3\tU3\t\tN1\t", "no candidates"),
        ("3\tU3\t\tN1\tN1-0 N2 N3-1", "the candidate 'N2' is not an item id with -0 or -1"),
        ("3\tU3\t\tN1\tN1-2", "the candidate 'N1-2' is not"),
    ],
)
def test_malformed_rows(tmp_path: Path, row: str, reason: str) -> None:
    with pytest.raises(DataError) as error:
        run(tmp_path, TRAIN + "\n" + row + "\n")
    assert str(error.value).startswith(f"{tmp_path / 'train.tsv'}:4: {reason}")
    assert error.value.exit_status == 65
    log = run(tmp_path, TRAIN + "\n" + row + "\n", tolerated=1)
    assert log.rows("impressions") == 3
    counted = next(entry for entry in log.quality.rules if entry["rule"] == "bad rows")
    assert (counted["rows_in"], counted["rows_out"]) == (6, 5)


def test_malformed_news(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"news\.tsv:3: expected 8 tab-separated columns.*found 2"):
        run(tmp_path, news=NEWS + "N3\tsports\n")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError):
        read(RawLog(), section(tmp_path))
