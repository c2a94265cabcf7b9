"""Encrypted tables: nothing to read in them without the key, and nothing changed unseen."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import AccessError, ArtifactError
from interestrec.corpus.lookup import _rows
from interestrec.io import encryption, files

TABLE = pa.table(
    {
        "user_id": pa.array([f"TOKEN-{n % 50}" for n in range(3000)]),
        "title": pa.array(["PLAINTEXT title"] * 3000),
        "value": pa.array(range(3000)),
    },
    metadata={"note": "PLAINTEXT metadata"},
)


def key(path: Path, content: bytes = b"") -> str:
    path.write_bytes(content or path.name.encode() * 16)
    path.chmod(0o600)
    return str(path)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """An encrypted table, the key in force."""
    with encryption.key_in_force(key(tmp_path / "key", b"k" * 31 + b"\xff\n")):
        files.write_parquet(tmp_path / "t.parquet", TABLE, TABLE.schema)
        yield tmp_path / "t.parquet"


def test_all_readers_give_back_what_was_written(written: Path) -> None:
    assert files.read_parquet(written).equals(TABLE)
    assert pa.concat_tables(files.stream_parquet(written, TABLE.column_names)).equals(TABLE)
    some = files.stream_parquet(written, ["value"], group_by="title", containing=("user_id", "TOKEN-7"))
    assert sum(table.num_rows for table in some) == 3000
    assert _rows(written, ds.field("value") == 7).to_pylist() == [TABLE.to_pylist()[7]]


def test_neither_values_nor_names_nor_metadata_can_be_read(written: Path) -> None:
    content = written.read_bytes()
    assert not [word for word in (b"TOKEN", b"PLAINTEXT", b"user_id", b"title", b"value", b"note") if word in content]
    with pytest.raises(OSError, match="encrypt"):
        pq.read_table(written)


@pytest.mark.parametrize("source", [None, "other"])
def test_without_the_key_or_with_another_nothing_is_read(written: Path, source: str | None) -> None:
    readers = [
        lambda: files.read_parquet(written),
        lambda: list(files.stream_parquet(written, ["value"])),
        lambda: _rows(written, ds.field("value") == 7),
    ]
    for read in readers:
        with (
            encryption.key_in_force(source and key(written.with_name(source))),
            pytest.raises(AccessError, match=r"t\.parquet: the file is encrypted.*runtime\.encryption_key") as caught,
        ):
            read()
        assert caught.value.exit_status == 77


def test_a_byte_that_is_changed_anywhere_is_never_read_as_another_value(written: Path) -> None:
    content = written.read_bytes()
    found = {ArtifactError: 0, None: 0}
    mark = content.index(encryption._key_mark(b"k" * 31 + b"\xff"))
    for place in [*range(0, len(content), 37), *range(mark - 8, len(content), 2), *range(mark, mark + 32)]:
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        written.write_bytes(changed)
        try:
            assert files.read_parquet(written).equals(TABLE)
            found[None] += 1
        except ArtifactError:
            found[ArtifactError] += 1
    assert found[None] <= 4  # magic bytes and framing, which no value depends on
    assert found[ArtifactError] > 200


def test_plain_tables_stay_readable_under_a_key(tmp_path: Path) -> None:
    files.write_parquet(tmp_path / "t.parquet", TABLE, TABLE.schema)
    (tmp_path / "e.parquet").write_bytes(b"")
    with encryption.key_in_force(key(tmp_path / "key")):
        assert files.read_parquet(tmp_path / "t.parquet").equals(TABLE)
        with pytest.raises(ArtifactError):
            files.read_parquet(tmp_path / "e.parquet")


def test_a_key_is_in_force_within_its_context_only(written: Path, tmp_path: Path) -> None:
    with encryption.key_in_force(None):
        files.write_parquet(tmp_path / "plain.parquet", TABLE, TABLE.schema)
    assert pq.read_table(tmp_path / "plain.parquet").equals(TABLE)
    with pytest.raises(RuntimeError), encryption.key_in_force(key(tmp_path / "another")):
        raise RuntimeError
    assert files.read_parquet(written).equals(TABLE)
    with pytest.raises(AccessError), encryption.key_in_force(str(tmp_path / "no-key")):
        pass
    assert files.read_parquet(written).equals(TABLE)


def test_two_files_of_one_table_have_nothing_in_common(written: Path) -> None:
    files.write_parquet(written.with_name("u.parquet"), TABLE, TABLE.schema)
    one, other = written.read_bytes(), written.with_name("u.parquet").read_bytes()
    assert one[4:200] != other[4:200]
