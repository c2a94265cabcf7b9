"""Immutable artifact versions: built aside, renamed whole, linked by name, checked when opened.

`workspace/versions/<stage>/<digest>/` holds a version; `workspace/<kind>` is a symbolic link to the
current one. The digest covers input digests, the configuration that affects the result, and the seed,
so an equal digest means an equal artifact and nothing to do.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interestrec import __version__
from interestrec.core import files
from interestrec.core.errors import ArtifactError, CannotCreateError, InputMissingError, from_os_error
from interestrec.core.schemas import SCHEMA_VERSION

MANIFEST = "manifest.json"
TIMING = "timing.jsonl"

# artifact kind -> the stage that writes it
WRITTEN_BY = {
    "corpus": "preprocess",
    "encoder": "pretrain-adapt",
    "model": "finetune",
    "folds": "finetune",
    "rankings": "rank",
    "lists": "rank",
    "shard": "rank",
    "report": "evaluate",
}


@dataclass(frozen=True)
class Artifact:
    """A committed version: its kind, resolved directory, the digest of its manifest, and the manifest."""

    kind: str
    path: Path
    digest: str
    manifest: dict[str, Any]

    @property
    def stage(self) -> str:
        """The stage that wrote it."""
        return WRITTEN_BY[self.kind]

    def require_input(self, other: "Artifact") -> None:
        """Refuse to go on when this artifact was built from another version of `other`'s kind.

        Raises:
            ArtifactError: the recorded input digest is not that of `other`.
        """
        if self.manifest["inputs"].get(other.kind) != other.digest:
            raise ArtifactError(
                f"{self.path}: this {self.kind} was built from another {other.kind} than {other.path}; "
                f"run `interestrec {self.stage}` again"
            )


@dataclass(frozen=True)
class Recipe:
    """Everything that decides an artifact's content; its digest names the version."""

    kind: str
    inputs: Mapping[str, str]  # name -> SHA-256, taken before the run
    config: Mapping[str, Any]
    seed: int
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        content = {
            "kind": self.kind,
            "schema": SCHEMA_VERSION,
            "package": __version__,
            "inputs": dict(self.inputs),
            "config": self.config,
            "seed": self.seed,
        }
        object.__setattr__(self, "digest", files.sha256_of_json(content)[:24])

    @property
    def stage(self) -> str:
        """The stage that builds it."""
        return WRITTEN_BY[self.kind]

    def version_path(self, workspace: Path) -> Path:
        """Where the version lives once committed."""
        return workspace / "versions" / self.stage / self.digest


def open_artifact(path: Path, kind: str) -> Artifact:
    """Open a committed artifact by its directory or link, resolved once.

    Raises:
        InputMissingError: nothing is there.
        ArtifactError: no manifest, another kind, an unknown schema version, or files missing or resized.
    """
    if not path.exists():
        raise InputMissingError(f"{path}: no {kind} here; run `interestrec {WRITTEN_BY[kind]}` first")
    real = path.resolve()
    manifest_path = real / MANIFEST
    if not manifest_path.is_file():
        raise ArtifactError(f"{path}: not an artifact of interestrec ({MANIFEST} is missing); give a {kind} directory")
    manifest = files.read_json(manifest_path)
    if not isinstance(manifest, dict) or manifest.get("kind") != kind:
        found = manifest.get("kind") if isinstance(manifest, dict) else None
        raise ArtifactError(f"{path}: expected a {kind}, found '{found}'; give a {kind} directory")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise ArtifactError(
            f"{path}: schema version {manifest.get('schema_version')}, this release reads {SCHEMA_VERSION}; "
            f"run `interestrec {WRITTEN_BY[kind]}` again"
        )
    for name, entry in manifest["files"].items():
        file = real / name
        if not file.is_file() or file.stat().st_size != entry["bytes"]:
            raise ArtifactError(
                f"{file}: missing or changed since it was written; run `interestrec {WRITTEN_BY[kind]} --force`"
            )
    return Artifact(kind, real, files.sha256_of(manifest_path), manifest)


def open_within(path: Path, kind: str) -> Artifact:
    """Open a committed artifact by its directory or link, or by the workspace whose current one it is.

    Raises:
        InputMissingError, ArtifactError: as `open_artifact`.
    """
    return open_artifact(path / kind if (path / kind).exists() else path, kind)


def up_to_date(workspace: Path, recipe: Recipe) -> Artifact | None:
    """The recipe's version when it already exists, linked as current; else None."""
    version = recipe.version_path(workspace)
    if not (version / MANIFEST).is_file():
        return None
    artifact = open_artifact(version, recipe.kind)
    _link(workspace, recipe.kind, version)
    return artifact


@contextmanager
def building(workspace: Path, recipe: Recipe) -> Iterator[Path]:
    """A directory to write the version's files into; committed and linked when the block ends well.

    When the block raises, the directory is removed and whatever was linked before stays as it was.

    Raises:
        CannotCreateError: the workspace cannot be created.
    """
    version = recipe.version_path(workspace)
    partial = version.with_name(f"{version.name}.partial-{os.getpid()}")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    except OSError as error:
        reason = f"cannot create the directory ({error.strerror}); check `workspace`"
        raise CannotCreateError(f"{partial}: {reason}") from error
    try:
        yield partial
        _commit(workspace, recipe, partial, version)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _commit(workspace: Path, recipe: Recipe, partial: Path, version: Path) -> None:
    names = sorted(str(p.relative_to(partial)) for p in partial.rglob("*") if p.is_file() and p.name != TIMING)
    manifest = {
        "kind": recipe.kind,
        "schema_version": SCHEMA_VERSION,
        "package_version": __version__,
        "inputs": dict(recipe.inputs),
        "config": recipe.config,
        "seed": recipe.seed,
        "files": {
            name: {"sha256": files.sha256_of(partial / name), "bytes": (partial / name).stat().st_size}
            for name in names
        },
    }
    files.write_json(partial / MANIFEST, manifest)
    try:
        for directory in [partial, *(p for p in partial.rglob("*") if p.is_dir())]:
            files.sync(directory)
        if version.exists():  # --force: rename cannot replace a non-empty directory
            replaced = version.with_name(f"{version.name}.replaced-{os.getpid()}")
            version.rename(replaced)
            partial.rename(version)
            shutil.rmtree(replaced)
        else:
            partial.rename(version)
        files.sync(version.parent)
    except OSError as error:
        raise from_os_error(error, version) from error
    _link(workspace, recipe.kind, version)


def _link(workspace: Path, kind: str, version: Path) -> None:
    """Point `workspace/<kind>` at `version` in one rename; relative, so that a workspace can be moved."""
    link = workspace / kind
    target = os.path.relpath(version, workspace)
    if link.is_symlink() and os.readlink(link) == target:  # noqa: PTH115 - the text is compared, not a path
        return
    if link.exists() and not link.is_symlink():
        raise CannotCreateError(f"{link}: is in the way of the {kind} link; move it elsewhere")
    fresh = workspace / f".{kind}.{os.getpid()}"
    try:
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        fresh.replace(link)
        files.sync(workspace)
    except OSError as error:
        raise from_os_error(error, link) from error
