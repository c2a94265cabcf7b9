"""Files of named arrays: safetensors, or an encrypted Parquet table of the same bytes if artifacts are encrypted."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from interestrec.core.errors import ArtifactError
from interestrec.io import files
from interestrec.io.encryption import is_encrypting
from interestrec.io.tensors import translate_tensor_errors

if TYPE_CHECKING:
    import numpy as np

_PLAIN, _ENCRYPTED = ".safetensors", ".arrays.parquet"


def write_arrays(directory: Path, name: str, arrays: "Mapping[str, np.ndarray]") -> None:
    """Write arrays as `<name>.safetensors`, or with an encryption key as `<name>.arrays.parquet`, one row per array."""
    if not is_encrypting():
        files.write_safetensors(directory / f"{name}{_PLAIN}", arrays)
        return
    import pyarrow as pa
    from safetensors.numpy import save

    schema = pa.schema([pa.field("name", pa.string(), False), pa.field("array", pa.large_binary(), False)])
    rows = (pa.table({"name": [key], "array": [save({key: array})]}, schema) for key, array in sorted(arrays.items()))
    files.write_parquet_batches(directory / f"{name}{_ENCRYPTED}", rows, schema)


def read_arrays(directory: Path, name: str, wanted: Iterable[str]) -> "dict[str, np.ndarray]":
    """Read the wanted arrays of a file of `write_arrays`; the others stay on disk.

    Raises:
        InputMissingError: there is no such file.
        ArtifactError: the file is damaged or lacks an array.
        AccessError: the file is encrypted, and no key or another one is in force.
    """
    encrypted = directory / f"{name}{_ENCRYPTED}"
    path = encrypted if encrypted.exists() else directory / f"{name}{_PLAIN}"
    read = _read_encrypted if encrypted.exists() else _read_plain
    wanted = list(dict.fromkeys(wanted))
    found = read(path, wanted)
    if missing := [key for key in wanted if key not in found]:
        raise ArtifactError(f"{path}: lacks the array {missing[0]}; build it again")
    return found


def _read_plain(path: Path, wanted: list[str]) -> "dict[str, np.ndarray]":
    from safetensors import safe_open

    with translate_tensor_errors(path), safe_open(path, "np") as source:
        present = set(source.keys())
        return {key: source.get_tensor(key) for key in wanted if key in present}


def _read_encrypted(path: Path, wanted: list[str]) -> "dict[str, np.ndarray]":
    from safetensors.numpy import load

    table = files.read_parquet(path)
    rows = {key: row for row, key in enumerate(table["name"].to_pylist())}
    with translate_tensor_errors(path):
        return {key: load(table["array"][rows[key]].as_py())[key] for key in wanted if key in rows}
