"""Immutable artifact versions: staged by one process at a time, atomically renamed, linked, verified when opened.

`workspace/versions/<stage>/<digest>/` holds a version; `workspace/<kind>` is a symbolic link to the
current one. The digest covers input digests, the configuration that affects the result, the seed, and in a source
checkout the code, so an equal digest means that the artifact is up to date. `workspace/locks/` has a lock per
output.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interestrec import __version__
from interestrec.core.errors import ArtifactError, CannotCreateError, InputMissingError, InterestrecError, from_os_error
from interestrec.io import artifact_files, commit, files
from interestrec.io.locks import FileLock, hold_lock
from interestrec.io.schemas import SCHEMA_VERSION
from interestrec.workspace.manifest import file_entries, read, verify
from interestrec.workspace.source_code import source_digests

LOCKS = "locks"

# Kind of artifact -> stage that writes it.
STAGE_OF_KIND = {
    "corpus": "preprocess",
    "encoder": "pretrain-adapt",
    "model": "finetune",
    "folds": "finetune",
    "rankings": "rank",
    "decision": "rank",
    "lists": "rank",
    "shard": "rank",
    "report": "evaluate",
    "windows": "evaluate",
    "tuning": "tune",
    "replay": "replay",
}

# Kind of artifact -> the module of `stages` that writes it, where its name is not that of the stage.
_MODULE_OF_KIND = {"windows": "evaluate_windows", "decision": "fit_decision"}


@dataclass(frozen=True)
class Artifact:
    """A committed version: its kind, resolved directory, digest of the manifest, and manifest."""

    kind: str
    path: Path
    digest: str
    manifest: dict[str, Any]

    @property
    def stage(self) -> str:
        """The stage that wrote the artifact."""
        return STAGE_OF_KIND[self.kind]

    def require_input(self, other: "Artifact") -> None:
        """Refuse this artifact when it was built from another version of the kind of `other`.

        Raises:
            ArtifactError: the recorded input digest is not that of `other`.
        """
        if self.manifest["inputs"].get(other.kind) != other.digest:
            raise ArtifactError(
                f"{self.path}: this {self.kind} was built from another {other.kind} than {other.path}; "
                f"run `interestrec {self.stage}` again"
            )

    def require_release(self) -> None:
        """Refuse this artifact when another release wrote it.

        Raises:
            ArtifactError: the recorded version of the package is not this one.
        """
        written_by = self.manifest["package_version"]
        if written_by != __version__:
            raise ArtifactError(
                f"{self.path}: this {self.kind} was written by interestrec {written_by}, this is {__version__}; run "
                f"`interestrec {self.stage}`"
            )


@dataclass(frozen=True)
class Recipe:
    """Everything that determines the content of an artifact; its digest names the version."""

    kind: str
    inputs: Mapping[str, str]  # name -> SHA-256, taken before the run
    config: Mapping[str, Any]
    seed: int
    linked: bool = True  # whether the version becomes the workspace's current one; no part of the digest
    code: Mapping[str, str] = field(init=False)  # source file -> digest; empty in an installed release
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", source_digests(_MODULE_OF_KIND.get(self.kind, self.stage.replace("-", "_"))))
        content = {
            "kind": self.kind,
            "schema": SCHEMA_VERSION,
            "package": __version__,
            "inputs": dict(self.inputs),
            "config": self.config,
            "seed": self.seed,
            **({"code": self.code} if self.code else {}),
        }
        object.__setattr__(self, "digest", files.sha256_of_json(content)[:24])

    @property
    def stage(self) -> str:
        """The stage that builds the artifact."""
        return STAGE_OF_KIND[self.kind]

    @property
    def output(self) -> str:
        """Name of the lock: the kind, whose versions share one link, or a single version where none is linked."""
        return self.kind if self.linked and self.kind != "shard" else f"{self.kind}-{self.digest}"

    def version_path(self, workspace: Path) -> Path:
        """Return the directory of the committed version."""
        return workspace / "versions" / self.stage / self.digest

    def work_path(self, workspace: Path) -> Path:
        """Return the directory of checkpoints, which are kept until the version is committed."""
        return workspace / "work" / self.stage / self.digest

    def partial_path(self, workspace: Path) -> Path:
        """Return the directory that the version is staged in."""
        version = self.version_path(workspace)
        return version.with_name(f"{version.name}{commit.PARTIAL}{self.output}")


def open_artifact(path: Path, kind: str) -> Artifact:
    """Open a committed artifact by its directory or link, which is resolved once, and verify every file.

    Raises:
        InputMissingError: the path does not exist.
        ArtifactError: the manifest is missing, of another kind or of an unknown schema version, or a file is missing,
            changed or not listed.
    """
    return _open(path, kind, contents=True)


def open_within(path: Path, kind: str) -> Artifact:
    """Open a committed artifact by its directory or link, or the current one of a workspace.

    Raises:
        InputMissingError, ArtifactError: see `open_artifact`.
    """
    is_workspace = (path / kind).exists() or (path / "versions").is_dir()
    return open_artifact(path / kind if is_workspace else path, kind)


def _open(path: Path, kind: str, contents: bool) -> Artifact:
    """Open an artifact; an error counts only if `path` still leads to the directory that was read.

    Otherwise --force, prune or another run has replaced the directory meanwhile, and opening starts again.
    """
    while True:
        try:
            real = Path(os.path.realpath(path, strict=True))
            directory = os.open(real, os.O_PATH)  # while it is open, its inode number cannot be reused
        except (FileNotFoundError, NotADirectoryError):
            if path.exists():
                continue
            raise InputMissingError(f"{path}: no {kind} here; run `interestrec {STAGE_OF_KIND[kind]}` first") from None
        except OSError as error:
            raise from_os_error(error, path) from error
        try:
            return _read(path, real, kind, contents)
        except InterestrecError:
            if _leads_to(path, directory):
                raise
        except OSError as error:
            if _leads_to(path, directory):
                raise from_os_error(error, path) from error
        finally:
            os.close(directory)


def _leads_to(path: Path, directory: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(directory))
    except OSError:
        return False


def _read(path: Path, real: Path, kind: str, contents: bool) -> Artifact:
    stage = STAGE_OF_KIND[kind]
    manifest = read(real, stage)
    if manifest["kind"] != kind:
        raise ArtifactError(f"{path}: expected a {kind}, found '{manifest['kind']}'; give a {kind} directory")
    verify(real, manifest, stage, contents)
    return Artifact(kind, real, files.sha256_of(real / artifact_files.MANIFEST), manifest)


def up_to_date(workspace: Path, recipe: Recipe) -> Artifact | None:
    """Return the version of a recipe when it exists and is linked as it should be, else None; nothing is changed.

    Names and sizes of files are compared. Contents are verified by the next stage, when it opens the artifact.

    Raises:
        ArtifactError: a file of the version is missing, of another size, or not listed.
    """
    version = recipe.version_path(workspace)
    if not version.exists() or (recipe.linked and not _is_linked(workspace, recipe.kind, version)):
        return None
    return _open(version, recipe.kind, contents=False)


@contextmanager
def exclusive_writer(workspace: Path, recipe: Recipe) -> Iterator[FileLock]:
    """Hold the lock of the recipe's output and remove the leftovers of killed processes.

    Raises:
        LockedError: another process holds the lock.
        CannotCreateError: the workspace cannot be created.
    """
    with hold_lock(workspace / LOCKS / recipe.output, str(workspace / recipe.kind)) as lock:
        for path in leftovers(workspace, recipe):
            shutil.rmtree(path)
        yield lock


def leftovers(workspace: Path, recipe: Recipe) -> list[Path]:
    """Return paths that the holder of the lock may remove: partial versions, and checkpoints of a committed version."""
    partials = list(recipe.version_path(workspace).parent.glob(f"*{commit.PARTIAL}{recipe.output}"))
    work = recipe.work_path(workspace)
    return [*partials, work] if work.exists() and recipe.version_path(workspace).exists() else partials


@contextmanager
def staged_version(workspace: Path, recipe: Recipe) -> Iterator[Path]:
    """Yield a directory for the version's files; it is committed, and linked, when the block ends without error.

    When the block raises, the directory is removed and the link stays unchanged. Call it within `exclusive_writer`.

    Raises:
        CannotCreateError: the directory cannot be created.
    """
    partial = recipe.partial_path(workspace)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        reason = f"cannot create the directory ({error.strerror}); check `workspace`"
        raise CannotCreateError(f"{partial}: {reason}") from error
    try:
        yield partial
        files.write_json(partial / artifact_files.MANIFEST, _manifest(recipe, partial))
        commit.install(partial, recipe.version_path(workspace))
    except OSError as error:  # raised by code that does not write through `files`
        raise from_os_error(error, error.filename or partial) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    link(workspace, recipe)


def _manifest(recipe: Recipe, directory: Path) -> dict[str, Any]:
    return {
        "kind": recipe.kind,
        "schema_version": SCHEMA_VERSION,
        "package_version": __version__,
        "inputs": dict(recipe.inputs),
        "config": recipe.config,
        "seed": recipe.seed,
        "code": recipe.code,
        "files": file_entries(directory),
    }


def link(workspace: Path, recipe: Recipe) -> None:
    """Atomically replace the link `workspace/<kind>`; its target is relative, so that a workspace can be moved.

    The version of a recipe that is not `linked` gets no link.

    Raises:
        CannotCreateError: a file or directory has the name of the link.
    """
    version, link = recipe.version_path(workspace), workspace / recipe.kind
    if not recipe.linked or _is_linked(workspace, recipe.kind, version):
        return
    if link.exists() and not link.is_symlink():
        raise CannotCreateError(f"{link}: has the name of the {recipe.kind} link but is not a link; move it elsewhere")
    fresh = workspace / f".{recipe.output}.link"
    try:
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.path.relpath(version, workspace))
        fresh.replace(link)
        commit.sync(workspace)
    except OSError as error:
        raise from_os_error(error, link) from error


def _is_linked(workspace: Path, kind: str, version: Path) -> bool:
    link = workspace / kind
    return link.is_symlink() and os.readlink(link) == os.path.relpath(version, workspace)  # noqa: PTH115 - as a text
