"""Last.fm, editions 1K and 360K."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from interestrec.formats.lastfm import LastfmData, read
from interestrec.rawfiles.raw_log import RawLog
from tests.formats.inputs import USERS, rows_of

PLAYS_1K = "userid-timestamp-artid-artname-traid-traname.tsv"
PLAYS_360K = "usersha1-artmbid-artname-plays.tsv"


def write(path: Path, rows: list[Any]) -> None:
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))


def write_sample(raw: Path, rng: np.random.Generator) -> dict[str, Any]:
    when = "{:%Y-%m-%dT%H:%M:%SZ}".format
    plays = [
        (
            f"user_{user[1:]}",
            when(datetime.fromtimestamp(time, UTC)),
            f"a{item}",
            f"Th\xe9 {item}",
            f"t{item}",
            '12" mix',
        )
        for user, item, time, _, _ in rows_of(rng)
    ]
    write(raw / PLAYS_1K, plays)
    people = [(f"user_{n}", "m" if n % 2 else "", 20 + n, "Japan", "Aug 13, 2006") for n in range(USERS)]
    write(raw / "userid-profile.tsv", [("#id", "gender", "age", "country", "registered"), *people])
    return {"format": "lastfm", "attributes": ["gender", "age"]}


def run(directory: Path, **changes: Any) -> RawLog:
    log = RawLog(directory)
    read(log, LastfmData(format="lastfm", root=directory, **changes))
    return log


ROWS_1K = [
    ("user_000001", "2009-05-04T23:08:57Z", "f1b1cf71", "Deep Dish", "", 'Stay 12" (Live)'),
    ("user_000001", "2009-05-04T13:54:10Z", "a7f7df4a", "\u5742\u672c\u9f8d\u4e00", "f7c1f8f8", "Composition 0919"),
]


def test_artists_of_plays(tmp_path: Path) -> None:
    write(tmp_path / PLAYS_1K, ROWS_1K)
    log = run(tmp_path)
    assert log.sql("SELECT user_id, item_id, time, event, value FROM events ORDER BY ord") == [
        ("user_000001", "Deep Dish", datetime(2009, 5, 4, 23, 8, 57), "play", None),
        ("user_000001", "\u5742\u672c\u9f8d\u4e00", datetime(2009, 5, 4, 13, 54, 10), "play", None),
    ]
    assert log.sql("SELECT title FROM items ORDER BY ord") == [("Deep Dish",), ("\u5742\u672c\u9f8d\u4e00",)]


def test_artists_may_be_called_none(tmp_path: Path) -> None:
    names = ["None", "NA", "-", "1349", "007"]
    write(tmp_path / PLAYS_1K, [("user_1", "2009-05-04T23:08:57Z", "", name, "", "x") for name in names])
    assert run(tmp_path).sql("SELECT item_id FROM events ORDER BY ord") == [(name,) for name in names]


def test_tracks_without_an_id_are_counted(tmp_path: Path) -> None:
    write(tmp_path / PLAYS_1K, ROWS_1K)
    log = run(tmp_path, items="tracks")
    expected = [("f7c1f8f8", "Composition 0919 \u5742\u672c\u9f8d\u4e00", "a7f7df4a")]
    assert log.sql("SELECT item_id, title, category FROM items") == expected
    assert (log.rows_read, log.rows_kept, log.rows_left_out) == (2, 1, 1)


def test_counts_of_plays_and_profiles_without_a_header(tmp_path: Path) -> None:
    write(
        tmp_path / PLAYS_360K, [("00000c28", "3bd73256", 'betty "blow', 2137), ("00000c28", "", "die \xc4rzte", 1099)]
    )
    write(tmp_path / "usersha1-profile.tsv", [("00000c28", "f", "", "Germany", "Feb 1, 2007")])
    log = run(tmp_path, edition="360K", attributes=["country", "age"])
    assert log.sql("SELECT user_id, item_id, event, value FROM events ORDER BY ord") == [
        ("00000c28", 'betty "blow', "play", 2137.0),
        ("00000c28", "die \xc4rzte", "play", 1099.0),
    ]
    assert log.user_attributes == ["country", "age"]
    assert log.sql("SELECT attributes FROM users") == [(["Germany", None],)]


def test_the_large_edition_has_no_tracks() -> None:
    with pytest.raises(ValidationError, match="edition 360K has no tracks"):
        LastfmData(format="lastfm", edition="360K", items="tracks")
