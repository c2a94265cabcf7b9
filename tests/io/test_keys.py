"""Keys come from files that are their owner's alone, or from descriptors, and are never shown."""

import os
from pathlib import Path

import pytest

from interestrec.core.errors import AccessError
from interestrec.io.keys import key_source, read_key

KEY = b"0123456789abcdef0123456789abcdef"


def key_file(path: Path, content: bytes = KEY, mode: int = 0o600) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_one_newline_at_the_end_is_not_of_the_key(tmp_path: Path, end: bytes) -> None:
    assert read_key(key_file(tmp_path / "key", KEY + end), "a.key") == KEY
    assert read_key(key_file(tmp_path / "key", KEY + b"\n" + end), "a.key") == KEY + (b"\n" if end else b"")


def test_no_key_is_none() -> None:
    assert read_key(None, "a.key") is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o644, 0o601, 0o660])
def test_a_key_that_others_can_get_at_is_refused(tmp_path: Path, mode: int) -> None:
    wide = key_file(tmp_path / "wide", mode=mode)
    link = tmp_path / "link"
    link.symlink_to(wide)
    for source in (wide, str(link)):
        with pytest.raises(AccessError, match=f"mode {mode:04o}"):
            read_key(source, "a.key")
    with open(wide, "rb") as opened, pytest.raises(AccessError, match="chmod 600"):  # noqa: PTH123
        read_key(f"fd:{opened.fileno()}", f"of {mode}")


def test_a_link_to_a_key_of_ones_own_is_fine(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(key_file(tmp_path / "key", mode=0o400))
    assert read_key(str(tmp_path / "link"), "a.key") == KEY


@pytest.mark.parametrize("content", [b"", KEY[:31], KEY[:31] + b"\n", b"x" * 4097])
def test_a_key_of_no_fit_length_is_refused_without_being_shown(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(AccessError, match="32 to 4096") as caught:
        read_key(key_file(tmp_path / "key", content), "a.key")
    assert "xxx" not in str(caught.value)
    assert "0123" not in str(caught.value)


@pytest.mark.parametrize("source", ["secret-in-the-wrong-place", "a\0b", "."])
def test_what_was_given_for_a_path_is_not_shown(source: str) -> None:
    with pytest.raises(AccessError, match=r"^a\.key: ") as caught:
        read_key(source, "a.key")
    assert caught.value.exit_status == 77
    assert source not in str(caught.value).replace("a.key", "").split(";")[0] or source == "."


def test_a_pipe_is_read_once_for_the_whole_process() -> None:
    reading, writing = os.pipe()
    os.write(writing, KEY + b"\n")
    os.close(writing)
    assert read_key(f"fd:{reading}", "once") == KEY
    assert read_key(f"fd:{reading}", "once") == KEY
    os.close(reading)
    with pytest.raises(AccessError, match="descriptor 987"):
        read_key("fd:987", "closed")


@pytest.mark.parametrize("source", ["", "fd:", "fd:x", "fd:-1"])
def test_settings_take_a_path_or_a_descriptor(source: str) -> None:
    with pytest.raises(ValueError, match="fd:N"):
        key_source(source)
    assert key_source("fd:3") == "fd:3"
