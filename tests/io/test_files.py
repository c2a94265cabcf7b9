"""Reading and writing: equal content is equal bytes, damage is found."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from interestrec.core.errors import ArtifactError, CannotCreateError, InputMissingError, StorageError
from interestrec.io import commit, files

SCHEMA = pa.schema([pa.field("a", pa.int32(), nullable=False), pa.field("b", pa.string())])


def table(rows: int = 1000) -> pa.Table:
    return pa.table({"b": [f"text {i}" for i in range(rows)], "a": list(range(rows))})


def test_parquet_takes_the_schema_and_is_reproducible(tmp_path: Path) -> None:
    for name in ("x", "y"):
        files.write_parquet(tmp_path / name, table(), SCHEMA)
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    assert files.read_parquet(tmp_path / "x", SCHEMA).schema.equals(SCHEMA)


def test_every_bit_flip_in_parquet_pages_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x"
    files.write_parquet(path, table(), SCHEMA)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(4, len(content) // 2, 50):
        flipped = bytearray(content)
        flipped[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(flipped))
        try:
            read = files.read_parquet(path, SCHEMA)
        except ArtifactError:
            continue
        assert read.equals(files_table(content, tmp_path)), f"silent damage at byte {position}"


def files_table(content: bytes, directory: Path) -> pa.Table:
    (directory / "good").write_bytes(content)
    return files.read_parquet(directory / "good", SCHEMA)


def test_parquet_that_is_missing_or_lacks_columns(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError):
        files.read_parquet(tmp_path / "none", SCHEMA)
    files.write_parquet(tmp_path / "x", table().select(["a"]), pa.schema([SCHEMA.field("a")]))
    with pytest.raises(ArtifactError, match=r"lacks column\(s\) b"):
        files.read_parquet(tmp_path / "x", SCHEMA)


def test_safetensors_round_trip_and_damage(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    files.write_safetensors(path, {"b": np.ones((2, 3), np.float32), "a": np.arange(3, dtype=np.int32)})
    read = files.read_safetensors(path)
    np.testing.assert_array_equal(read["b"], np.ones((2, 3), np.float32))
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ArtifactError, match="not a valid safetensors file"):
        files.read_safetensors(path)
    with pytest.raises(InputMissingError):
        files.read_safetensors(tmp_path / "none")


def test_json_is_canonical_and_refuses_nan(tmp_path: Path) -> None:
    files.write_json(tmp_path / "x.json", {"b": 1, "a": "é"})
    assert (tmp_path / "x.json").read_text().index('"a"') < (tmp_path / "x.json").read_text().index('"b"')
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(tmp_path / "y.json", {"a": float("nan")})
    (tmp_path / "z.json").write_text("{")
    with pytest.raises(ArtifactError, match="not valid JSON"):
        files.read_json(tmp_path / "z.json")


def test_a_full_disk_is_a_storage_error() -> None:
    with pytest.raises(StorageError, match="free space"):
        files.write_text(Path("/dev/full"), "x" * 100_000)


def test_a_replaced_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with commit.staged_file(path) as partial:
        partial.write_text("old")
    with pytest.raises(KeyboardInterrupt), commit.staged_file(path) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert [(found.name, found.read_text()) for found in path.parent.iterdir()] == [("file", "old")]
    with commit.staged_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert [(found.name, found.read_text()) for found in path.parent.iterdir()] == [("file", "new")]
    with pytest.raises(CannotCreateError), commit.staged_file(path / "below") as partial:
        pass


def test_row_groups_of_one_word_come_together_as_they_first_appear(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    schema = pa.schema([("word", pa.dictionary(pa.int32(), pa.string())), ("n", pa.int64())])
    with files.parquet_writer(path, schema) as write:
        for n, word in enumerate(["b", "a", "b", "c", "a"]):
            write(pa.table({"word": [word, word], "n": [n, n]}).cast(schema))
    read = pa.concat_tables(files.stream_parquet(path, ["word", "n"], ["word"], group_by="word"))
    assert read["word"].to_pylist() == list("bbbbaaaacc")
    assert read["n"].to_pylist() == [0, 0, 2, 2, 1, 1, 4, 4, 3, 3]
    assert pa.concat_tables(files.stream_parquet(path, ["n"]))["n"].to_pylist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
