"""Atomic commits: files and directories are staged, fsynced, atomically renamed, and their directory is fsynced."""

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interestrec.core.errors import CannotCreateError, StorageError, from_os_error
from interestrec.io.locks import try_lock

PARTIAL = ".partial-"  # precedes the process id in the name of a staged file
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # constants of renameat2(2)


def sync(path: Path) -> None:
    """Flush a file or a directory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """Yield a sibling path to write to; it atomically replaces `path` if the block succeeds, else it is removed.

    The staged file is locked while it is written, so that a later writer can recognise and remove the staged files of
    killed processes.

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
    """Yield the staged files in a directory whose writers are dead; each is locked until the next one is yielded."""
    for partial in directory.glob(f"*{PARTIAL}*"):
        if partial.is_file() and (descriptor := try_lock(partial)) is not None:
            try:
                yield partial
            finally:
                os.close(descriptor)


def drop_partials(directory: Path) -> None:
    """Remove the staged files in a directory whose writers are dead."""
    for partial in dead_partials(directory):
        partial.unlink(missing_ok=True)


def install(staged: Path, final: Path) -> None:
    """Fsync a staged directory and give it its final name atomically: readers see the old version or the new one.

    Raises:
        StorageError: the disk is full or fails, or `final` exists and the file system cannot exchange two names.
    """
    try:
        for path in sorted(staged.rglob("*"), reverse=True):
            sync(path)
        sync(staged)
        if final.exists():
            _exchange(staged, final)
            sync(final.parent)
            shutil.rmtree(staged)
        else:
            staged.rename(final)
            for directory in final.parent, final.parent.parent:  # the parent may be new, too
                sync(directory)
    except OSError as error:
        raise from_os_error(error, final) from error


def _exchange(one: Path, other: Path) -> None:
    """Atomically exchange two names by renameat2(2), because `os.rename` cannot replace a directory with content."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other))
    if libc.renameat2(*names, _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        if number in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise StorageError(
                f"{other}: the file system cannot exchange two names; delete the directory and run without --force"
            )
        raise OSError(number, os.strerror(number), str(other))
