"""Checks of third-party encoder files: each is inside the encoder's directory and has a plausible size."""

from collections.abc import Iterable
from pathlib import Path

from interestrec.core.errors import ArtifactError, InputMissingError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
_MAX_BYTES = 100 << 20  # bytes of any file but the weights; the largest tokenizers have a fifth of it


def require_encoder(directory: Path) -> None:
    """Refuse a directory that lacks an encoder's configuration or weights, or has links in their place.

    Raises:
        InputMissingError: the directory or one of the two files is missing.
        ArtifactError: as `require_own`.
    """
    if not (directory / CONFIG).is_file() or not (directory / WEIGHTS).is_file():
        raise InputMissingError(
            f"{directory}: no encoder here; a directory with {CONFIG}, {WEIGHTS} and tokenizer files is needed "
            "(`interestrec fetch minilm-l6`)"
        )
    require_own(directory, [CONFIG])
    require_own(directory, [WEIGHTS], bounded=False)


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
