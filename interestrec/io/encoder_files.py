"""The files of an encoder that somebody else made: in its own directory, and of a size that can be."""

from collections.abc import Iterable
from pathlib import Path

from interestrec.core.errors import ArtifactError

_LARGEST = 100 << 20  # bytes of any file but the weights; the largest tokenizers have a fifth of it


def require_own(directory: Path, names: Iterable[str], bounded: bool = True) -> None:
    """Refuse files that are links out of the directory: what they lead to would be read, and copied into artifacts.

    Links of the cache of Hugging Face, from `snapshots/<revision>` to the `blobs` beside it, are its way to keep files.

    Args:
        bounded: whether to refuse files larger than a tokenizer's or a configuration's, too.

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
            raise ArtifactError(f"{path}: a link out of the encoder's directory; copy the file into it")
        if bounded and path.stat().st_size > _LARGEST:
            raise ArtifactError(f"{path}: larger than {_LARGEST >> 20} MiB, as none of an encoder is; fetch it again")
