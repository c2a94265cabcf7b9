"""The cache of frozen layers' states: the same bits with and without it, whatever happens to its files."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.encoding import hidden_cache as module
from interestrec.encoding.hidden_cache import HiddenCache, HiddenStates, UpperLayers, encode_lower
from interestrec.io import files
from interestrec.model.bert import Bert
from interestrec.text.text_inputs import TextInputs
from tests.encoding.test_text_vectors import inputs
from tests.encoding.test_vector_cache import distinct_texts, flip
from tests.kin import load_bert


@pytest.fixture
def bert(tiny_encoder: Path) -> Bert:
    return load_bert(tiny_encoder)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of texts handed to the lower layers so far."""
    counts: list[int] = []
    original = module._shards

    def counting(bert: Bert, texts: TextInputs, layers: int):  # type: ignore[no-untyped-def]
        counts.append(len(texts))
        return original(bert, texts, layers)

    monkeypatch.setattr(module, "_shards", counting)
    return counts


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TOKENS_PER_SHARD", 1500)


def states(found: HiddenStates) -> np.ndarray:
    return found.padded(np.arange(len(found)), 24)[0]


def assert_same(found: HiddenStates, expected: HiddenStates) -> None:
    np.testing.assert_array_equal(found.lengths, expected.lengths)
    np.testing.assert_array_equal(states(found), states(expected))


def names(directory: Path) -> list[str]:
    return sorted(path.suffix for path in directory.iterdir())


def test_states_are_those_of_the_lower_layers(bert: Bert) -> None:
    texts = inputs(distinct_texts(60))
    found = encode_lower(bert, texts, 1)
    rows = np.array([7, 0, 33, 7])
    ids, mask = texts.padded(rows, 24)
    ours, inside = found.padded(rows, 24)
    np.testing.assert_array_equal(inside, mask)
    exact = bert.lower(ids, mask, 1).numpy()
    np.testing.assert_allclose(ours[mask > 0], exact[mask > 0], rtol=1e-3, atol=1e-3)
    assert (ours[mask == 0] == 0).all()
    assert ours.dtype == np.float32
    assert {shard.dtype for shard in found.shards} == {np.dtype(np.float16)}


def test_a_second_run_encodes_nothing_and_changes_no_bit(tmp_path: Path, bert: Bert, encoded: list[int]) -> None:
    texts, cache = inputs(distinct_texts(50)), HiddenCache(tmp_path / "cache")
    plain = encode_lower(bert, texts, 1)
    assert_same(encode_lower(bert, texts, 1, cache), plain)
    again = encode_lower(bert, texts, 1, cache)
    assert_same(again, plain)
    assert encoded == [50, 50, 0]
    assert all(isinstance(shard, np.memmap) for shard in again.shards)
    vectors = [UpperLayers(bert, found, 1).vectors(np.arange(50)) for found in (again, plain)]
    np.testing.assert_array_equal(*vectors)


def test_texts_that_are_new_are_added(tmp_path: Path, bert: Bert, encoded: list[int]) -> None:
    cache, texts = HiddenCache(tmp_path), distinct_texts(60)
    encode_lower(bert, inputs(texts[20:45]), 1, cache)
    mixed = inputs(texts[::-1])
    assert_same(encode_lower(bert, mixed, 1, cache), encode_lower(bert, mixed, 1))
    assert_same(encode_lower(bert, mixed, 1, cache), encode_lower(bert, mixed, 1))
    assert encoded == [25, 35, 60, 0, 60]
    assert names(tmp_path) == [".npy"] * 2 + [".parquet"] * 2


@pytest.mark.usefixtures("small_shards")
def test_states_of_many_texts_lie_in_several_shards(tmp_path: Path, bert: Bert, encoded: list[int]) -> None:
    cache, texts = HiddenCache(tmp_path), inputs(distinct_texts(500))
    plain = encode_lower(bert, texts, 1)
    assert len(plain.shards) > 2
    assert sum(map(len, plain.shards)) == texts.lengths.sum()
    for _ in range(2):
        found = encode_lower(bert, texts, 1, cache)
        assert_same(found, plain)
        assert names(tmp_path) == [".npy"] * len(plain.shards) + [".parquet"] * len(plain.shards)
    assert encoded == [500, 500, 0]
    rows = np.array([490, 3, 250, 3])
    np.testing.assert_array_equal(found.padded(rows, 24)[0], states(plain)[rows])


def another_table(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["start"]), path)


def other_states(path: Path) -> None:
    files.write_array(path, np.load(path) + np.float16(1))


DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "states flipped": (".npy", flip),
    "states cut": (".npy", lambda path: path.write_bytes(path.read_bytes()[:-20])),
    "states empty": (".npy", lambda path: path.write_bytes(b"")),
    "states gone": (".npy", Path.unlink),
    "states of something else": (".npy", other_states),
    "keys flipped": (".parquet", flip),
    "keys cut": (".parquet", lambda path: path.write_bytes(path.read_bytes()[:-20])),
    "keys empty": (".parquet", lambda path: path.write_bytes(b"")),
    "keys of something else": (".parquet", another_table),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_shard_is_told_and_encoded_again(
    tmp_path: Path, bert: Bert, encoded: list[int], damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache, texts = HiddenCache(tmp_path), inputs(distinct_texts(50))
    plain = encode_lower(bert, texts, 1, cache)
    expected = states(plain)
    del plain
    suffix, harm = DAMAGE[damage]
    (path,) = tmp_path.glob(f"*{suffix}")
    harm(path)
    with caplog.at_level(logging.WARNING, "interestrec"):
        np.testing.assert_array_equal(states(encode_lower(bert, texts, 1, cache)), expected)
    assert [str(path) in record.getMessage() for record in caplog.records] == [True]
    np.testing.assert_array_equal(states(encode_lower(bert, texts, 1, cache)), expected)
    assert encoded == [50, 50, 0]
    assert names(tmp_path) == [".npy", ".parquet"]
    harm(path)
    encode_lower(bert, inputs(distinct_texts(51)), 1, cache)  # its texts go to another shard
    assert not path.exists()
    assert names(tmp_path) == [".npy", ".parquet"]


@pytest.mark.parametrize("at", ["write_array", "write_parquet"])
def test_killed_before_the_keys_are_written_nothing_is_there(
    tmp_path: Path, bert: Bert, encoded: list[int], monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    cache, texts = HiddenCache(tmp_path), inputs(distinct_texts(50))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, at, killed)
        with pytest.raises(KeyboardInterrupt):
            encode_lower(bert, texts, 1, cache)
    assert names(tmp_path) == ([".npy"] if at == "write_parquet" else [])
    assert list(cache.shards()) == []
    assert_same(encode_lower(bert, texts, 1, cache), encode_lower(bert, texts, 1))
    assert encoded == [50, 50, 50]
    assert len(list(cache.shards())) == 1


@pytest.mark.usefixtures("small_shards")
def test_a_killed_run_goes_on(tmp_path: Path, bert: Bert, encoded: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    cache, texts = HiddenCache(tmp_path), inputs(distinct_texts(500))
    original = HiddenCache.add

    def second_is_the_last(self: HiddenCache, *given: object) -> np.ndarray:
        if len(list(tmp_path.glob("*.parquet"))) == 2:
            raise KeyboardInterrupt
        return original(self, *given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(HiddenCache, "add", second_is_the_last)
        with pytest.raises(KeyboardInterrupt):
            encode_lower(bert, texts, 1, cache)
    kept = sum(len(table) for table, _ in cache.shards())
    assert kept > 100
    assert_same(encode_lower(bert, texts, 1, cache), encode_lower(bert, texts, 1))
    assert encoded == [500, 500 - kept, 500]
