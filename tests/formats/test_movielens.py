"""MovieLens: CSV with headers, and files parted by `::`; plots joined by either id."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from interestrec.core.errors import DataError, InputMissingError
from interestrec.formats.movielens import MovielensData, read
from interestrec.rawfiles.raw_log import RawLog

RATINGS = "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n2,3,0.5,964982704\n"
MOVIES = (
    "movieId,title,genres\n"
    "1,Toy Story (1995),Adventure|Children\n"
    '3,"Leon: The ""Professional"", a.k.a. (1994) ",(no genres listed)\n'
    "4,Untitled,Drama\n"
)


def run(directory: Path, tolerated: int = 0, **changes: Any) -> RawLog:
    log = RawLog(directory)
    read(log, MovielensData(format="movielens", root=directory, max_bad_rows=tolerated, **changes))
    return log


@pytest.fixture
def latest(tmp_path: Path) -> Path:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    (tmp_path / "movies.csv").write_text(MOVIES)
    return tmp_path


def texts(log: RawLog) -> dict[str, str]:
    return dict(log.sql("SELECT item_id, text FROM items"))


def test_csv(latest: Path) -> None:
    log = run(latest)
    assert log.sql("SELECT item_id, title, text, category, published FROM items ORDER BY ord") == [
        ("1", "Toy Story (1995)", "Adventure, Children", "Adventure", datetime(1995, 1, 1)),
        ("3", 'Leon: The "Professional", a.k.a. (1994) ', "", None, datetime(1994, 1, 1)),
        ("4", "Untitled", "Drama", "Drama", None),
    ]
    assert log.sql("SELECT user_id, item_id, time, event, value FROM events ORDER BY ord") == [
        ("1", "1", datetime(2000, 7, 30, 18, 45, 3), "rating", 4.0),
        ("2", "3", datetime(2000, 7, 30, 18, 45, 4), "rating", 0.5),
    ]
    assert log.rows_read == 5


def test_parted_by_colons_in_latin_1(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text("1::2::5::978300760\n")
    (tmp_path / "movies.dat").write_bytes('2::Les Misérables "I" (1995)::Drama|Musical\n'.encode("latin-1"))
    log = run(tmp_path, ratings="ratings.dat", movies="movies.dat")
    assert log.sql("SELECT item_id, title, text, category FROM items") == [
        ("2", 'Les Misérables "I" (1995)', "Drama, Musical", "Drama")
    ]
    assert log.sql("SELECT user_id, item_id, value, time FROM events") == [
        ("1", "2", 5.0, datetime(2000, 12, 31, 22, 12, 40))
    ]


def test_parted_by_colons_in_utf_8(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text("1::2::5::978300760\n")
    (tmp_path / "movies.dat").write_text("2::Amélie (2001)::Comedy\n", encoding="utf-8")
    log = run(tmp_path, ratings="ratings.dat", movies="movies.dat")
    assert log.sql("SELECT title FROM items") == [("Amélie (2001)",)]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("users.dat", "1::F::1::10::48067\n2::M::56::16::\n"),
        ("users.csv", "userId,zip_code,age,gender\n1,48067,1,F\n2,,56,M\n"),
    ],
)
def test_users(latest: Path, file: str, text: str) -> None:
    (latest / file).write_text(text)
    log = run(latest, users={"file": file, "attributes": ["gender", "zip_code"]})
    assert log.user_attributes == ["gender", "zip_code"]
    assert log.sql("SELECT user_id, attributes FROM users ORDER BY ord") == [("1", ["F", "48067"]), ("2", ["M", None])]
    with pytest.raises(DataError, match="has no column 'sex'"):
        run(latest, users={"file": file, "attributes": ["sex"]})


def test_plots_by_movie_id(latest: Path) -> None:
    (latest / "plots.csv").write_text('movieId,overview\n1,"Toys, alive"\n3,\n9,Nothing\n')
    log = run(latest, plots={"file": "plots.csv", "key": "movieId", "column": "overview"})
    assert texts(log) == {"1": "Adventure, Children. Toys, alive", "3": "", "4": "Drama"}


def test_plots_through_links(latest: Path) -> None:
    (latest / "links.csv").write_text("movieId,imdbId,tmdbId\n1,0114709,862\n3,0110413,101.0\n4,1,\n")
    (latest / "plots.csv").write_text('id,tmdbId,overview\n1,862.0,"Led by ""Woody"""\n2,0101,A killer\n3,,Nobody\n')
    log = run(latest, links="links.csv", plots={"file": "plots.csv", "key": "tmdbId", "column": "overview"})
    assert texts(log) == {"1": 'Adventure, Children. Led by "Woody"', "3": "A killer", "4": "Drama"}


def test_plots_by_another_key_need_links(latest: Path) -> None:
    (latest / "plots.csv").write_text("tmdbId,overview\n1,x\n")
    with pytest.raises(DataError, match=r"data\.plots\.key is tmdbId; name the file"):
        run(latest, plots={"file": "plots.csv", "key": "tmdbId", "column": "overview"})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",1,4.0,964982703", "user or film is empty"),
        ("1,,4.0,964982703", "user or film is empty"),
        ("1,1,good,964982703", "the rating 'good' is not a number"),
        ("1,1,1e400,964982703", "the rating '1e400' is not a number"),
        ("1,1,nan,964982703", "the rating 'nan' is not a number"),
        ("1,1,4.0,", "the time '' is not a number of seconds"),
        ("1,1,4.0,964982703000", "the time '964982703000' is not a number of seconds"),
        ("1,1,4.0", "expected 4 columns, found 3"),
    ],
)
def test_malformed_rows(latest: Path, row: str, reason: str) -> None:
    (latest / "ratings.csv").write_text(RATINGS + row + "\n")
    with pytest.raises(DataError) as error:
        run(latest)
    assert str(error.value).startswith(f"{latest / 'ratings.csv'}:4: {reason}")
    assert run(latest, tolerated=1).rows("events") == 2


def test_films_without_an_id_are_counted(latest: Path) -> None:
    (latest / "movies.csv").write_text(MOVIES + ",Nobody knows,Drama\n")
    log = run(latest)
    assert log.rows("items") == 3
    counted = next(entry for entry in log.quality.rules if entry["rule"] == "items without an id")
    assert (counted["rows_in"], counted["rows_out"], counted["examples"]) == (4, 3, ["movies.csv:5"])


def test_what_is_absent_is_named(latest: Path) -> None:
    (latest / "ratings.csv").write_text("user,movieId,rating,timestamp\n1,1,4,1\n")
    with pytest.raises(DataError, match="has no column 'userId'"):
        run(latest)
    (latest / "movies.csv").unlink()
    with pytest.raises(InputMissingError, match=r"movies\.csv"):
        run(latest)
