"""Vectors from outside in the order of the items: every layout, every refusal, and nothing lost."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from interestrec.core.errors import ArtifactError, DataError, InputMissingError
from interestrec.corpus.vector_alignment import align_vectors
from interestrec.io import files, given_vectors
from interestrec.io.given_vectors import VectorFile

ITEMS = pa.array(["a", "b", "c", "12"])
IDS = ["c", "x", "a", "12"]
VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3)
EXPECTED = [VECTORS[2].tolist(), [0, 0, 0], VECTORS[0].tolist(), VECTORS[3].tolist()]


def source(path: Path, ids: Path | None = None) -> VectorFile:
    return VectorFile(path, ids, "item_id", "vector")


def parquet(path: Path, ids: list[Any], vectors: Any) -> VectorFile:
    pq.write_table(pa.table({"item_id": ids, "vector": vectors}), path / "v.parquet")
    return source(path / "v.parquet")


def columns(vectors: np.ndarray) -> list[pa.Array]:
    """One matrix in every type of list."""
    flat = pa.array(vectors.ravel())
    return [
        pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
        pa.array(vectors.tolist(), pa.list_(pa.float64())),
        pa.array(vectors.tolist(), pa.large_list(pa.float32())),
    ]


@pytest.mark.parametrize("column", range(3))
def test_parquet(tmp_path: Path, column: int) -> None:
    counts = align_vectors(parquet(tmp_path, IDS, columns(VECTORS)[column]), ITEMS, tmp_path / "out.npy")
    assert counts == (3, 3, 1, 1)
    assert files.map_array(tmp_path / "out.npy").tolist() == EXPECTED


def test_rows_without_a_vector_and_numbers_as_ids(tmp_path: Path) -> None:
    made = parquet(tmp_path, [12, 13, 14], [[1.0, 2.0], None, [3.0, 4.0]])
    assert align_vectors(made, ITEMS, tmp_path / "out.npy") == (2, 1, 3, 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
def test_a_matrix_with_ids(tmp_path: Path, suffix: str, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given_vectors, "_ROWS", 3)  # blocks that do not divide the rows
    path = tmp_path / f"v{suffix}"
    matrix = VECTORS.astype(dtype)
    np.save(path, matrix) if suffix == ".npy" else save_file({"embeddings": matrix}, path)
    (tmp_path / "ids.txt").write_text("\n".join(IDS) + "\n")
    assert align_vectors(source(path, tmp_path / "ids.txt"), ITEMS, tmp_path / "out.npy") == (3, 3, 1, 1)
    assert files.map_array(tmp_path / "out.npy").tolist() == EXPECTED


@given(st.lists(st.integers(0, 30), unique=True, min_size=1), st.integers(1, 5))
def test_every_item_has_its_vector_or_zero(
    tmp_path_factory: pytest.TempPathFactory, ids: list[int], width: int
) -> None:
    directory = tmp_path_factory.mktemp("vectors")
    vectors = np.random.default_rng(len(ids)).standard_normal((len(ids), width)).astype(np.float32)
    items = pa.array([str(n) for n in range(20)])
    made = parquet(directory, ids, vectors.tolist())
    by_id = dict(zip(ids, vectors, strict=True))
    known = [n for n in ids if n < 20]
    if not known:
        with pytest.raises(DataError, match="a vector of none of the 20 items"):
            align_vectors(made, items, directory / "out.npy")
        return
    counts = align_vectors(made, items, directory / "out.npy")
    assert (counts.found, counts.missing, counts.unknown) == (len(known), 20 - len(known), len(ids) - len(known))
    found = files.map_array(directory / "out.npy")
    for n in range(20):
        np.testing.assert_array_equal(found[n], by_id.get(n, np.zeros(width)))


@pytest.mark.parametrize(
    ("ids", "vectors", "expected"),
    [
        (["a", "b", "a"], [[1.0], [2.0], [3.0]], "has several vectors of a; keep one row per item"),
        (["a", "b"], [[1.0, 2.0], [float("nan"), 1.0]], "numbers of b are not finite"),
        (["a", "b"], [[1.0, 2.0], [3.0]], "differ in length or have gaps"),
        (["a", "b"], [[1.0, 2.0], [3.0, None]], "differ in length or have gaps; each must have 2 numbers"),
        (["a", "b"], [[], []], "not lists of floating numbers"),
        (["x", "y"], [[1.0], [2.0]], "a vector of none of the 4 items; compare the ids"),
        (["a", "b"], ["1 2", "3 4"], "'vector' is of type string, not lists of floating numbers"),
        (["a", "b"], [[1, 2], [3, 4]], "not lists of floating numbers"),
    ],
)
def test_bad_vectors(tmp_path: Path, ids: list[str], vectors: Any, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        align_vectors(parquet(tmp_path, ids, vectors), ITEMS, tmp_path / "out.npy")


def test_an_id_twice_in_different_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given_vectors, "_ROWS", 2)
    with pytest.raises(DataError, match="several vectors of a"):
        align_vectors(parquet(tmp_path, ["a", "b", "a"], [[1.0], [2.0], [3.0]]), ITEMS, tmp_path / "out.npy")


def test_bad_files(tmp_path: Path) -> None:
    target = tmp_path / "out.npy"
    for name, content, error, expected in (
        ("missing.parquet", None, InputMissingError, "no file of vectors here"),
        ("v.csv", b"a,1", DataError, "vectors are read from .parquet, .npy, .safetensors files"),
        ("v.parquet", b"not parquet", ArtifactError, "not readable as Parquet"),
        ("v.npy", b"not numpy", ArtifactError, "not an array"),
        ("v.safetensors", b"not tensors", ArtifactError, "not a valid safetensors file"),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        (tmp_path / "ids.txt").write_text("a\n")
        with pytest.raises(error, match=expected):
            align_vectors(source(path, tmp_path / "ids.txt"), ITEMS, target)
    pq.write_table(pa.table({"id": ["a"], "embedding": [[1.0]]}), tmp_path / "named.parquet")
    with pytest.raises(DataError, match="has no column 'item_id' but id, embedding; name its columns by id_column"):
        align_vectors(source(tmp_path / "named.parquet"), ITEMS, target)


def test_bad_matrices(tmp_path: Path) -> None:
    ids, target = tmp_path / "ids.txt", tmp_path / "out.npy"
    ids.write_text("a\nb\n")
    np.save(tmp_path / "three.npy", np.zeros((3, 2), np.float32))
    np.save(tmp_path / "flat.npy", np.zeros(2, np.float32))
    np.save(tmp_path / "whole.npy", np.zeros((2, 2), np.int64))
    save_file({"a": np.zeros((2, 2), np.float32), "b": np.zeros(1, np.float32)}, tmp_path / "two.safetensors")
    for name, expected in (
        ("three.npy", "has 3 rows, but .*ids.txt 2 ids"),
        ("flat.npy", "is not a matrix"),
        ("whole.npy", "is not a matrix of float16, float32 or float64"),
        ("two.safetensors", "has the tensors a, b; one matrix is expected"),
    ):
        with pytest.raises(DataError, match=expected):
            align_vectors(source(tmp_path / name, ids), ITEMS, target)
    with pytest.raises(DataError, match="has no item ids; name a file"):
        align_vectors(source(tmp_path / "three.npy"), ITEMS, target)
