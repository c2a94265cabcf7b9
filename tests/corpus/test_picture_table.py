"""Pictures of items: nothing outside of the directory, nothing lost, one key per content."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import AccessError, ArtifactError, DataError, InputMissingError
from interestrec.corpus.picture_table import picture_table
from interestrec.io.picture_sources import PictureFiles, PictureSource, picture_column
from interestrec.io.schemas import PICTURE_STATUSES, PICTURES
from tests.picture_kin import picture, saved

GOOD, OTHER = saved(picture()), saved(picture(seed=1), "JPEG")


def statuses(source: PictureSource) -> list[str]:
    table, counts = picture_table(source)
    assert table.schema == PICTURES
    assert table["item"].to_pylist() == list(range(len(source)))
    found = table["status"].to_pylist()
    assert counts == {status: found.count(status) for status in PICTURE_STATUSES}
    assert [key is not None for key in table["key"].to_pylist()] == [status == "ok" for status in found]
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / "pictures"
    (directory / "below").mkdir(parents=True)
    (directory / "good.png").write_bytes(GOOD)
    (directory / "below" / "same.png").write_bytes(GOOD)
    (directory / "other.jpg").write_bytes(OTHER)
    (directory / "text.png").write_bytes(b"text")
    (directory / "empty.png").write_bytes(b"")
    (directory / "cut.jpg").write_bytes(OTHER[:30])
    (tmp_path / "secret.png").write_bytes(GOOD)
    (directory / "out.png").symlink_to(tmp_path / "secret.png")
    (directory / "in.png").symlink_to("below/same.png")
    (directory / "up").symlink_to(tmp_path)
    (directory / "loop.png").symlink_to("loop.png")
    os.mkfifo(directory / "pipe.png")
    return directory


def test_each_path_has_its_status(home: Path) -> None:
    expected = {
        "good.png": "ok",
        "below/same.png": "ok",
        "below/../good.png": "ok",
        "in.png": "ok",
        str(home / "good.png"): "ok",
        "other.jpg": "ok",
        "text.png": "no picture",
        "empty.png": "no picture",
        "below": "no picture",
        "pipe.png": "no picture",
        "cut.jpg": "broken",
        "none.png": "missing",
        "good.png/none.png": "missing",
        "loop.png": "missing",
        "x" * 5000: "missing",
        "a\0b": "missing",
        "": "missing",
        "out.png": "outside",
        "up/secret.png": "outside",
        "../secret.png": "outside",
        "/etc/passwd": "outside",
    }
    source = PictureFiles(home, [*expected, None])
    assert dict(zip([*expected, None], statuses(source), strict=True)) == {**expected, None: "missing"}


def test_a_file_that_is_too_large_is_not_read(home: Path) -> None:
    with (home / "huge.png").open("wb") as target:
        target.write(GOOD)
        target.truncate(10 << 30)
    assert statuses(PictureFiles(home, ["huge.png"])) == ["too large"]


def test_equal_pictures_have_one_key(home: Path) -> None:
    keys = picture_table(PictureFiles(home, ["good.png", "below/same.png", "other.jpg"]))[0]["key"].to_pylist()
    assert keys == [hashlib.sha256(content).digest()[:16] for content in (GOOD, GOOD, OTHER)]


def test_a_file_that_may_not_be_read_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("interestrec.io.picture_sources.os.open", refuse)
    with pytest.raises(AccessError, match=r"good\.png"):
        picture_table(PictureFiles(home, ["good.png"]))


def test_a_hundred_items_stay_in_order(home: Path) -> None:
    names = ["good.png", "none.png", "other.jpg", "text.png"] * 25
    assert statuses(PictureFiles(home, names)) == ["ok", "missing", "ok", "no picture"] * 25


@pytest.mark.parametrize("as_struct", [False, True])
def test_a_parquet_file_gives_the_same_as_files(tmp_path: Path, as_struct: bool) -> None:
    contents = {str(number): saved(picture(seed=number % 40)) for number in range(100)}
    contents |= {"null": None, "text": b"text"}
    for item_id, content in contents.items():
        if content is not None:
            (tmp_path / item_id).write_bytes(content)
    values = [{"bytes": content, "path": "/etc/passwd"} if as_struct else content for content in contents.values()]
    table = pa.table({"id": list(contents), "image": values})
    pq.write_table(table, tmp_path / "p.parquet", row_group_size=7)
    ids = np.random.default_rng(0).permutation([*contents, "none"]).tolist()
    source = picture_column(tmp_path / "p.parquet", "id", "image", ids)
    files = PictureFiles(tmp_path, [name if name in contents else None for name in ids])
    assert picture_table(source)[0].equals(picture_table(files)[0])
    some = np.array([90, 3, 17])
    read = {row: content for block in source.blocks(some) for row, content in block()}
    assert read == {row: contents.get(ids[row]) or "missing" for row in some.tolist()}


def test_a_parquet_file_with_whole_numbers_as_ids(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [7, 8], "image": [GOOD, OTHER]}), tmp_path / "p.parquet")
    assert statuses(picture_column(tmp_path / "p.parquet", "id", "image", ["8", "9"])) == ["ok", "missing"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"id": ["a"], "text": ["x"]}, "has no column 'image'"),
        ({"id": ["a"], "image": ["x"]}, "not binary or a struct with bytes"),
        ({"id": ["a"], "image": [{"path": "x"}]}, "not binary or a struct with bytes"),
        ({"id": [1.5], "image": [b"x"]}, "not text or whole numbers"),
        ({"id": ["a", "a"], "image": [b"x", b"y"]}, "two pictures of one item"),
    ],
)
def test_a_parquet_file_that_does_not_fit_is_refused(tmp_path: Path, table: dict, said: str) -> None:
    pq.write_table(pa.table(table), tmp_path / "p.parquet")
    with pytest.raises(DataError, match=said):
        picture_column(tmp_path / "p.parquet", "id", "image", ["a"])


def test_no_parquet_file_and_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError):
        picture_column(tmp_path / "none", "id", "image", [])
    (tmp_path / "p.parquet").write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(ArtifactError, match="not readable as Parquet"):
        picture_column(tmp_path / "p.parquet", "id", "image", [])
