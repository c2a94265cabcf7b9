"""Names of raw files and patterns of names."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from interestrec.core.errors import InputMissingError
from interestrec.formats.mind import MindData
from interestrec.rawfiles.file_patterns import expand_patterns, file_under


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv", "day=2/p-1.csv", "day=1/p-2.csv", "day=1/p-1.csv", "deep/er/x.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "not.csv").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["b.csv", "a.csv"], ["b.csv", "a.csv"]),  # as given
        (["*.csv"], ["a.csv", "b.csv"]),  # sorted, files alone
        (["day=*/p-*.csv"], ["day=1/p-1.csv", "day=1/p-2.csv", "day=2/p-1.csv"]),
        (["day=[2-9]/*", "day=?/p-1.csv"], ["day=2/p-1.csv", "day=1/p-1.csv"]),
        (["b.csv", "*.csv", "b.csv"], ["b.csv", "a.csv"]),  # once
        (["**/x.csv"], ["deep/er/x.csv"]),
    ],
)
def test_names_and_patterns(root: Path, names: list[str], found: list[str]) -> None:
    assert [str(path.relative_to(root)) for path in expand_patterns(root, names)] == found


@pytest.mark.parametrize("name", ["c.csv", "*.tsv", "day=3/*", "not.csv"])
def test_what_stands_for_no_file_is_an_error(root: Path, name: str) -> None:
    with pytest.raises(InputMissingError) as error:
        expand_patterns(root, ["a.csv", name])
    assert str(error.value).startswith(f"{root / name}: no such file")
    assert error.value.exit_status == 66


def test_a_file_whose_name_has_brackets_is_meant_literally(tmp_path: Path) -> None:
    (tmp_path / "log[1].csv").write_text("")
    assert expand_patterns(tmp_path, ["log[1].csv"]) == [tmp_path / "log[1].csv"]


def test_absolute_names_are_elsewhere(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert expand_patterns(elsewhere, [f"{root}/b.csv", f"{root}/day=1/*"]) == [
        root / name for name in ("b.csv", "day=1/p-1.csv", "day=1/p-2.csv")
    ]


def test_a_directory_stands_for_the_files_in_it(tmp_path: Path) -> None:
    """As Spark writes a table."""
    for name, content in {
        "e.parquet/part-00001.snappy.parquet": "x",
        "e.parquet/day=2/part-00000.parquet": "x",
        "e.parquet/_col=1/part-00000.parquet": "x",  # a partition by a column of this name
        "e.parquet/_SUCCESS": "",
        "e.parquet/_metadata": "x",
        "e.parquet/.part-00001.snappy.parquet.crc": "x",
        "e.parquet/_temporary/0/part-00007.parquet": "x",
        "e.parquet/part-00002.parquet": "",
        "e.parquet/.hidden/a.parquet": "x",
        "empty/_SUCCESS": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    parts = ["_col=1/part-00000.parquet", "day=2/part-00000.parquet", "part-00001.snappy.parquet"]
    expected = [tmp_path / "e.parquet" / part for part in parts]
    for names in (["e.parquet"], ["e.parquet/"], ["*.parquet"], [str(tmp_path / "e.parquet")], ["e.*", "e.parquet"]):
        assert expand_patterns(tmp_path, names) == expected
    assert expand_patterns(tmp_path, ["e.parquet/*.parquet"]) == [
        expected[2],
        tmp_path / "e.parquet/part-00002.parquet",
    ]
    with pytest.raises(InputMissingError, match="it is a directory without files of data"):
        expand_patterns(tmp_path, ["empty"])


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.csv").write_text("")
    assert expand_patterns(tmp_path / "elsewhere", ["~/a.csv", "~/*.csv"]) == [tmp_path / "a.csv"]
    assert file_under(tmp_path / "elsewhere", "~/a.csv") == tmp_path / "a.csv"
    assert file_under(tmp_path, "~nobody-of-this-name/a.csv") == tmp_path / "~nobody-of-this-name/a.csv"
    tables: dict[str, Any] = {"format": "mind", "news": ["news.tsv"], "train": ["behaviors.tsv"]}
    assert MindData(**tables, root=Path("~/data")).root == tmp_path / "data"
    with pytest.raises(ValidationError, match="files elsewhere are named by their whole URL"):
        MindData(**tables, root=Path("s3://bucket/logs"))
