"""Legacy files of PyTorch: the tensors, and nothing that a pickle could do."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interestrec.core.errors import ArtifactError, InputMissingError
from interestrec.io.torch_tensors import read_torch_tensors

_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_VERSION = b"\x80\x02M\xe9\x03."
_MACHINE = b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(key: str, count: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(count) + b"NtQ"
    hooks = b"\x89ccollections\nOrderedDict\n)R"
    view = storage + number(offset) + numbers(shape) + numbers(strides) + hooks
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + view + b"tR"


def legacy(entries: bytes, storages: dict[str, np.ndarray], keys: bytes | None = None) -> bytes:
    """A file whose dictionary has these opcodes as entries."""
    content = _MAGIC + _VERSION + _MACHINE + b"\x80\x02ccollections\nOrderedDict\n)R(" + entries + b"u."
    content += keys if keys is not None else b"\x80\x02](" + b"".join(map(text, storages)) + b"e."
    for values in storages.values():
        content += struct.pack("<q", len(values)) + values.astype("<f4").tobytes()
    return content


VALUES = np.arange(12, dtype=np.float32)
PLAIN = legacy(text("a") + tensor("0", 12, 0, (3, 4), (4, 1)), {"0": VALUES})


def read(path: Path, content: bytes) -> dict[str, np.ndarray]:
    path.write_bytes(content)
    return read_torch_tensors(path)


def test_views_have_their_shape_offset_and_strides(tmp_path: Path) -> None:
    entries = text("a") + tensor("0", 12, 0, (3, 4), (4, 1)) + text("turned") + tensor("0", 12, 0, (4, 3), (1, 4))
    entries += text("part") + tensor("0", 12, 5, (2,), (3,)) + text("one") + tensor("1", 1, 0, (), ())
    entries += text("none") + tensor("1", 1, 1, (0, 3), (3, 1))
    tensors = read(tmp_path / "x.pth", legacy(entries, {"0": VALUES, "1": np.float32([7])}))
    np.testing.assert_array_equal(tensors["a"], VALUES.reshape(3, 4))
    np.testing.assert_array_equal(tensors["turned"], VALUES.reshape(3, 4).T)
    np.testing.assert_array_equal(tensors["part"], [5, 8])
    assert tensors["one"] == 7
    assert tensors["none"].shape == (0, 3)
    assert all(value.flags.owndata and value.flags.writeable for value in tensors.values())


def test_the_attributes_of_the_dictionary_are_dropped(tmp_path: Path) -> None:
    content = PLAIN.replace(b"u.\x80\x02]", b"u}" + text("_metadata") + b"}sb.\x80\x02]")
    np.testing.assert_array_equal(read(tmp_path / "x", content)["a"], VALUES.reshape(3, 4))


def _called(function: bytes, arguments: bytes) -> bytes:
    return legacy(text("a") + b"c" + function + arguments + b"R", {})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_called(b"os\nsystem\n", b"(" + text("touch owned") + b"t"), "refers to 'os system'"),
        (_called(b"builtins\neval\n", b"(" + text("open('owned', 'w')") + b"t"), "refers to 'builtins eval'"),
        (_called(b"posix\nsystem\n", b"(" + text("touch owned") + b"t"), "refers to 'posix system'"),
        (_called(b"torch\nFloatStorage\n", b")"), "calls a function"),
        (_called(b"collections\nOrderedDict\n", b"(" + number(1) + b"t"), "calls a function"),
        (legacy(text("a") + b"(" + text("touch owned") + b"ios\nsystem\n", {}), "opcode b'i'"),
        (legacy(text("a") + b"(cos\nsystem\n" + text("touch owned") + b"o", {}), "refers to 'os system'"),
        (legacy(text("a") + text("os") + text("system") + b"\x93", {}), r"opcode b'\\x93'"),
        (legacy(text("a") + b"ccollections\nOrderedDict\n)\x81", {}), r"opcode b'\\x81'"),
        (legacy(text("a") + b"\x82\x01", {}), r"opcode b'\\x82'"),
        (legacy(text("a") + number(1), {}), "something else than a dictionary of tensors"),
        (legacy(number(1) + number(1), {}), "something else than a dictionary by names"),
        (legacy(text("a") + tensor("0", 12, 1, (3, 4), (4, 1)), {"0": VALUES}), "does not lie in its storage"),
        (legacy(text("a") + tensor("0", 12, 0, (2,), (-1,)), {"0": VALUES}), "does not lie in its storage"),
        (legacy(text("a") + tensor("0", 12, -4, (2,), (1,)), {"0": VALUES}), "does not lie in its storage"),
        (legacy(text("a") + tensor("0", 12, 0, (1 << 30,), (0,)), {"0": VALUES}), "several times as large"),
        (legacy(text("a") + tensor("0", 2**31 - 1, 0, (1,), (1,)), {"0": VALUES}), "bytes where its tensors take"),
        (legacy(text("a") + tensor("0", 11, 0, (1,), (1,)), {"0": VALUES})[:-4], "of another size"),
        (legacy(text("a") + tensor("1", 12, 0, (1,), (1,)), {"0": VALUES}), "list of storages does not fit"),
        (legacy(text("a") + b"j\xff\xff\xff\x7f", {}), "refers to a value that it does not have"),
        (legacy(text("a") + b"R", {}), "takes more values than it gives"),
        (PLAIN + b"x", "bytes where its tensors take"),
        (PLAIN[:-1], "bytes where its tensors take"),
        (PLAIN[:100], "legacy file"),
        (PLAIN.replace(b"little_endian\x88", b"little_endian\x89"), "big-endian"),
        (b"", "legacy file"),
        (b"PK\x03\x04" + bytes(100), "zip archive"),
        (b"\x80\x02(0.", "opcode b'0'"),
        (
            _MAGIC + _VERSION + _MACHINE + b"\x80\x02" + b"(" * 500_000 + b"t" * 500_000 + b".\x80\x02].",
            "dictionary of tensors",
        ),
        (_MAGIC + _VERSION + _MACHINE + b"\x80\x02" + b"N0" + b".", "opcode b'0'"),
        (_MAGIC + _VERSION + _MACHINE + b"\x80\x02" + b"N" * 2_000_002 + b".", "more opcodes"),
        (_MAGIC + _VERSION + _MACHINE + b"\x80\x02X\xff\xff\xff\xff.", "legacy file"),
        (_MAGIC + _VERSION + _MACHINE + b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7f.", "legacy file"),
    ],
)
def test_hostile_and_damaged_files_are_refused_and_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactError, match=said):
        read(tmp_path / "x.pth", content)
    assert [path.name for path in tmp_path.iterdir()] == ["x.pth"]


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError):
        read_torch_tensors(tmp_path / "x.pth")


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(place=st.integers(0, len(PLAIN) - 1), value=st.integers(0, 255), length=st.integers(0, len(PLAIN)))
def test_any_damage_gives_tensors_or_our_error(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, length: int
) -> None:
    damaged = bytearray(PLAIN)
    damaged[place] = value
    path = tmp_path_factory.mktemp("torch") / "x"
    for content in (bytes(damaged), PLAIN[:length]):
        try:
            tensors = read(path, content)
        except ArtifactError:
            continue
        assert sum(value.nbytes for value in tensors.values()) <= 4 * len(content)
