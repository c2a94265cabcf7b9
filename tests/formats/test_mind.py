"""MIND's two files: what is read, what is refused, at which line."""

from pathlib import Path

import pytest

from interestrec.core.errors import DataError, InputMissingError
from interestrec.core.raw_log import Log
from interestrec.formats import mind

NEWS = 'N1\tsports\tsoccer\tA title\tAn abstract\thttps://x\t[]\t[]\nN2\tnews\t\tB "quoted\ttext\t\t\t\n'
TRAIN = "1\tU1\t11/12/2019 2:14:46 PM\tN1 N2\tN1-0 N2-1\n2\tU2\t\t\tN1-1\n"


def write(directory: Path, news: str = NEWS, train: str = TRAIN, test: str = "") -> Path:
    (directory / "news.tsv").write_bytes(news.encode())
    (directory / "train.tsv").write_bytes(train.encode())
    (directory / "test.tsv").write_bytes(test.encode())
    return directory


def read(root: Path, max_bad_rows: int = 0, train: list[str] | None = None) -> Log:
    log = Log()
    mind.read(log, root, max_bad_rows, ["news.tsv"], train or ["train.tsv"], [], ["test.tsv"])
    return log


def test_rows_become_items_impressions_and_clicks(tmp_path: Path) -> None:
    log = read(write(tmp_path))
    assert log.sql("SELECT item_id, title, text, category FROM items ORDER BY ord") == [
        ("N1", "A title", "An abstract", "sports/soccer"),
        ("N2", 'B "quoted', "text", "news"),
    ]
    rows = log.sql(
        "SELECT impression_id, user_id, CAST(time AS VARCHAR), split, history, shown, labels FROM impressions"
    )
    assert rows == [
        ("1", "U1", "2019-11-12 14:14:46", "train", ["N1", "N2"], ["N1", "N2"], [0.0, 1.0]),
        ("2", "U2", None, "train", [], ["N1"], [1.0]),
    ]
    assert log.sql("SELECT user_id, item_id, event FROM events ORDER BY ord") == [
        ("U1", "N2", "click"),
        ("U2", "N1", "click"),
    ]


def test_windows_line_ends_and_empty_lines_change_nothing_but_numbers(tmp_path: Path) -> None:
    plain = read(write(tmp_path))
    spaced = read(write(tmp_path, train=TRAIN.replace("\n", "\r\n\r\n")))
    query = "SELECT impression_id, user_id, history, shown, labels FROM impressions ORDER BY ord"
    assert plain.sql(query) == spaced.sql(query)
    assert spaced.sql("SELECT row FROM impressions ORDER BY ord") == [(1,), (3,)]


def test_splitting_a_file_changes_nothing(tmp_path: Path) -> None:
    whole = read(write(tmp_path))
    first, second = TRAIN.splitlines(keepends=True)
    (tmp_path / "a.tsv").write_text(first)
    (tmp_path / "b.tsv").write_text(second)
    parts = read(tmp_path, train=["a.tsv", "b.tsv"])
    query = "SELECT impression_id, user_id, time, split, history, shown, labels FROM impressions ORDER BY ord"
    assert whole.sql(query) == parts.sql(query)


def test_equal_rows_count_once(tmp_path: Path) -> None:
    log = read(write(tmp_path, train=TRAIN + TRAIN))
    assert log.rows("impressions") == 2
    assert log.rows("events") == 2
    rule = next(r for r in log.quality.rules if r["rule"] == "repeated impressions")
    assert (rule["rows_in"], rule["rows_out"]) == (4, 2)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("3\tU3\t\tN1", "expected 5 tab-separated columns, found 4"),
        ("3\t\t\tN1\tN1-0", "the user is empty"),
        ("3\tU3\tyesterday\tN1\tN1-0", "the time 'yesterday' is not like"),
        ("3\tU3\t\tN1\t", "no candidates"),
        ("3\tU3\t\tN1\tN1-0 N2-2", "the candidate 'N2-2' is not an item id"),
        ("3\tU3\t\tN1\tN1", "the candidate 'N1' is not an item id"),
    ],
)
def test_malformed_rows_are_named_or_tolerated(tmp_path: Path, line: str, reason: str) -> None:
    write(tmp_path, train=f"{TRAIN}{line}\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert f"train.tsv:3: {reason}" in str(caught.value)
    log = read(tmp_path, max_bad_rows=1)
    assert log.rows("impressions") == 2
    rule = next(r for r in log.quality.rules if r["rule"] == "bad rows")
    assert rule["rows_in"] - rule["rows_out"] == 1


def test_a_short_news_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"news\.tsv:2: expected 8 tab-separated columns"):
        read(write(tmp_path, news=NEWS.splitlines()[0] + "\nN9\tsports\n"))


@pytest.mark.parametrize(("content", "reason"), [(b"1\tU\xff\n", "not UTF-8"), (b"1\tU\0\n", "not UTF-8")])
def test_bytes_that_are_no_text(tmp_path: Path, content: bytes, reason: str) -> None:
    write(tmp_path)
    (tmp_path / "train.tsv").write_bytes(TRAIN.encode() + content)
    with pytest.raises(DataError, match=f"train.tsv:3: .*{reason}"):
        read(tmp_path)


def test_a_missing_file(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(InputMissingError, match=r"gone\.tsv"):
        read(tmp_path, train=["gone.tsv"])
