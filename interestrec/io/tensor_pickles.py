"""Pickle streams that describe tensors, interpreted without unpickling.

A pickle is a program; unpickling would run it. Here the few opcodes that describe a dictionary of tensors are
interpreted, and every other one is refused. Nothing is imported or called.
"""

import io
import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

_MAX_OPCODES = 2_000_000
_MAX_DIMENSIONS = 8
_TYPES = {
    "torch FloatStorage": "<f4",
    "torch DoubleStorage": "<f8",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
    "torch ShortStorage": "<i2",
    "torch CharStorage": "i1",
    "torch ByteStorage": "u1",
    "torch BoolStorage": "?",
}
_DICTIONARY, _TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"


class _Global(NamedTuple):
    name: str


class TensorStorage(NamedTuple):
    """Values that tensors are parts of."""

    type: str  # of NumPy
    key: str
    size: int  # number of values


class TensorView(NamedTuple):
    """A tensor: which values of a storage it has; offset and strides count values."""

    storage: TensorStorage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class UnreadablePickle(Exception):
    """The end of the sentence that says what is wrong."""


_MARK = object()


class _Stack:
    """Values of the interpreter, and the memo to which opcodes refer by number."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        if not self.values or self.values[-1] is _MARK:
            raise UnreadablePickle("damaged: a pickle takes more values than it gives")
        return self.values.pop()

    def to_mark(self) -> list[Any]:
        taken: list[Any] = []
        while self.values:
            value = self.values.pop()
            if value is _MARK:
                return taken[::-1]
            taken.append(value)
        raise UnreadablePickle("damaged: a pickle has no mark where one is needed")

    def tuple_of(self, count: int) -> None:
        self.values.append(tuple(reversed([self.pop() for _ in range(count)])))

    def put(self, number: int) -> None:
        self.memo[number] = value = self.pop()
        self.values.append(value)

    def get(self, number: int) -> None:
        if number not in self.memo:
            raise UnreadablePickle("damaged: a pickle refers to a value that it does not have")
        self.values.append(self.memo[number])

    def set_items(self, items: list[Any]) -> None:
        target = self.pop()
        if not isinstance(target, dict) or len(items) % 2 or not all(isinstance(name, str) for name in items[::2]):
            raise UnreadablePickle("holds something else than a dictionary by names")
        target.update(zip(items[::2], items[1::2], strict=True))
        self.values.append(target)

    def append(self, items: list[Any]) -> None:
        target = self.pop()
        if not isinstance(target, list):
            raise UnreadablePickle("damaged: a pickle appends to what is no list")
        target.extend(items)
        self.values.append(target)

    def drop_state(self) -> None:
        """Take the attributes of a dictionary, such as `_metadata`, and forget them."""
        self.pop()
        if not self.values or not isinstance(self.values[-1], dict):
            raise UnreadablePickle("sets the state of an object")

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        if function == _Global(_DICTIONARY) and arguments == ():
            self.values.append({})
        elif function == _Global(_TENSOR) and isinstance(arguments, tuple):
            self.values.append(_view(arguments))
        else:
            raise UnreadablePickle("calls a function")


def _number(streams: io.BytesIO, form: str) -> int:
    value: int = struct.unpack(form, _exactly(streams, struct.calcsize(form)))[0]
    return value


def _exactly(streams: io.BytesIO, count: int) -> bytes:
    content = streams.read(count)
    if len(content) < count:
        raise UnreadablePickle("not a legacy file of torch.save, or one that ends too early")
    return content


def _line(streams: io.BytesIO) -> str:
    line = streams.readline()
    if not line.endswith(b"\n"):
        raise UnreadablePickle("not a legacy file of torch.save, or one that ends too early")
    return line[:-1].decode()


def _protocol(stack: _Stack, streams: io.BytesIO) -> None:
    if _number(streams, "<B") != 2:
        raise UnreadablePickle("not a legacy file of torch.save, or a damaged one")


# Of protocol 2, by their byte; each takes what follows it in the stream.
_OPCODES: Mapping[bytes, Callable[[_Stack, io.BytesIO], None]] = {
    b"\x80": _protocol,
    b"N": lambda stack, _: stack.values.append(None),
    b"\x88": lambda stack, _: stack.values.append(True),
    b"\x89": lambda stack, _: stack.values.append(False),
    b"J": lambda stack, streams: stack.values.append(_number(streams, "<i")),
    b"K": lambda stack, streams: stack.values.append(_number(streams, "<B")),
    b"M": lambda stack, streams: stack.values.append(_number(streams, "<H")),
    b"\x8a": lambda stack, streams: stack.values.append(
        int.from_bytes(_exactly(streams, _number(streams, "<B")), "little", signed=True)
    ),
    b"X": lambda stack, streams: stack.values.append(_exactly(streams, _number(streams, "<I")).decode()),
    b"(": lambda stack, _: stack.values.append(_MARK),
    b"}": lambda stack, _: stack.values.append({}),
    b"]": lambda stack, _: stack.values.append([]),
    b")": lambda stack, _: stack.values.append(()),
    b"\x85": lambda stack, _: stack.tuple_of(1),
    b"\x86": lambda stack, _: stack.tuple_of(2),
    b"\x87": lambda stack, _: stack.tuple_of(3),
    b"t": lambda stack, _: stack.values.append(tuple(stack.to_mark())),
    b"q": lambda stack, streams: stack.put(_number(streams, "<B")),
    b"r": lambda stack, streams: stack.put(_number(streams, "<I")),
    b"h": lambda stack, streams: stack.get(_number(streams, "<B")),
    b"j": lambda stack, streams: stack.get(_number(streams, "<I")),
    b"s": lambda stack, _: stack.set_items([stack.pop(), stack.pop()][::-1]),
    b"u": lambda stack, _: stack.set_items(stack.to_mark()),
    b"a": lambda stack, _: stack.append([stack.pop()]),
    b"e": lambda stack, _: stack.append(stack.to_mark()),
    b"c": lambda stack, streams: stack.values.append(_global(f"{_line(streams)} {_line(streams)}")),
    b"Q": lambda stack, _: stack.values.append(_storage(stack.pop())),
    b"R": lambda stack, _: stack.reduce(),
    b"b": lambda stack, _: stack.drop_state(),
}
_STOP = b"."


def interpret_pickle(streams: io.BytesIO) -> Any:
    """Interpret one stream and leave the position behind it.

    Returns:
        None, a bool, a number, a text, or tuples, lists and dictionaries of them, of TensorStorage and of TensorView.

    Raises:
        UnreadablePickle: the stream is damaged, or does anything else than describe tensors.
    """
    stack = _Stack()
    for _ in range(_MAX_OPCODES):
        opcode = _exactly(streams, 1)
        if opcode == _STOP:
            return stack.pop()
        if opcode not in _OPCODES:
            raise UnreadablePickle(f"has the opcode {opcode!r}, which tensors do not need")
        try:
            _OPCODES[opcode](stack, streams)
        except UnicodeDecodeError as error:
            raise UnreadablePickle("not a legacy file of torch.save, or a damaged one") from error
    raise UnreadablePickle("has more opcodes than tensors need")


def _global(name: str) -> _Global:
    if name not in (*_TYPES, _DICTIONARY, _TENSOR):
        raise UnreadablePickle(f"refers to '{name[:60]}', which is neither a tensor nor a storage")
    return _Global(name)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 48


def _storage(value: Any) -> TensorStorage:
    match value:
        case ("storage", _Global(name), str(key), str(), size, None) if name in _TYPES and _is_size(size):
            return TensorStorage(_TYPES[name], key, size)
    raise UnreadablePickle("has a storage that is not understood")


def _view(arguments: tuple[Any, ...]) -> TensorView:
    match arguments[:4]:
        case (TensorStorage() as storage, offset, tuple(shape), tuple(strides)):
            whole = len(shape) == len(strides) <= _MAX_DIMENSIONS and all(map(_is_size, (offset, *shape, *strides)))
            if whole and offset + view_extent(shape, strides) <= storage.size:
                return TensorView(storage, offset, shape, strides)
    raise UnreadablePickle("has a tensor that does not lie in its storage")


def view_extent(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Number of values from a tensor's first to its last one."""
    if 0 in shape:
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
