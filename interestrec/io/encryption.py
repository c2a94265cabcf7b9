"""Parquet artifacts encrypted at rest: Parquet Modular Encryption, AES-256-GCM over pages, columns and footer alike.

The key is in force within `key_in_force`, which whoever reads or writes artifacts of a workspace enters: the pipeline
around every stage, the commands that inspect a corpus, and notebooks. It holds for all threads, as stages prefetch in
several; a process works on one workspace at a time.
"""

import hmac
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from interestrec.core.errors import AccessError
from interestrec.io.keys import read_key

SETTING = "runtime.encryption_key"
_MAGIC = b"PARE"  # of a file whose footer is encrypted, at both ends
_in_force: bytes | None = None


@contextmanager
def key_in_force(source: str | None) -> Iterator[None]:
    """Within the context, Parquet artifacts are encrypted with a key and can be decrypted with it.

    Args:
        source: file of the key, or `fd:N` for an inherited descriptor; None = no encryption.

    Raises:
        AccessError: it is no key.

    Example:
        >>> with key_in_force("keys/artifacts.key"):
        ...     corpus.items
    """
    global _in_force
    before, _in_force = _in_force, read_key(source, SETTING)
    try:
        yield
    finally:
        _in_force = before


def writing() -> dict[str, Any]:
    """Arguments for a Parquet writer."""
    if _in_force is None:
        return {}
    from pyarrow.parquet.encryption import create_encryption_properties

    # The mark stands in the file as it is, twice: where one is damaged, the other still tells that the key is right.
    properties = create_encryption_properties(_derived(b"parquet"), aad_prefix=_mark(_in_force) * 2)
    return {"encryption_properties": properties}


def reading(path: Path) -> dict[str, Any]:
    """Arguments for a Parquet reader; none for a plain file, which is read whatever the key.

    Raises:
        AccessError: the file is encrypted, and there is no key or another one.
    """
    with path.open("rb") as file:
        if path.stat().st_size < 2 * len(_MAGIC):
            return {}
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if _MAGIC not in (content[:4], content[-4:]):
                return {}
            if _in_force is None:
                raise AccessError(f"{path}: is encrypted; configure {SETTING}")
            if content.rfind(_mark(_in_force)) < 0:
                raise AccessError(f"{path}: is encrypted with another key; give its own as {SETTING}")
    from pyarrow.parquet.encryption import create_decryption_properties

    return {"decryption_properties": create_decryption_properties(_derived(b"parquet"))}


def _derived(purpose: bytes) -> bytes:
    """A key of 256 bits for one purpose: HMAC-SHA256 of its name under the key of the file."""
    return hmac.digest(_in_force or b"", b"interestrec " + purpose, "sha256")


def _mark(key: bytes) -> bytes:
    """What tells the key of a file and betrays none: 16 bytes."""
    return hmac.digest(key, b"interestrec mark", "sha256")[:16]
