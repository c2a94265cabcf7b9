"""Secret keys, read from files or inherited file descriptors.

They are never values of the command line, the configuration or the environment, which other accounts can read.
"""

import os
import stat
from functools import cache
from typing import Annotated

from pydantic import AfterValidator

from interestrec.core.errors import AccessError

MIN_KEY_BYTES = 32
_MAX_KEY_BYTES = 4096
_DESCRIPTOR = "fd:"


def key_source(source: str) -> str:
    """Validate a setting that names a key: a path or `fd:N`.

    Raises:
        ValueError: the text is neither.
    """
    number = source.removeprefix(_DESCRIPTOR)
    if not source or (number != source and not number.isdecimal()):
        raise ValueError("expected the path of a key file, or fd:N for an inherited descriptor")
    return source


def is_descriptor(source: str | None) -> bool:
    """Return whether a setting names an inherited descriptor, which only this process can read."""
    return source is not None and source.startswith(_DESCRIPTOR)


KeySource = Annotated[str, AfterValidator(key_source)]


def read_key(source: str | None, setting: str) -> bytes | None:
    """Read the key from a file or descriptor, without one final newline; None if no key is configured.

    No message shows `source`, because a user may have entered the key itself in place of its path.

    Args:
        setting: the configuration key that names the source, for messages.

    Raises:
        AccessError: the key cannot be read, is accessible to other accounts, or has an invalid length.
    """
    if source is None:
        return None
    number = source.removeprefix(_DESCRIPTOR)
    if number != source:
        return _read_inherited_descriptor(int(number), setting)
    try:
        with open(source, "rb") as file:  # noqa: PTH123 - the permissions of a link's target are checked
            return _read_valid_key(file.fileno(), setting)
    except (OSError, ValueError) as error:
        raise AccessError(
            f"{setting}: the key file cannot be read ({getattr(error, 'strerror', None) or 'no path'}); "
            "set the path of a file that you own, not the key itself"
        ) from None


@cache
def _read_inherited_descriptor(descriptor: int, setting: str) -> bytes:
    """Read the key once, because the stages of a process share it and a pipe can be read only once."""
    try:
        return _read_valid_key(descriptor, setting)
    except OSError as error:
        raise AccessError(
            f"{setting}: descriptor {descriptor} cannot be read ({error.strerror}); open it by {descriptor}< FILE"
        ) from None


def _read_valid_key(descriptor: int, setting: str) -> bytes:
    mode = os.fstat(descriptor).st_mode
    if stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise AccessError(
            f"{setting}: the key file has mode {stat.S_IMODE(mode):04o}, which grants access to other accounts; "
            "run chmod 600 on it, and create a new key if others may have read it"
        )
    content = b""
    while len(content) <= _MAX_KEY_BYTES and (part := os.read(descriptor, _MAX_KEY_BYTES + 1 - len(content))):
        content += part
    key = content.removesuffix(b"\n")
    if not MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
        raise AccessError(
            f"{setting}: the key has {'more than 4,096' if len(key) > _MAX_KEY_BYTES else len(key)} bytes, "
            f"not {MIN_KEY_BYTES} to {_MAX_KEY_BYTES}; create one with: openssl rand -hex 32 > FILE"
        )
    return key
