"""Parts of an artifact that several processes write: directories below the work of its recipe, each whole or absent.

A part has a listing of its files with their digests, so that a part that is there need not be made again after a kill.
"""

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from interestrec.core.errors import InputMissingError, InterestrecError, from_os_error
from interestrec.core.progress import log
from interestrec.io import commit, files
from interestrec.workspace.manifest import file_entries

_LISTING = "part.json"
_PATIENCE, _SECONDS = 60.0, 0.5


def part_digest(path: Path) -> str | None:
    """Return the digest of a part, which is that of its listing; None if it is not there. A damaged one is removed."""
    listing = path / _LISTING
    if not listing.is_file():
        shutil.rmtree(path, ignore_errors=True)  # what `take_part` has left of one
        return None
    try:
        stored = files.read_json(listing)
        found = {name: entry for name, entry in file_entries(path).items() if name != _LISTING}
    except InterestrecError as error:
        stored, found = error, None
    if stored != found:
        log.warning("%s: damaged, so it is made again", path)
        shutil.rmtree(path, ignore_errors=True)
        return None
    return files.sha256_of(listing)


def take_part(path: Path, directory: Path) -> None:
    """Move the files of a part into a directory of the same file system; the part is no more, even after a kill.

    Raises:
        StorageError: a file cannot be moved.
    """
    try:
        (path / _LISTING).unlink()
        for entry in path.iterdir():
            entry.rename(directory / entry.name)
        path.rmdir()
    except OSError as error:
        raise from_os_error(error, path) from error


def appears(path: Path, digest: str) -> bool:
    """Return whether a part that another machine has written is here; file systems of a network may take a while."""
    deadline = time.monotonic() + _PATIENCE
    while part_digest(path) != digest:
        if time.monotonic() > deadline:
            return False
        time.sleep(_SECONDS)
        list(path.parent.iterdir())  # a client of NFS asks the server then
    return True


@contextmanager
def staged_part(path: Path) -> Iterator[Path]:
    """Yield a directory for the files of a part, which is renamed to `path` if the block ends without error.

    A process that a kill of another one has left running may write the same part: the one that is there stays.

    Raises:
        InputMissingError: the directory above is gone, because the run has ended, or is not of a shared file system.
        StorageError: the files cannot be written.
    """
    unique = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
    partial = path.with_name(f"{path.name}{commit.PARTIAL}{unique}")
    try:
        partial.mkdir()
    except FileNotFoundError as error:
        reason = "the run that asked for this part has ended, or its workspace is not on a file system of this machine"
        raise InputMissingError(f"{path.parent}: no such directory; {reason}") from error
    try:
        yield partial
        files.write_json(partial / _LISTING, file_entries(partial))
        if part_digest(path) is None:
            commit.install(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
