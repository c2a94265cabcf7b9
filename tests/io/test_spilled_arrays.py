"""Arrays in files without a name: the same values, nothing left behind, and nothing of what is encrypted."""

import os
from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import StorageError
from interestrec.io import spilled_arrays
from interestrec.io.encryption import key_in_force
from interestrec.io.spilled_arrays import SpilledArray


def mapped(array: np.ndarray) -> bool:
    """Whether the array is in a file."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.base is not None


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spilled_arrays, "_LEAST", 100)
    monkeypatch.setattr(spilled_arrays, "_PART", 24)


@pytest.mark.parametrize("rows", [0, 5, 400])
@pytest.mark.parametrize("width", [(), (3,)])
def test_parts_are_one_array_wherever_it_is(rows: int, width: tuple[int, ...], tmp_path: Path) -> None:
    whole = np.random.default_rng(0).normal(size=(rows, *width)).astype(np.float32)
    spilled = SpilledArray(np.float32, tmp_path)
    for part in np.array_split(whole, 7):
        spilled.append(part)
    found = spilled.finish()
    np.testing.assert_array_equal(found, whole)
    assert found.dtype == np.float32
    assert mapped(found) == (rows == 400)
    assert list(tmp_path.iterdir()) == []


def test_parts_become_the_type_of_the_array() -> None:
    spilled = SpilledArray(np.int32, None)
    spilled.append(np.array([1, 2], np.int64))
    assert spilled.finish().dtype == np.int32
    assert SpilledArray(np.int8, None).finish().dtype == np.int8


def test_a_small_array_stays_and_a_large_one_moves(tmp_path: Path) -> None:
    large = np.arange(100)
    moved = SpilledArray.of(large, tmp_path)
    np.testing.assert_array_equal(moved, large)
    assert mapped(moved)
    assert SpilledArray.of(large[:5], tmp_path).base is large
    assert SpilledArray.of(large, None) is large


def test_what_is_encrypted_stays_in_memory(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"k" * 32)
    (tmp_path / "key").chmod(0o600)
    with key_in_force(str(tmp_path / "key")):
        assert not mapped(SpilledArray.of(np.arange(100), tmp_path))


def test_a_directory_that_cannot_be_written_is_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert mapped(SpilledArray.of(np.arange(100), tmp_path))


def test_a_full_disk_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, _: object) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(spilled_arrays, "_nameless", lambda _: Full())
    with pytest.raises(StorageError, match="No space left"):
        SpilledArray.of(np.arange(100), tmp_path)
