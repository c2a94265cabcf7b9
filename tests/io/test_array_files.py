"""Files of named arrays, plain and encrypted."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import AccessError, ArtifactError, InputMissingError
from interestrec.io.array_files import read_arrays, write_arrays
from interestrec.io.encryption import key_in_force

ARRAYS = {
    "a.x": np.arange(6, dtype=np.float64).reshape(2, 3),
    "b": np.array([True, False]),
    "c": np.array(7, np.uint64),
    "empty": np.zeros((0, 4), np.float32),
}


@pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
def key(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    if not request.param:
        return None
    path = tmp_path / "key"
    path.write_bytes(b"k" * 32)
    path.chmod(0o600)
    return str(path)


def test_arrays_keep_values_types_and_shapes(tmp_path: Path, key: str | None) -> None:
    with key_in_force(key):
        write_arrays(tmp_path, "arrays", ARRAYS)
        found = read_arrays(tmp_path, "arrays", ["b", "c", "empty", "a.x", "b"])
    assert list(found) == ["b", "c", "empty", "a.x"]
    for name, array in found.items():
        assert array.dtype == ARRAYS[name].dtype
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_an_encrypted_file_shows_no_name_and_opens_only_with_its_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"k" * 32)
    path.chmod(0o600)
    with key_in_force(str(path)):
        write_arrays(tmp_path, "arrays", {"secret_name": np.frombuffer(b"secret value", np.uint8)})
    (file,) = tmp_path.glob("arrays*")
    assert b"secret" not in file.read_bytes()
    with pytest.raises(AccessError):
        read_arrays(tmp_path, "arrays", ["secret_name"])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError):
        read_arrays(tmp_path, "arrays", ["b"])
    write_arrays(tmp_path, "arrays", ARRAYS)
    with pytest.raises(ArtifactError, match="lacks the array d"):
        read_arrays(tmp_path, "arrays", ["b", "d"])
