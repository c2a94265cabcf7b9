"""Immutable artifact versions: built aside by one process at a time, named whole, linked, checked when opened.

`workspace/versions/<stage>/<digest>/` holds a version; `workspace/<kind>` is a symbolic link to the
current one. The digest covers input digests, the configuration that affects the result, the seed, and in a source
checkout the code, so an equal digest means an equal artifact and nothing to do. `workspace/locks/` has a lock for
each output.
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

# artifact kind -> the stage that writes it
STAGE_OF_KIND = {
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
        return STAGE_OF_KIND[self.kind]

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
    code: Mapping[str, str] = field(init=False)  # source file -> digest; empty in an installed release
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", source_digests(self.stage.replace("-", "_")))
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
        """The stage that builds it."""
        return STAGE_OF_KIND[self.kind]

    @property
    def output(self) -> str:
        """What one process at a time may write: a kind, as all its versions share one link; or one shard of many."""
        return f"{self.kind}-{self.digest}" if self.kind == "shard" else self.kind

    def version_path(self, workspace: Path) -> Path:
        """Where the version lives once committed."""
        return workspace / "versions" / self.stage / self.digest

    def work_path(self, workspace: Path) -> Path:
        """Where checkpoints lie until the version is committed."""
        return workspace / "work" / self.stage / self.digest

    def partial_path(self, workspace: Path) -> Path:
        """Where the version is built."""
        version = self.version_path(workspace)
        return version.with_name(f"{version.name}{commit.PARTIAL}{self.output}")


def open_artifact(path: Path, kind: str) -> Artifact:
    """Open a committed artifact by its directory or link, resolved once, and check every file of it.

    Raises:
        InputMissingError: nothing is there.
        ArtifactError: no manifest, another kind, an unknown schema version, or a file missing, changed or not listed.
    """
    return _open(path, kind, contents=True)


def open_within(path: Path, kind: str) -> Artifact:
    """Open a committed artifact by its directory or link, or by the workspace whose current one it is.

    Raises:
        InputMissingError, ArtifactError: as `open_artifact`.
    """
    is_workspace = (path / kind).exists() or (path / "versions").is_dir()
    return open_artifact(path / kind if is_workspace else path, kind)


def _open(path: Path, kind: str, contents: bool) -> Artifact:
    """As `open_artifact`: an error counts only if `path` still leads to the directory that was read.

    --force, prune and other runs may put another one in its place meanwhile, once or many times.
    """
    while True:
        try:
            real = Path(os.path.realpath(path, strict=True))
            directory = os.open(real, os.O_PATH)  # while it is open, no other gets its inode number
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
    """The recipe's version when it is there and linked as current, else None. It only looks.

    Names and sizes of files are compared, not contents: those are the next stage's to check, when it opens them.

    Raises:
        ArtifactError: a file of the version is missing, of another size, or not listed.
    """
    version = recipe.version_path(workspace)
    if not version.exists() or not _is_linked(workspace, recipe.kind, version):
        return None
    return _open(version, recipe.kind, contents=False)


@contextmanager
def exclusive_writer(workspace: Path, recipe: Recipe) -> Iterator[FileLock]:
    """Be the one that writes the recipe's output, and take away what killed processes left of it.

    Raises:
        LockedError: another process is at work on it.
        CannotCreateError: the workspace cannot be created.
    """
    with hold_lock(workspace / LOCKS / recipe.output, str(workspace / recipe.kind)) as lock:
        for path in leftovers(workspace, recipe):
            shutil.rmtree(path)
        yield lock


def leftovers(workspace: Path, recipe: Recipe) -> list[Path]:
    """What no process needs once it has the lock: versions half built, and checkpoints of the recipe's version when
    that is there."""
    found = list(recipe.version_path(workspace).parent.glob(f"*{commit.PARTIAL}{recipe.output}"))
    work = recipe.work_path(workspace)
    return [*found, work] if work.exists() and recipe.version_path(workspace).exists() else found


@contextmanager
def staged_version(workspace: Path, recipe: Recipe) -> Iterator[Path]:
    """A directory to write the version's files into; committed and linked when the block ends well.

    When the block raises, the directory is removed and whatever was linked before stays as it was. To be called within
    `writing`.

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
    except OSError as error:  # which no writer of `files` has met
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
    """Point `workspace/<kind>` at the recipe's version in one rename; relative, so that a workspace can be moved.

    Raises:
        CannotCreateError: something else has the link's name.
    """
    version, link = recipe.version_path(workspace), workspace / recipe.kind
    if _is_linked(workspace, recipe.kind, version):
        return
    if link.exists() and not link.is_symlink():
        raise CannotCreateError(f"{link}: is in the way of the {recipe.kind} link; move it elsewhere")
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
    return link.is_symlink() and os.readlink(link) == os.path.relpath(version, workspace)  # noqa: PTH115 - a text
