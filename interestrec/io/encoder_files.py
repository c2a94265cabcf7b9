"""Checks of third-party encoder files: each is inside the encoder's directory and has a plausible size."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from interestrec.core.choices import pick
from interestrec.core.errors import ArtifactError, ConfigError, InputMissingError
from interestrec.io import files

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
PREPARATION = "preprocessor_config.json"  # of pictures
T = TypeVar("T")

_MAX_BYTES = 100 << 20  # bytes of any file but the weights; the largest tokenizers have a fifth of it


def weights_digest(directory: Path) -> str:
    """Return the SHA-256 of the weights in an `encoder` artifact; of several encoders, that of all their digests."""
    paths = [directory / WEIGHTS, *sorted(directory.glob(f"*/{WEIGHTS}"))]
    digests = {str(path.relative_to(directory)): files.sha256_of(path) for path in paths if path.is_file()}
    return digests[WEIGHTS] if digests.keys() == {WEIGHTS} else files.sha256_of_json(digests)


# What an encoder's directory needs beside a tokenizer, by the kind of its entry under `encoders`.
REQUIRED_FILES = {"text": (CONFIG, WEIGHTS), "image": (CONFIG, WEIGHTS, PREPARATION)}


def require_files(directory: Path, names: Iterable[str]) -> None:
    """Check that an encoder's directory has some files.

    Raises:
        InputMissingError: one is missing.
    """
    for name in names:
        if not (directory / name).is_file():
            raise InputMissingError(f"{directory}: {name} is missing; fetch the encoder again (`interestrec fetch`)")


def read_encoder_config(directory: Path) -> dict[str, Any]:
    """Read `config.json` of an encoder's directory.

    Raises:
        InputMissingError, ArtifactError: as `require_encoder`, or it is not the configuration of an encoder.
    """
    require_encoder(directory)
    values = files.read_json(directory / CONFIG)
    if not isinstance(values, dict):
        raise ArtifactError(f"{directory / CONFIG}: is not the configuration of an encoder; choose another encoder")
    return values


def pick_model_type(choices: Mapping[str, T], values: Mapping[str, Any], path: Path, what: str = "model_type") -> T:
    """Return the entry of a registry for the `model_type` of a configuration.

    Args:
        path: of the configuration.
        what: `model_type` as messages call it.

    Raises:
        ArtifactError: there is none; the message names the known ones.
    """
    try:
        return pick(choices, str(values.get("model_type")), what)
    except ConfigError as error:
        raise ArtifactError(f"{path}: {error}") from error


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
