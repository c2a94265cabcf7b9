"""Encryption of Parquet artifacts at rest: Parquet Modular Encryption, AES-256-GCM of pages, columns and footer.

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
_MAGIC = b"PARE"  # starts and ends a file with an encrypted footer
_key: bytes | None = None


@contextmanager
def key_in_force(source: str | None) -> Iterator[None]:
    """Within the context, Parquet artifacts are encrypted with a key and can be decrypted with it.

    Args:
        source: file of the key, or `fd:N` for an inherited descriptor; None = no encryption.

    Raises:
        AccessError: it is no key.

    Example:
        >>> with key_key("keys/artifacts.key"):
        ...     corpus.items
    """
    global _key
    before, _key = _key, read_key(source, SETTING)
    try:
        yield
    finally:
        _key = before


def is_encrypting() -> bool:
    """Whether a key is in force, so that what is written must be encrypted."""
    return _key is not None


def writer_options() -> dict[str, Any]:
    """Return the arguments for a Parquet writer."""
    if _key is None:
        return {}
    from pyarrow.parquet.encryption import create_encryption_properties

    # The file stores the key mark twice in plain text: if one copy is damaged, the other still identifies the key.
    properties = create_encryption_properties(_derive_key(b"parquet"), aad_prefix=_key_mark(_key) * 2)
    return {"encryption_properties": properties}


def reader_options(path: Path) -> dict[str, Any]:
    """Return the arguments for a Parquet reader; empty for a file without encryption.

    Raises:
        AccessError: the file is encrypted, and no key or a different key is set.
    """
    with path.open("rb") as file:
        if path.stat().st_size < 2 * len(_MAGIC):
            return {}
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if _MAGIC not in (content[:4], content[-4:]):
                return {}
            if _key is None:
                raise AccessError(f"{path}: the file is encrypted; set {SETTING}")
            if content.rfind(_key_mark(_key)) < 0:
                raise AccessError(f"{path}: the file is encrypted with another key; set {SETTING} to that key")
    from pyarrow.parquet.encryption import create_decryption_properties

    return {"decryption_properties": create_decryption_properties(_derive_key(b"parquet"))}


def _derive_key(purpose: bytes) -> bytes:
    """Derive a 256-bit key for one purpose: HMAC-SHA256 of the purpose under the configured key."""
    return hmac.digest(_key or b"", b"interestrec " + purpose, "sha256")


def _key_mark(key: bytes) -> bytes:
    """Return 16 bytes that identify a key without revealing it."""
    return hmac.digest(key, b"interestrec mark", "sha256")[:16]
