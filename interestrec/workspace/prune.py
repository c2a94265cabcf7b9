"""Removal of versions that nothing refers to, checkpoints of abandoned runs, and leftovers of killed processes."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interestrec.core.errors import ArtifactError, InputMissingError, from_os_error
from interestrec.io import artifact_files, files
from interestrec.io.commit import PARTIAL, dead_partials, drop_partials
from interestrec.io.locks import hold_lock
from interestrec.workspace.artifacts import LOCKS, STAGE_OF_KIND
from interestrec.workspace.manifest import read

_DAY = 86_400.0
_SHARD = "shard"  # all shards of a run are current, but the link leads to only one of them


@dataclass(frozen=True)
class RemovedPath:
    """A path that was removed, or would be by a run that is not dry."""

    path: Path
    bytes: int
    reason: str


@dataclass(frozen=True)
class _Version:
    path: Path
    kind: str
    digest: str  # of the manifest; inputs of other versions refer to it
    inputs: frozenset[str]
    committed: float  # seconds since 1970


def prune(workspace: Path, retention_days: float | None = None, dry_run: bool = False) -> list[RemovedPath]:
    """Remove versions that neither a link nor, as an input, a linked version refers to.

    A shard is kept as long as all its inputs are. Checkpoints of an interrupted run are kept until a later version of
    its stage exists.

    Args:
        retention_days: age above which versions (by their manifest) and checkpoints are removed even if linked.
        dry_run: whether to report the paths without removing them.

    Raises:
        InputMissingError: the workspace does not exist.
        LockedError: a stage is running in the workspace.
    """
    if not workspace.is_dir():
        raise InputMissingError(f"{workspace}: no workspace here; check --config and --workspace")
    cutoff = None if retention_days is None else time.time() - retention_days * _DAY
    with ExitStack() as stack:
        for output in _outputs(workspace):
            stack.enter_context(hold_lock(workspace / LOCKS / output, str(workspace / output)))
        removals = list(_removals(workspace, cutoff))
        if not dry_run:
            for removal in removals:
                _remove(removal)
        return removals


def _outputs(workspace: Path) -> list[str]:
    """Return every output that a process may be writing."""
    partials = {path.name.partition(PARTIAL)[2] for path in workspace.glob(f"versions/*/*{PARTIAL}*")}
    return sorted({*STAGE_OF_KIND, *partials, *(path.name for path in (workspace / LOCKS).glob("*"))})


def _removals(workspace: Path, cutoff: float | None) -> Iterator[RemovedPath]:
    paths = [path for path in sorted(workspace.glob("versions/*/*")) if path.is_dir()]
    for path in paths:
        if PARTIAL in path.name:
            yield _removal(path, "left half written")
    versions = list(_versions(path for path in paths if PARTIAL not in path.name))
    expired = {version.path for version in versions if cutoff is not None and version.committed < cutoff}
    referenced = _referenced_paths(workspace, [version for version in versions if version.path not in expired])
    for version in versions:
        if version.path in expired:
            yield _removal(version.path, "older than retention allows")
        elif version.path not in referenced:
            yield _removal(version.path, "nothing refers to it")
    for kind in STAGE_OF_KIND:
        link = workspace / kind
        if link.is_symlink() and link.resolve() not in referenced:
            yield RemovedPath(link, 0, "leads to nothing")
    yield from _work(workspace, versions, cutoff)
    for path in sorted(workspace.glob(".*.link")):
        yield RemovedPath(path, 0, "left half written")
    for directory in sorted(workspace.glob("cache/*/*")):
        orphans = [path for path in directory.glob("*.npy") if not path.with_suffix(".parquet").exists()]
        for path in sorted([*orphans, *dead_partials(directory)]):
            yield _removal(path, "left half written")


def _versions(paths: Iterator[Path]) -> Iterator[_Version]:
    """Yield the versions on disk; of a version that this release cannot read only digest and age are known."""
    for path in paths:
        manifest = path / artifact_files.MANIFEST
        content: dict[str, Any] = {"kind": "", "inputs": {}}
        with suppress(ArtifactError):
            content = read(path, path.parent.name)
        existing = manifest if manifest.is_file() else None
        yield _Version(
            path.resolve(),
            content["kind"],
            files.sha256_of(existing) if existing else "",
            frozenset(content["inputs"].values()),
            (existing or path).stat().st_mtime,
        )


def _referenced_paths(workspace: Path, versions: list[_Version]) -> set[Path]:
    """Return the paths of linked versions, of their inputs, and of shards without an unreferenced input."""
    linked = {(workspace / kind).resolve() for kind in STAGE_OF_KIND if kind != _SHARD}
    pending = [version for version in versions if version.path in linked]
    by_digest = {version.digest: version for version in versions}
    referenced: dict[str, _Version] = {}
    while pending:
        version = pending.pop()
        if version.digest not in referenced:
            referenced[version.digest] = version
            pending += [by_digest[digest] for digest in version.inputs if digest in by_digest]
    unreferenced = by_digest.keys() - referenced.keys()
    shards = [version for version in versions if version.kind == _SHARD and not version.inputs & unreferenced]
    return {version.path for version in [*referenced.values(), *shards]}


def _work(workspace: Path, versions: list[_Version], cutoff: float | None) -> Iterator[RemovedPath]:
    """Yield checkpoints of runs that have ended or were followed by a later version, and expired ones."""
    for path in sorted(workspace.glob("work/*/*")):
        stage, written = path.parent.name, path.stat().st_mtime
        stage_versions = [version for version in versions if version.path.parent.name == stage]
        if any(version.path.name == path.name or version.committed > written for version in stage_versions):
            yield _removal(path, "checkpoints of a run that has ended")
        elif cutoff is not None and written < cutoff:
            yield _removal(path, "older than retention allows")


def _removal(path: Path, reason: str) -> RemovedPath:
    files_below = [path] if path.is_file() else [entry for entry in path.rglob("*") if entry.is_file()]
    return RemovedPath(path, sum(entry.stat().st_size for entry in files_below), reason)


def _remove(removal: RemovedPath) -> None:
    """Remove a path; a version is renamed to a partial one first, so that an interruption leaves no damaged version."""
    path = removal.path
    remove: Callable[[Path], None] = shutil.rmtree if path.is_dir() and not path.is_symlink() else Path.unlink
    try:
        if path.parent.parent.name == "versions" and PARTIAL not in path.name:
            path = path.rename(path.with_name(f"{path.name}{PARTIAL}removed"))
        if PARTIAL in path.name and path.is_file():
            drop_partials(path.parent)  # it keeps files that a running process is writing
        else:
            remove(path)
    except OSError as error:
        raise from_os_error(error, path) from error
