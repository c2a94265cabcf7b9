"""Tensors of a legacy PyTorch file (`torch.save` before release 1.6), read without unpickling.

Such a file is five pickle streams (a magic number, the version, facts about the machine, a dictionary of tensors, the
order of the storages), followed by the values of every storage. io/tensor_pickles.py interprets the streams; sizes
are checked before memory is allocated.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from interestrec.core.errors import ArtifactError, from_os_error
from interestrec.io.tensor_pickles import TensorView, UnreadablePickle, interpret_pickle, view_extent

_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_MAX_STREAM_BYTES = 16 << 20  # of the five streams; a network of ten thousand tensors takes two
_MAX_EXPANSION = 4  # bytes of all tensors per byte of the file: tensors may share a storage


def read_torch_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of a state dictionary, by name.

    Raises:
        InputMissingError, AccessError, StorageError: the file cannot be read.
        ArtifactError: it is not such a file, is damaged, or holds anything but tensors.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as source:
            streams = io.BytesIO(source.read(_MAX_STREAM_BYTES))
            try:
                views, storages = _describe(streams)
                _check_total(views, size)
                blocks = _storage_blocks(storages, views, streams.tell(), size)
                return {name: _tensor(source, view, blocks) for name, view in views.items()}
            except UnreadablePickle as error:
                raise ArtifactError(f"{path}: {error}; use a file with tensors only, or safetensors") from error
    except OSError as error:
        raise from_os_error(error, path) from error


def _describe(streams: io.BytesIO) -> tuple[dict[str, TensorView], list[str]]:
    """Read the five streams: the views of tensors by name, and the keys of the storages in the order of the file."""
    if streams.read(2) == b"PK":
        raise UnreadablePickle("a zip archive of torch.save, which is not read")
    streams.seek(0)
    if interpret_pickle(streams) != _MAGIC or interpret_pickle(streams) != _VERSION:
        raise UnreadablePickle("not a legacy file of torch.save")
    machine = interpret_pickle(streams)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise UnreadablePickle("written on a big-endian machine")
    views, keys = interpret_pickle(streams), interpret_pickle(streams)
    if not isinstance(views, dict) or not all(isinstance(view, TensorView) for view in views.values()):
        raise UnreadablePickle("holds something else than a dictionary of tensors")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise UnreadablePickle("has no list of storages")
    return views, keys


def _bytes(view: TensorView) -> int:
    count = np.dtype(view.storage.type).itemsize
    for size in view.shape:
        count *= size
    return count


def _check_total(views: Mapping[str, TensorView], size: int) -> None:
    if sum(map(_bytes, views.values())) > _MAX_EXPANSION * size:
        raise UnreadablePickle("its tensors are several times as large as the file")


def _storage_blocks(
    keys: list[str], views: Mapping[str, TensorView], start: int, size: int
) -> dict[str, tuple[int, str]]:
    """Return the first byte of the values of each storage, and their type.

    Each storage begins with its number of values, 8 bytes, which `_tensor` compares.
    """
    storages = {view.storage.key: view.storage for view in views.values()}
    if set(storages) != set(keys) or len(set(keys)) != len(keys):
        raise UnreadablePickle("its list of storages does not fit the tensors")
    if any(view.storage != storages[view.storage.key] for view in views.values()):
        raise UnreadablePickle("has tensors that disagree on their storage")
    blocks = {}
    for key in keys:
        blocks[key] = (start, storages[key].type)
        start += 8 + storages[key].size * np.dtype(storages[key].type).itemsize
    if start != size:
        raise UnreadablePickle(f"has {size:,} bytes where its tensors take {start:,}")
    return blocks


def _tensor(source: io.BufferedReader, view: TensorView, blocks: Mapping[str, tuple[int, str]]) -> np.ndarray:
    """Read the part of a storage that a tensor covers, and return a contiguous copy."""
    start, kind = blocks[view.storage.key]
    source.seek(start)
    if int.from_bytes(source.read(8), "little") != view.storage.size:
        raise UnreadablePickle("has a storage of another size than its tensor says")
    width = np.dtype(kind).itemsize
    source.seek(view.offset * width, io.SEEK_CUR)
    values = np.frombuffer(source.read(view_extent(view.shape, view.strides) * width), kind)
    steps = tuple(stride * width for stride in view.strides)
    return np.lib.stride_tricks.as_strided(values, view.shape, steps, writeable=False).copy()
