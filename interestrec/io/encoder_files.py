"""Checks of third-party encoder files: each is inside the encoder's directory and has a plausible size."""

from collections.abc import Iterable
from pathlib import Path

from interestrec.core.errors import ArtifactError

_MAX_BYTES = 100 << 20  # of any file except the weights; the largest tokenizers have a fifth of it


def require_own(directory: Path, names: Iterable[str], bounded: bool = True) -> None:
    """Refuse symlinks out of the encoder's directory, because their targets would be read and copied into artifacts.

    Links within the cache of Hugging Face, from `snapshots/<revision>` to `blobs`, are accepted.

    Args:
        bounded: whether to refuse also files that exceed the size limit for tokenizers and configurations.

    Raises:
        ArtifactError: the message names the file.
    """
    home = directory.resolve()
    blobs = home.parent.parent / "blobs" if home.parent.name == "snapshots" else home
    for name in names:
        path = directory / name
        if not path.is_file():
            continue
        if path.resolve().parent not in (home, blobs):
            raise ArtifactError(f"{path}: a link out of the encoder's directory; copy the file into the directory")
        if bounded and path.stat().st_size > _MAX_BYTES:
            raise ArtifactError(f"{path}: exceeds the {_MAX_BYTES >> 20} MiB limit; fetch the encoder again")
