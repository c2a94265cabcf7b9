"""What a version says of itself: its kind, what it was made of and by, and every file of it with size and digest."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from interestrec.core.errors import ArtifactError
from interestrec.io import artifact_files, files
from interestrec.io.schemas import SCHEMA_VERSION

_LARGEST = 16 << 20  # bytes; ours have a few KiB


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)  # but not `extra="forbid"`: a newer minor version may say more


class _File(_Strict):
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]


class _Manifest(_Strict):
    kind: str
    schema_version: Annotated[str, Field(pattern=r"^[0-9]{1,9}\.[0-9]{1,9}$")]
    package_version: str
    inputs: dict[str, str]
    config: dict[str, Any]
    seed: int
    code: dict[str, str] = {}
    files: dict[str, _File]


def file_entries(directory: Path) -> dict[str, dict[str, Any]]:
    """SHA-256 and size of every file below a directory that a manifest lists, by its path there."""
    found = {str(path.relative_to(directory)): path for path in _entries(directory)}
    return {
        name: {"sha256": files.sha256_of(path), "bytes": path.stat().st_size}
        for name, path in sorted(found.items())
        if name not in (artifact_files.MANIFEST, artifact_files.TIMING)
    }


def read(directory: Path, stage: str) -> dict[str, Any]:
    """The manifest of a version that this release can read.

    Args:
        stage: that writes such versions, for the messages.

    Raises:
        ArtifactError: there is none, it is not one, or its schema's major version is another than ours.
    """
    path = directory / artifact_files.MANIFEST
    if path.is_symlink() or not path.is_file():
        raise ArtifactError(
            f"{directory}: not an artifact of interestrec ({artifact_files.MANIFEST} is missing); "
            f"give the directory of one, or run `interestrec {stage} --force`"
        )
    if path.stat().st_size > _LARGEST:
        raise ArtifactError(f"{path}: larger than any manifest; run `interestrec {stage} --force`")
    content = files.read_json(path)
    try:
        _Manifest.model_validate(content)
    except (ValidationError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "too deep"}
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ArtifactError(f"{path}: not a manifest ({reason}); run `interestrec {stage} --force`") from None
    version = content["schema_version"]
    if _major(version) != _major(SCHEMA_VERSION):
        raise ArtifactError(
            f"{directory}: schema version {version}, this release reads {_major(SCHEMA_VERSION)}.x (writes "
            f"{SCHEMA_VERSION}); run `interestrec {stage}` again, or the release that wrote it"
        )
    return content


def verify(directory: Path, manifest: dict[str, Any], stage: str, contents: bool) -> None:
    """Refuse a version whose files are not those that its manifest lists.

    Args:
        contents: whether to read every file and compare digests; else names and sizes are compared alone.

    Raises:
        ArtifactError: a file is missing, changed, not listed, or no regular file; the message names it.
    """
    lacking = dict(manifest["files"])
    for path in _entries(directory):
        name = str(path.relative_to(directory))
        if path.is_symlink() or not path.is_file():
            raise ArtifactError(f"{path}: not a regular file, as all of an artifact are; take it away")
        if name in (artifact_files.MANIFEST, artifact_files.TIMING):
            continue
        entry = lacking.pop(name, None)
        if entry is None:
            raise ArtifactError(
                f"{path}: no file of this artifact, its {artifact_files.MANIFEST} does not list it; take it away"
            )
        if path.stat().st_size != entry["bytes"] or (contents and files.sha256_of(path) != entry["sha256"]):
            raise ArtifactError(f"{path}: changed since it was written; run `interestrec {stage} --force`")
    if lacking:
        raise ArtifactError(f"{directory / min(lacking)}: missing; run `interestrec {stage} --force`")


def _entries(directory: Path) -> Iterator[Path]:
    """Everything below a directory that is no directory; symbolic links are not followed."""
    for root, directories, names in os.walk(directory):
        linked = [name for name in directories if (Path(root) / name).is_symlink()]
        yield from (Path(root) / name for name in sorted([*names, *linked]))


def _major(version: str) -> int:
    return int(version.partition(".")[0])
