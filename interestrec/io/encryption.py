"""Encryption of Parquet artifacts at rest: Parquet Modular Encryption, AES-256-GCM of pages, columns and footer.

The key is global to the process: the run sets it from its settings, and every Parquet reader and writer uses it.
"""

import hmac
import mmap
from pathlib import Path
from typing import Any

from interestrec.core.errors import AccessError
from interestrec.io.keys import read_key

SETTING = "runtime.encryption_key"
_MAGIC = b"PARE"  # starts and ends a file with an encrypted footer
_key: bytes | None = None


def set_key(source: str | None) -> None:
    """Set the key for reading and writing artifacts.

    Args:
        source: key file or descriptor as in `keys.read_key`; None = artifacts are written without encryption.

    Raises:
        AccessError: the key cannot be read or is not valid.
    """
    global _key
    _key = read_key(source, SETTING)


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
