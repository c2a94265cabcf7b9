"""Errors a user can act on, each with its process exit status.

A message is one sentence: what is wrong, where, and what to do. Any other exception is a bug of the package and keeps
its traceback.
"""

from collections.abc import Mapping
from typing import Any

VALUE = "{value}"  # its place in a reason
_WITHHELD = "…"


def with_value(reason: str, value: str | None) -> str:
    """The sentence that a reason and a value of the raw data make.

    Args:
        value: stands where the reason has `{value}`, else behind it. None = it is withheld.
    """
    if VALUE in reason:
        return reason.replace(VALUE, _WITHHELD if value is None else value)
    return reason + (value or "")


class InterestrecError(Exception):
    """Base of every error with a message meant for the user.

    Args:
        reason: the sentence, without anything that stands in the raw data.
        value: what stands in the raw data, as of `with_value`. It is apart from the reason because it may be an id that
            nobody may see; who shows the error decides.
    """

    exit_status = 70
    document: Mapping[str, Any] = {}  # fields that JSON output adds to the message

    def __init__(self, reason: str = "", value: str | None = None) -> None:
        super().__init__(reason, value)
        self.reason, self.value = reason, value

    def __str__(self) -> str:
        return with_value(self.reason, self.value)

    def without_value(self) -> "InterestrecError":
        """The same error, its value withheld."""
        return type(self)(self.reason)


class GateError(InterestrecError):
    """The stage succeeded, but its results miss a required bound."""

    exit_status = 1

    def __init__(self, failures: tuple[str, ...], document: Mapping[str, Any]) -> None:
        super().__init__("\n".join(failures))
        self.document = document


class UsageError(InterestrecError):
    """The command line contradicts itself."""

    exit_status = 2


class DataError(InterestrecError):
    """Input data is malformed, contradicts the configuration, or leaves nothing to work with."""

    exit_status = 65


class ArtifactError(InterestrecError):
    """An artifact is damaged, of another kind or schema, or built from another input."""

    exit_status = 65


class TooFewRowsError(DataError):
    """The rows that were read leave nothing to work with; if they are the first of a file, further ones may."""


class InputMissingError(InterestrecError):
    """A file, directory or artifact that the stage needs does not exist."""

    exit_status = 66


class DeviceError(InterestrecError):
    """The configured device is not available; a run never falls back to another device."""

    exit_status = 69


class WorkerVersionError(InterestrecError):
    """A worker of a cluster has other versions than this process, or cannot run its tasks at all."""

    exit_status = 69


class NumericError(InterestrecError):
    """A loss or a score became NaN or infinite."""

    exit_status = 70


class CannotCreateError(InterestrecError):
    """An output directory or file cannot be created."""

    exit_status = 73


class StorageError(InterestrecError):
    """Reading or writing failed: disk full, I/O error, or an incomplete download."""

    exit_status = 74


class PeerLostError(InterestrecError):
    """Another worker of a distributed run was lost; the same command resumes the run."""

    exit_status = 75


class LockedError(InterestrecError):
    """Another process holds the lock of the same output."""

    exit_status = 75


class AccessError(InterestrecError):
    """Permission denied."""

    exit_status = 77


class StepError(InterestrecError):
    """A process that the command started for one of its steps ended with an error, whose status is the command's."""

    def __init__(self, reason: str = "", exit_status: int = 70) -> None:
        super().__init__(reason)
        self.exit_status = exit_status

    def without_value(self) -> "StepError":
        """Return the error as it is: the step has withheld its value."""
        return self


class ReaderGoneError(InterestrecError):
    """The reader closed standard output, as `head` does; the command ends without a message."""

    exit_status = 141


class ConfigError(InterestrecError):
    """The configuration is invalid; the message names file, line and column where they are known."""

    exit_status = 78


class AbsentNameError(ConfigError):
    """The configuration names what no row that was read has; if they are the first of a file, further ones may."""


def from_os_error(error: OSError, path: object) -> InterestrecError:
    """Translate an `OSError` raised for `path` into the user-facing error with the matching exit status."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return InputMissingError(f"{path}: no such file or directory; check the path")
    if isinstance(error, PermissionError):
        return AccessError(f"{path}: permission denied; check the owner and mode")
    return StorageError(f"{path}: {error.strerror or error}; free space or check the disk, then run again")
