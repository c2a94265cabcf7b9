"""Raw files in object storage and on web servers: downloaded once, and local files from then on.

A name such as `s3://bucket/day.parquet` is opened by fsspec, which the extra `interestrec[remote]` installs; its
protocols take keys from where they always do, such as `~/.aws`. A copy is kept under `~/.cache/interestrec/remote`, or
`$XDG_CACHE_HOME`, as long as what the store tells about the file stays the same: checksum, version, size and time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from interestrec.core.errors import (
    AccessError,
    ConfigError,
    InputMissingError,
    InterestrecError,
    StorageError,
    from_os_error,
)
from interestrec.io.commit import staged_file
from interestrec.io.files import sha256_of_json

_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SECRET = re.compile(r"(?<=://)[^/@]*@|[?#].*")
# What stores tell about a file that changes with its content.
_MARKS = [
    *("size", "ETag", "etag", "md5Hash", "content_md5", "checksum", "VersionId", "generation", "mtime"),
    *("LastModified", "Last-Modified", "last_modified", "updated", "created"),
]


def is_remote(name: str) -> bool:
    """Whether a name of a file is a URL, such as `s3://bucket/day.parquet`."""
    return _REMOTE.match(name) is not None


def download(name: str) -> list[Path]:
    """Return local copies of the files that a URL names, downloading those that are not there or have changed.

    A pattern or a directory of object storage stands for its files; see `expand_patterns`.

    Raises:
        ConfigError: a library for the protocol is missing, or nobody knows the protocol.
        InputMissingError: there is no such file.
        AccessError, StorageError: the store refuses or does not answer.
    """
    shown = _SECRET.sub("", name)
    try:
        import fsspec

        store, place = fsspec.core.url_to_fs(name)
        return [_copy(store, file) for file in _files(store, place)]
    except InterestrecError:
        raise
    except ImportError as error:
        advice = "install it with `pip install 'interestrec[remote]'`"
        raise ConfigError(f"{shown}: {error.name or 'a library for this protocol'} is missing; {advice}") from error
    except ValueError as error:
        raise ConfigError(f"{shown}: unknown protocol; use https, s3 or gs, or download the file") from error
    except FileNotFoundError as error:
        raise InputMissingError(f"{shown}: no such file, or the server does not answer; check the address") from error
    except PermissionError as error:
        raise AccessError(f"{shown}: permission denied; check the keys of the store") from error
    except Exception as error:  # stores raise errors of their own libraries
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StorageError(f"{shown}: cannot be downloaded; try again", f" ({_SECRET.sub('', reason)})") from error


def _files(store: Any, place: str) -> list[str]:
    """Return the files of a store that a pattern, a directory or a file names.

    Web servers list nothing, so that there a name is one file.
    """
    if "http" in store.protocol:
        return [place]
    found = sorted(store.glob(place)) if re.search(r"[*?\[]", place) else [place]
    files: list[str] = []
    for path in found:
        below = sorted(store.find(path)) if store.isdir(path) else [path]
        files += [file for file in below if file == path or _is_data(file.removeprefix(path), store.info(file))]
    if not files:
        raise FileNotFoundError
    return files


def _is_data(relative: str, about: Mapping[str, Any]) -> bool:
    parts = PurePosixPath(relative.strip("/")).parts
    hidden = any(part.startswith(("_", ".")) and "=" not in part for part in parts)
    return bool(about.get("size")) and not hidden and not relative.endswith(".crc")


def _copy(store: Any, file: str) -> Path:
    """Return the local copy of a file, which is downloaded unless there is one of the same marks."""
    about = store.info(file)
    marks = {key: str(about[key]) for key in _MARKS if about.get(key) is not None}
    protocol = store.protocol if isinstance(store.protocol, str) else store.protocol[0]
    key = sha256_of_json([protocol, file, marks])[:32]
    # The path within the store stays, because the names of its directories may be columns such as `day=2026-03-01`.
    names = [part for part in PurePosixPath(_SECRET.sub("", file).partition("://")[2] or file).parts if part != "/"]
    target = remote_cache() / key / "/".join(name for name in names[1:] if name != "..")
    if not target.is_file():
        try:
            with staged_file(target) as partial:
                store.get_file(file, str(partial))
        except OSError as error:
            raise from_os_error(error, target) from error
    return target


def remote_cache() -> Path:
    """Return the directory of the local copies."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interestrec" / "remote"
