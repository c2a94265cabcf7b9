"""Event files of TensorBoard: records of values by name and step, without TensorFlow, which `evaluate` does not load.

A record is its length (uint64), the masked CRC-32C of the length, the message, and the masked CRC-32C of the message
(https://www.tensorflow.org/tutorials/load_data/tfrecord). A message is an `Event` as protocol buffers are written
(https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto).
"""

import struct
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

_POLYNOMIAL = 0x82F63B78  # Castagnoli, reversed
_MASK = 0xA282EAD8
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5  # wire types
_FIXED = {_DOUBLE: 8, _FLOAT: 4}
_STEP, _VERSION, _SUMMARY = 2, 3, 5  # fields of Event
_TAG, _VALUE, _TENSOR, _METADATA = 1, 2, 8, 9  # fields of Summary.Value
_STRING, _CLASS_TENSOR = 7, 2  # DataType, DataClass


class EventFile:
    """An event file that is appended to; a record that a killed process did not finish is cut off.

    Attributes:
        steps: the steps that the file had of each name when it was opened.
    """

    def __init__(self, path: Path) -> None:
        """Open a file, or create it.

        Raises:
            OSError: it cannot be read or written.
        """
        self.steps: dict[str, set[int]] = {}
        end = 0
        for position, message in _records(path.read_bytes() if path.exists() else b""):
            end = position
            step, names = _step_and_names(message)
            for name in names:
                self.steps.setdefault(name, set()).add(step)
        self._file = path.open("ab")
        self._file.truncate(end)
        if end == 0:
            self._append(_field(_VERSION, b"brain.Event:2"))

    def add_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Append float32 values by name."""
        named = (
            _field(_TAG, name.encode()) + _key(_VALUE, _FLOAT) + struct.pack("<f", value)
            for name, value in values.items()
        )
        self._append(_key(_STEP, _VARINT) + _varint(step) + _field(_SUMMARY, b"".join(_field(1, one) for one in named)))

    def add_text(self, name: str, text: str) -> None:
        """Append a text in Markdown, at step 0."""
        plugin = _field(1, _field(1, b"text"))
        metadata = plugin + _key(4, _VARINT) + _varint(_CLASS_TENSOR)
        tensor = _key(1, _VARINT) + _varint(_STRING) + _field(2, b"") + _field(8, text.encode())
        value = _field(_TAG, name.encode()) + _field(_TENSOR, tensor) + _field(_METADATA, metadata)
        self._append(_field(_SUMMARY, _field(1, value)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, content: bytes) -> None:
        message = _key(1, _DOUBLE) + struct.pack("<d", time.time()) + content
        length = struct.pack("<Q", len(message))
        self._file.write(length + _checksum(length) + message + _checksum(message))
        self._file.flush()


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the position behind each whole record, and its message."""
    start = 0
    while start + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, start)
        end = start + 12 + length + 4
        message = data[start + 12 : end - 4]
        if end > len(data) or data[end - 4 : end] != _checksum(message):
            return
        yield end, message
        start = end


def _step_and_names(message: bytes) -> tuple[int, list[str]]:
    """Return the step of an event, and the names of its values."""
    step, names = 0, []
    for field, value in _fields(message):
        if field == _STEP and isinstance(value, int):
            step = value
        elif field == _SUMMARY and isinstance(value, bytes):
            names += [
                name.decode()
                for _, one in _fields(value)
                if isinstance(one, bytes)
                for part, name in _fields(one)
                if part == _TAG and isinstance(name, bytes)
            ]
    return step, names


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field; values of fixed size as bytes."""
    position = 0
    while position < len(message):
        key, position = _read_varint(message, position)
        if key & 7 == _VARINT:
            value, position = _read_varint(message, position)
            yield key >> 3, value
            continue
        size = _FIXED.get(key & 7, 0)
        if key & 7 == _BYTES:
            size, position = _read_varint(message, position)
        yield key >> 3, message[position : position + size]
        position += size


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _varint(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _field(field: int, content: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(content)) + content


@cache
def _table() -> list[int]:
    """Return what each byte adds to a CRC-32C."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


def _checksum(data: bytes) -> bytes:
    """Return the masked CRC-32C of data: rotated and shifted, as checksums of checksums would be weak."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)
