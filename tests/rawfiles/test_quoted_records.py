"""Which quotes enclose fields, and which lines are one record; the csv module, pandas and Arrow write what is read."""

import csv
import io
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interestrec.core.errors import DataError
from interestrec.rawfiles import text_lines
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import scan
from interestrec.rawfiles.text_layout import TextLayout
from tests.examples import examples

Row = list[str]


def read(path: Path, text: str, **layout: object) -> tuple[list[Row], int]:
    """The rows of a file, and how many were malformed; all that was read is one or the other."""
    path.write_bytes(text.encode())
    log = RawLog()
    found = [
        [value or "" for value in row[:-1]]
        for _ in scan(log, path, [], TextLayout.model_validate(layout))
        for row in log.sql("SELECT * FROM raw ORDER BY _row")
    ]
    bad = log.rows("bad_rows")
    assert log.rows_read == len(found) + bad
    return found, bad


def table(rows: list[Row], mark: str) -> str:
    return "".join(mark.join(row) + "\n" for row in rows)


HEADER = ["user", "item", "time", "title"]
PLAIN = [[f"u{n % 7}", f"s{n}", str(1_700_000_000 + n), f"Song {n}"] for n in range(40)]


def with_title(rows: list[Row], number: int, title: str) -> list[Row]:
    return [[*row[:-1], title] if n == number else row for n, row in enumerate(rows)]


@pytest.mark.parametrize(("suffix", "mark"), [("csv", ","), ("tsv", "\t"), ("csv", ";")])
@pytest.mark.parametrize("rows", [4, 40])
@pytest.mark.parametrize(
    "opening", ['"Cut off', '"', '""Twice', '"Best" of', 'Mix 12"', '12" and 7" mixes', '"Mix" 12"']
)
def test_a_stray_quote_swallows_no_row(tmp_path: Path, suffix: str, mark: str, rows: int, opening: str) -> None:
    for closing in ('Mix 12"', '"Again', '"Quoted"', "nothing"):
        written = with_title(with_title(PLAIN[:rows], 1, opening), rows - 2, closing)
        found, bad = read(tmp_path / f"a.{suffix}", table([HEADER, *written], mark), delimiter=mark)
        assert bad == 0
        assert [row[:3] for row in found] == [row[:3] for row in written]
        # Text that quotes enclose in a CSV file is without them; all other text is as it stands.
        as_written = [row[3] for row in written]
        assert [row[3] for row in found] in (as_written, [t.strip('"') if t == '"Quoted"' else t for t in as_written])


def test_a_malformed_row_among_swallowed_ones_does_not_hide_them(tmp_path: Path) -> None:
    rows = with_title(with_title(PLAIN, 3, '"Cut off'), 30, 'Mix 12"')
    rows[10] = rows[10][:2]
    found, bad = read(tmp_path / "a.csv", table([HEADER, *rows], ","))
    assert (len(found), bad) == (39, 1)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('a,b\n1,"two, ""quoted"""\n', [["1", 'two, "quoted"']]),
        (
            'a,b\ni1,"First.\nSecond, with a comma.\nThird."\ni2,x\n',
            [["i1", "First.\nSecond, with a comma.\nThird."], ["i2", "x"]],
        ),
        ('a,b\n"one, two\nthree, four","x"\n"y","z"\n', [["one, two\nthree, four", "x"], ["y", "z"]]),
        ('a,b\n1,"say \\"hi\\", ok"\n2,x\n', [["1", 'say "hi", ok'], ["2", "x"]]),
        ('a,b,c\n1,"5\\" disc, blue",x\n2,"C:\\dir\\",y\n', [["1", '5" disc, blue', "x"], ["2", "C:\\dir\\", "y"]]),
        ('a,b\n1,"He said \\"no\\"\nand left, quickly"\n2,x\n', [["1", 'He said "no"\nand left, quickly'], ["2", "x"]]),
        ('a,b\n1,"\n2,x\n', [["1", '"'], ["2", "x"]]),
        ('"a\nb",c\n1,2\n', [["1", "2"]]),
    ],
)
def test_quoted_fields(tmp_path: Path, text: str, rows: list[Row]) -> None:
    for size in (1, 3, 7, 1 << 24):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(text_lines, "_BLOCK_BYTES", size)
            assert read(tmp_path / "a.csv", text) == (rows, 0)


def test_tabs_have_no_quotes_unless_the_file_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    assert read(path, 'a\tb\n1\t"Heroes"\n2\tLow\n3\t12"\n')[0] == [["1", '"Heroes"'], ["2", "Low"], ["3", '12"']]
    enclosed = 'a\tb\n1\t"Heroes"\n2\t"Low"\n3\t"12"""\n'
    assert read(path, enclosed)[0] == [["1", "Heroes"], ["2", "Low"], ["3", '12"']]
    spanning = 'a\tb\tc\n1\t5\t"Great.\n\nWould buy again"\n2\t4\tok\n'
    assert read(path, spanning)[0] == [["1", "5", "Great.\n\nWould buy again"], ["2", "4", "ok"]]
    assert read(path, 'a\tb\n1\t"a\tb"\n', quote='"')[0] == [["1", "a\tb"]]
    assert read(path, enclosed, quote="none")[0] == [["1", '"Heroes"'], ["2", '"Low"'], ["3", '"12"""']]


def test_the_first_quote_of_a_table_with_tabs_is_far_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "_BLOCK_BYTES", 1 << 16)
    plain = [[str(n), "x" * 40] for n in range(40_000)]
    quoted = table([["a", "b"], *plain, ["9", '"tab\tin ""it"""']], "\t")
    assert read(tmp_path / "a.tsv", quoted)[0][-1] == ["9", 'tab\tin "it"']
    stray = table([["a", "b"], *plain, ["9", '"cut'], *plain[:9], ["8", 'off"']], "\t")
    assert len(read(tmp_path / "a.tsv", stray)[0]) == 40_011


def test_quotes_and_escapes_that_the_layout_names(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert read(path, "a,b\n1,'it''s, so'\n2,x\n", quote="'")[0] == [["1", "it's, so"], ["2", "x"]]
    assert read(path, 'a,b\n1,"\\"a\\\\"\n2,\\N\n', escape="\\")[0] == [["1", '"a\\'], ["2", "\\N"]]
    assert read(path, 'a,b\n1,x\\,y\\\nz\n2,5" \\\\\n', quote="none", escape="\\")[0] == [
        ["1", "x,y\nz"],
        ["2", '5" \\'],
    ]


def test_a_header_that_swallows_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv:1: the header has an unclosed quote; close it, or set `quote: none`"):
        read(tmp_path / "a.csv", 'a,"b\n1,2\n3,4"\n')


def test_a_sample_that_ends_within_a_record(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\ni1,x\ni2,"one\ntwo\nthree"\ni3,y\n')
    log = RawLog(sample=4)
    rows = [row for _ in scan(log, tmp_path / "a.csv", []) for row in log.sql("SELECT a, b FROM raw")]
    assert (rows, log.rows_read, log.rows("bad_rows")) == ([("i1", "x")], 1, 0)


# Ids, and texts of everything that makes texts hard; without CR, which ends lines, and what is no line of UTF-8.
IDS = st.integers(0, 10**6).map(lambda n: f"i{n}")
TEXTS = st.text(alphabet="ab \",;|\\\n\t'é日", max_size=12)
ROWS = st.lists(st.tuples(IDS, TEXTS, st.integers(0, 99).map(str), TEXTS).map(list), min_size=1, max_size=8)
BLOCKS = st.sampled_from([29, 1 << 24])
FEW, MANY = (
    settings(examples(count), suppress_health_check=[HealthCheck.function_scoped_fixture]) for count in (15, 100)
)


def require_equal(path: Path, text: str, rows: list[Row], block: int, **layout: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_lines, "_BLOCK_BYTES", block)
        found, bad = read(path, text, **layout)
    assert (found, bad) == ([[value.replace("\r\n", "\n") for value in row] for row in rows], 0)


QUOTING = st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE])


@MANY
@given(rows=ROWS, quoting=QUOTING, delimiter=st.sampled_from(",;|\t"), block=BLOCKS)
def test_reads_what_the_csv_module_writes(
    tmp_path: Path, rows: list[Row], quoting: int, delimiter: str, block: int
) -> None:
    written = io.StringIO(newline="")
    escape = "\\" if quoting == csv.QUOTE_NONE else None
    writer = csv.writer(written, delimiter=delimiter, lineterminator="\n", quoting=quoting, escapechar=escape)
    values = [[row[0], row[1], int(row[2]), row[3]] for row in rows]
    writer.writerows([["item", "about", "n", "more"], *values])
    layout = {"quote": "none", "escape": "\\"} if quoting == csv.QUOTE_NONE else {}
    require_equal(tmp_path / "a.txt", written.getvalue(), rows, block, delimiter=delimiter, **layout)


@MANY
@given(rows=ROWS, doubled=st.booleans(), quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]), block=BLOCKS)
def test_reads_what_pandas_writes(tmp_path: Path, rows: list[Row], doubled: bool, quoting: int, block: int) -> None:
    frame = pd.DataFrame(rows, columns=["item", "about", "n", "more"])
    options = {} if doubled else {"doublequote": False, "escapechar": "\\"}
    text = frame.to_csv(index=False, quoting=quoting, **options)
    require_equal(tmp_path / "a.csv", text, rows, block, **({} if doubled else {"escape": "\\"}))


@FEW
@given(rows=ROWS, block=BLOCKS)
def test_reads_what_arrow_writes(tmp_path: Path, rows: list[Row], block: int) -> None:
    written = pa.BufferOutputStream()
    columns = list(zip(*rows, strict=True))
    pacsv.write_csv(pa.table({name: columns[n] for n, name in enumerate(["item", "about", "n", "more"])}), written)
    require_equal(tmp_path / "a.csv", written.getvalue().to_pybytes().decode(), rows, block)


PLACES = st.lists(st.tuples(st.integers(0, 39), st.integers(0, 7)), min_size=1, max_size=6)


@MANY
@given(places=PLACES, mark=st.sampled_from(",\t;"), block=st.sampled_from([301, 1 << 24]))
def test_stray_quotes_cost_no_row(tmp_path: Path, places: list[tuple[int, int]], mark: str, block: int) -> None:
    """Quotes put anywhere into titles: each row is read or counted, and no row has the words of another."""
    rows = [list(row) for row in PLAIN]
    for number, place in places:
        title = rows[number][3]
        rows[number][3] = title[:place] + '"' + title[place:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_lines, "_BLOCK_BYTES", block)
        found, bad = read(tmp_path / "a.txt", table([HEADER, *rows], mark), delimiter=mark)
    assert len(found) + bad == len(rows)
    titles = {row[1]: row[3].replace('"', "") for row in PLAIN}
    assert all(titles[item] == title.replace('"', "") for _, item, _, title in found)
    assert bad == 0
