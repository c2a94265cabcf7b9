"""Giving files and directories their names: flushed to disk before, in one step, and flushed after."""

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interestrec.core.errors import CannotCreateError, StorageError, from_os_error
from interestrec.io.locks import try_lock

PARTIAL = ".partial-"  # and whose it is, in names of what is being written
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of renameat2(2)


def sync(path: Path) -> None:
    """Flush a file or a directory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A sibling to write to, which takes the place of `path` when the block ends well: there whole or not at all.

    The sibling is locked while it is written, so that the next to write beside it can tell, and take away, what a
    killed process left.

    Raises:
        CannotCreateError: the directory cannot be created.
    """
    partial = path.with_name(f"{path.name}{PARTIAL}{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotCreateError(f"{path.parent}: cannot create the directory ({error.strerror})") from error
    descriptor = None
    try:
        drop_partials(path.parent)
        descriptor = try_lock(partial)
        yield partial
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    except OSError as error:
        raise from_os_error(error, path) from error
    finally:
        if descriptor is not None:
            os.close(descriptor)
        partial.unlink(missing_ok=True)


def dead_partials(directory: Path) -> Iterator[Path]:
    """Files that processes which are no more left half written in a directory; each is locked while it is at hand."""
    for partial in directory.glob(f"*{PARTIAL}*"):
        if partial.is_file() and (descriptor := try_lock(partial)) is not None:
            try:
                yield partial
            finally:
                os.close(descriptor)


def drop_partials(directory: Path) -> None:
    """Take those files away."""
    for partial in dead_partials(directory):
        partial.unlink(missing_ok=True)


def install(built: Path, final: Path) -> None:
    """Give a directory its final name, flushed to disk, in one step: whoever looks sees the old one or the new one.

    Raises:
        StorageError: the disk is full or fails, or `final` exists and the file system cannot exchange two names.
    """
    try:
        for path in sorted(built.rglob("*"), reverse=True):
            sync(path)
        sync(built)
        if final.exists():
            _exchange(built, final)
            sync(final.parent)
            shutil.rmtree(built)
        else:
            built.rename(final)
            for directory in final.parent, final.parent.parent:  # the first may be new as well
                sync(directory)
    except OSError as error:
        raise from_os_error(error, final) from error


def _exchange(one: Path, other: Path) -> None:
    """Swap two names of one file system in one step, which Python has no call for: `rename` takes no full directory."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other))
    if libc.renameat2(*names, _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        if number in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise StorageError(f"{other}: its file system cannot exchange two names; delete it and run without --force")
        raise OSError(number, os.strerror(number), str(other))
