"""Directories that a command writes at a place of the user's choice: complete or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from interestrec.core.errors import CannotCreateError, from_os_error
from interestrec.io import commit
from interestrec.io.locks import hold_lock


@contextmanager
def output_directory(to: Path, record: str, command: str, option: str, force: bool) -> Iterator[Path]:
    """Yield a directory to write to, which becomes `to` if the block succeeds and is removed otherwise.

    Args:
        to: absolute path.
        record: name of a file that every directory of this command has.
        command, option: the command, and its option that names the directory, for messages.
        force: whether to replace a directory that the command wrote earlier.

    Raises:
        CannotCreateError: the directory exists and may not be replaced.
    """
    _require_replaceable(to, record, command, option, force)
    partial = to.with_name(f".{to.name}.partial")
    with hold_lock(to.with_name(f".{to.name}.lock"), str(to)):
        try:
            shutil.rmtree(partial, ignore_errors=True)  # left by a killed process
            partial.mkdir()
            yield partial
            commit.install(partial, to)
        except OSError as error:
            raise from_os_error(error, to) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _require_replaceable(to: Path, record: str, command: str, option: str, force: bool) -> None:
    if not to.name:
        raise CannotCreateError(f"{to}: name a directory of its own for the files")
    with suppress(FileNotFoundError, NotADirectoryError):
        if not any(to.iterdir()):
            return
    if not to.exists():
        return
    if not (to / record).is_file():
        raise CannotCreateError(f"{to}: exists and was not written by {command}; choose another directory")
    if not force:
        raise CannotCreateError(f"{to}: exists; choose another directory by {option}, or replace it by --force")
