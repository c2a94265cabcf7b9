"""The vector cache: the same bits with and without it, whatever happens to its files."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.encoding import text_vectors as encoding
from interestrec.encoding.text_vectors import encode
from interestrec.encoding.vector_cache import VectorCache, cache_path, keys_of
from interestrec.io import files
from interestrec.model.bert import Bert
from tests.encoding.test_text_vectors import inputs
from tests.kin import load_bert


def distinct_texts(count: int) -> list[list[int]]:
    """Texts of 4 to 22 tokens, no two the same."""
    rng = np.random.default_rng(0)
    return [[2, 5 + n // 50, 5 + n % 50, *rng.integers(5, 60, rng.integers(0, 19)), 3] for n in range(count)]


@pytest.fixture
def bert(tiny_encoder: Path) -> Bert:
    return load_bert(tiny_encoder)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of texts handed to the encoder so far."""
    counts: list[int] = []
    original = encoding._encode_batches

    def counting(encoder, forward, texts):  # type: ignore[no-untyped-def]
        counts.append(len(texts))
        return original(encoder, forward, texts)

    monkeypatch.setattr(encoding, "_encode_batches", counting)
    return counts


def test_a_second_run_encodes_nothing_and_changes_no_bit(tmp_path: Path, bert: Bert, encoded: list[int]) -> None:
    texts = inputs(distinct_texts(50))
    plain = encode(bert, texts)
    cache = VectorCache(tmp_path / "cache")
    np.testing.assert_array_equal(encode(bert, texts, cache), plain)
    np.testing.assert_array_equal(encode(bert, texts, cache), plain)
    assert encoded == [50, 50, 0]


def test_only_texts_not_known_are_encoded_in_any_order_and_company(
    tmp_path: Path, bert: Bert, encoded: list[int]
) -> None:
    cache = VectorCache(tmp_path)
    texts = distinct_texts(60)
    encode(bert, inputs(texts[20:45]), cache)
    mixed = inputs(texts[::-1])
    np.testing.assert_array_equal(encode(bert, mixed, cache), encode(bert, mixed))
    assert encoded == [25, 35, 60]


def test_a_killed_run_goes_on(tmp_path: Path, bert: Bert, encoded: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    texts = inputs(distinct_texts(2000))
    cache = VectorCache(tmp_path)
    monkeypatch.setattr(encoding, "_TEXTS_PER_SHARD", 400)
    original = VectorCache.add

    def second_is_the_last(self: VectorCache, keys: pa.Array, vectors: np.ndarray) -> None:
        original(self, keys, vectors)
        if len(list(tmp_path.iterdir())) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(VectorCache, "add", second_is_the_last)
        with pytest.raises(KeyboardInterrupt):
            encode(bert, texts, cache)
    np.testing.assert_array_equal(encode(bert, texts, cache), encode(bert, texts))
    assert encoded[0] == 2000
    assert 400 <= encoded[1] <= 2000 - 2 * 400


def shards(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(bytes(content))


DAMAGE = {
    "flipped": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "empty": lambda path: path.write_bytes(b""),
    "another table": lambda path: pq.write_table(pa.table({"key": [1]}), path),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_shard_is_told_ignored_and_replaced(
    tmp_path: Path, bert: Bert, encoded: list[int], damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = VectorCache(tmp_path)
    texts = inputs(distinct_texts(50))
    plain = encode(bert, texts, cache)
    (shard,) = shards(tmp_path)
    DAMAGE[damage](shard)
    with caplog.at_level(logging.WARNING, "interestrec"):
        np.testing.assert_array_equal(encode(bert, texts, cache), plain)
    assert [str(shard) in record.getMessage() for record in caplog.records] == [True]
    np.testing.assert_array_equal(encode(bert, texts, cache), plain)
    assert encoded == [50, 50, 0]
    assert shards(tmp_path) == [shard]
    DAMAGE[damage](shard)
    encode(bert, inputs(distinct_texts(51)), cache)  # its texts go to another shard
    assert not shard.exists()


def test_shards_of_several_writers_stand_side_by_side(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    texts = inputs(distinct_texts(4))
    keys, vectors = keys_of(texts), np.arange(8, dtype=np.float32).reshape(4, 2)
    cache.add(keys[:3], vectors[:3])
    cache.add(keys[2:], vectors[2:])
    cache.add(keys[2:], vectors[2:])  # the same shard again
    (tmp_path / "half.partial-1").write_bytes(b"half")  # of a writer at work
    assert len(shards(tmp_path)) == 3
    other = keys_of(inputs([[1, 2], [3]]))
    found, known = cache.load(pa.concat_arrays([other, keys]), 2)
    np.testing.assert_array_equal(known, [False, False, True, True, True, True])
    np.testing.assert_array_equal(found, [[0, 0], [0, 0], *vectors])


_WRITER = """
import sys
from pathlib import Path
import numpy as np
from interestrec.encoding.vector_cache import VectorCache, keys_of
from interestrec.text.text_inputs import TextInputs

cache = VectorCache(Path(sys.argv[1]))
for first in range(0, 200, 10):
    tokens = np.arange(first, first + 10, dtype=np.int32)
    keys = keys_of(TextInputs(np.arange(11), tokens, 0))
    cache.add(keys, np.repeat(tokens[:, None], 4, axis=1).astype(np.float32))
    assert cache.load(keys, 4)[1].all()
"""


@pytest.mark.slow
def test_two_processes_write_the_same_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path / "cache")]
    writers = [subprocess.Popen(command) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    vectors, known = VectorCache(tmp_path / "cache").load(keys_of(inputs([[n] for n in range(200)])), 4)
    assert known.all()
    np.testing.assert_array_equal(vectors, np.repeat(np.arange(200)[:, None], 4, axis=1))
    assert len(shards(tmp_path / "cache")) == 20


def test_a_shard_that_another_process_removed_meanwhile(tmp_path: Path) -> None:
    cache, keys = VectorCache(tmp_path), keys_of(inputs([[1]]))
    (tmp_path / "0.parquet").symlink_to(tmp_path / "gone")
    cache.add(keys, np.ones((1, 4), np.float32))
    assert cache.load(keys, 4)[1].all()


def test_a_shard_without_texts_asked_for_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = VectorCache(tmp_path)
    cache.add(keys_of(inputs([[1, 2], [3]])), np.ones((2, 4), np.float32))
    read: list[list[str] | None] = []
    original = files.read_parquet

    def reading(path: Path, schema: pa.Schema | None = None, columns: list[str] | None = None) -> pa.Table:
        read.append(columns)
        return original(path, schema, columns)

    monkeypatch.setattr(files, "read_parquet", reading)
    _, known = cache.load(keys_of(inputs([[1], [2, 3]])), 4)
    assert not known.any()  # neither a prefix nor the same tokens cut elsewhere
    assert read == [["key"]]


def test_the_directory_is_named_by_all_that_decides_a_vector(tmp_path: Path, tiny_encoder: Path) -> None:
    plain = ("vectors", tiny_encoder, "mean", 64, "float32")
    first = cache_path(tmp_path, *plain)
    assert first.parent == tmp_path / "cache" / "vectors"
    assert cache_path(tmp_path, *plain) == first
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("config.json", "model.safetensors"):
        (copy / name).write_bytes((tiny_encoder / name).read_bytes())
    assert cache_path(tmp_path, "vectors", copy, "mean", 64, "float32") == first
    flip(copy / "model.safetensors")
    changed = ("hidden", copy, "cls", 32, "bfloat16")
    others = {cache_path(tmp_path, *plain[:n], changed[n], *plain[n + 1 :]) for n in range(len(plain))}
    assert len(others | {first}) == 6
