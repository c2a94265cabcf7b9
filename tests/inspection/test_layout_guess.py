"""The layout of text files by their beginning."""

import csv
import io
from pathlib import Path

import pytest

from interestrec.inspection.layout_guess import guess_layout

ROWS = [
    ["user", "title", "seen"],
    ["u1", 'a "b", c', "2026-05-01"],
    ["u2", "d; e", "2026-05-02"],
    ["u3", "f", "2026-05-03"],
]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_delimiters_and_encodings(delimiter: str, quoting: int, encoding: str, tmp_path: Path) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerows(ROWS * 1)  # type: ignore[arg-type]
    path = tmp_path / "a.txt"
    path.write_text(text.getvalue(), encoding=encoding)
    guess = guess_layout(path)
    assert guess.delimiter == delimiter
    assert [name.strip('"') for name in guess.header or []] == ROWS[0]
    assert guess.keys == {"delimiter": delimiter}


def test_what_the_suffix_tells_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\nu1,3\nu2,4\n")
    assert guess_layout(tmp_path / "a.csv").keys == {}
    (tmp_path / "b.csv").write_text("user;item\nu1;3\nu2;4\n")
    assert guess_layout(tmp_path / "b.csv").keys == {"delimiter": ";"}


def test_decimal_commas_do_not_separate(tmp_path: Path) -> None:
    rows = "".join(f"{n};lamp {n};{n},99\n" for n in range(20))
    (tmp_path / "a.csv").write_text("id;name;price\n" + rows)
    assert guess_layout(tmp_path / "a.csv").keys == {"delimiter": ";"}


@pytest.mark.parametrize(
    ("text", "has_header", "is_sure"),
    [
        ("1\t2\t5\n3\t4\t1\n", False, True),  # values
        ("user\titem\n1\t2\n", True, True),  # words over numbers
        ("N1\tsports\tgolf\nN2\tsports\tgolf\nN3\tnews\tus\n", False, True),  # a word that comes again
        ("naam\tstad\njan\tgouda\npiet\tdelft\n", True, False),  # words over words, one of them known
        ("xyz\tabc\nfoo\tbar\nqux\tbaz\n", False, False),  # nobody can tell
    ],
)
def test_headers(text: str, has_header: bool, is_sure: bool, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(text)
    guess = guess_layout(tmp_path / "a.tsv")
    assert (guess.header is not None, guess.is_header_sure) == (has_header, is_sure)


def test_windows_letters(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("id,name\n1,Café\n".encode("latin-1"))
    assert guess_layout(tmp_path / "a.csv").keys == {"encoding": "latin-1"}
    (tmp_path / "b.csv").write_bytes("id,name\n1,5 €\n".encode("cp1252"))
    assert guess_layout(tmp_path / "b.csv").keys == {"encoding": "cp1252"}
