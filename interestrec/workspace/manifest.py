"""Manifests of versions: kind, inputs, configuration, and every file with its size and digest."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from interestrec.core.errors import ArtifactError
from interestrec.io import artifact_files, files
from interestrec.io.schemas import OLDEST_MINOR, SCHEMA_VERSION

_MAX_BYTES = 16 << 20  # a manifest has a few KiB


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)  # not `extra="forbid"`: a newer minor version may have more keys


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
    """Return SHA-256 and size of every file that a manifest lists, by the path below its directory."""
    paths = {str(path.relative_to(directory)): path for path in _entries(directory)}
    return {
        name: {"sha256": files.sha256_of(path), "bytes": path.stat().st_size}
        for name, path in sorted(paths.items())
        if name not in (artifact_files.MANIFEST, artifact_files.TIMING)
    }


def read(directory: Path, stage: str) -> dict[str, Any]:
    """Read the manifest of a version.

    Args:
        stage: stage that writes such versions, for messages.

    Raises:
        ArtifactError: the manifest is missing or malformed, or this release cannot read its schema version.
    """
    path = directory / artifact_files.MANIFEST
    if path.is_symlink() or not path.is_file():
        raise ArtifactError(
            f"{directory}: not an artifact of interestrec ({artifact_files.MANIFEST} is missing); "
            f"give the directory of one, or run `interestrec {stage} --force`"
        )
    if path.stat().st_size > _MAX_BYTES:
        raise ArtifactError(
            f"{path}: exceeds the {_MAX_BYTES >> 20} MiB limit for manifests; run `interestrec {stage} --force`"
        )
    content = files.read_json(path)
    try:
        _Manifest.model_validate(content)
    except (ValidationError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "too deep"}
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ArtifactError(f"{path}: not a manifest ({reason}); run `interestrec {stage} --force`") from None
    version, oldest = content["schema_version"], OLDEST_MINOR.get(content["kind"], 0)
    (major, minor), (our_major, _) = _numbers(version), _numbers(SCHEMA_VERSION)
    if major != our_major or minor < oldest:
        readable = f"{our_major}.{oldest} and later minor versions" if oldest else f"{our_major}.x"
        raise ArtifactError(
            f"{directory}: schema version {version}, this release reads {readable} (writes {SCHEMA_VERSION}); "
            f"run `interestrec {stage}` again, or the release that wrote it"
        )
    return content


def verify(directory: Path, manifest: dict[str, Any], stage: str, contents: bool) -> None:
    """Refuse a version whose files differ from those that its manifest lists.

    Args:
        contents: whether to read every file and compare digests; else only names and sizes are compared.

    Raises:
        ArtifactError: a file is missing, changed, not listed, or not a regular file; the message names it.
    """
    missing = dict(manifest["files"])
    for path in _entries(directory):
        name = str(path.relative_to(directory))
        if path.is_symlink() or not path.is_file():
            raise ArtifactError(f"{path}: not a regular file, but an artifact has regular files only; remove it")
        if name in (artifact_files.MANIFEST, artifact_files.TIMING):
            continue
        entry = missing.pop(name, None)
        if entry is None:
            raise ArtifactError(
                f"{path}: not a file of this artifact, {artifact_files.MANIFEST} does not list it; remove it"
            )
        if path.stat().st_size != entry["bytes"] or (contents and files.sha256_of(path) != entry["sha256"]):
            raise ArtifactError(f"{path}: changed since it was written; run `interestrec {stage} --force`")
    if missing:
        raise ArtifactError(f"{directory / min(missing)}: missing; run `interestrec {stage} --force`")


def _entries(directory: Path) -> Iterator[Path]:
    """Yield everything below a directory except directories; symbolic links are not followed."""
    for root, directories, names in os.walk(directory):
        links = [name for name in directories if (Path(root) / name).is_symlink()]
        yield from (Path(root) / name for name in sorted([*names, *links]))


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)
