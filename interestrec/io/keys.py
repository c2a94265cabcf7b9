"""Secret keys, from files or inherited descriptors: never values of the command line, the configuration or the
environment, which others can read."""

import os
import stat
from functools import cache
from typing import Annotated

from pydantic import AfterValidator

from interestrec.core.errors import AccessError

MIN_KEY_BYTES = 32
_MOST_BYTES = 4096
_DESCRIPTOR = "fd:"


def key_source(source: str) -> str:
    """A path or `fd:N`, as settings take it.

    Raises:
        ValueError: neither.
    """
    number = source.removeprefix(_DESCRIPTOR)
    if not source or (number != source and not number.isdecimal()):
        raise ValueError("expected the path of a key file, or fd:N for an inherited descriptor")
    return source


KeySource = Annotated[str, AfterValidator(key_source)]


def read_key(source: str | None, setting: str) -> bytes | None:
    """The key in a file or descriptor, without one ending newline; None where none is configured.

    What is given is shown in no message: it could be the key itself, put where its path belongs.

    Args:
        setting: the key of the configuration that names it.

    Raises:
        AccessError: it cannot be read, is open to other accounts, or is too short to be a key.
    """
    if source is None:
        return None
    number = source.removeprefix(_DESCRIPTOR)
    if number != source:
        return _inherited(int(number), setting)
    try:
        with open(source, "rb") as file:  # noqa: PTH123 - as given; a link is judged by what it leads to
            return _checked(file.fileno(), setting)
    except (OSError, ValueError) as error:
        raise AccessError(
            f"{setting}: the key file cannot be read ({getattr(error, 'strerror', None) or 'no path'}); "
            "give the path of a file that is yours, not the key itself"
        ) from None


@cache
def _inherited(descriptor: int, setting: str) -> bytes:
    """Read once: the stages of one process share it, and a pipe gives it only once."""
    try:
        return _checked(descriptor, setting)
    except OSError as error:
        raise AccessError(
            f"{setting}: descriptor {descriptor} cannot be read ({error.strerror}); open it, as in {descriptor}< FILE"
        ) from None


def _checked(descriptor: int, setting: str) -> bytes:
    mode = os.fstat(descriptor).st_mode
    if stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise AccessError(
            f"{setting}: the key file has mode {stat.S_IMODE(mode):04o}, which lets other accounts at it; "
            "run chmod 600 on it, and make a new key if others may have read it"
        )
    content = b""
    while len(content) <= _MOST_BYTES and (part := os.read(descriptor, _MOST_BYTES + 1 - len(content))):
        content += part
    key = content.removesuffix(b"\n")
    if not MIN_KEY_BYTES <= len(key) <= _MOST_BYTES:
        raise AccessError(
            f"{setting}: the key has {'more than 4,096' if len(key) > _MOST_BYTES else len(key)} bytes, "
            f"{MIN_KEY_BYTES} to {_MOST_BYTES} are wanted; make one with: openssl rand -hex 32 > FILE"
        )
    return key
