"""Taking away what nothing refers to: versions, checkpoints of runs given up, and what killed processes left."""

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
_SHARD = "shard"  # many of one run are current at a time, and its link leads to one of them


@dataclass(frozen=True)
class RemovedPath:
    """One thing that was, or would be, taken away."""

    path: Path
    bytes: int
    reason: str


@dataclass(frozen=True)
class _Version:
    path: Path
    kind: str
    digest: str  # of its manifest, by which others name it
    inputs: frozenset[str]
    committed: float  # seconds since 1970


def prune(workspace: Path, retention_days: float | None = None, dry_run: bool = False) -> list[RemovedPath]:
    """Take away what no link leads to, directly or as an input of what one leads to.

    A shard is kept as long as all that it was made of. Checkpoints of a run that was cut off are kept until a
    later version of its stage exists.

    Args:
        retention_days: versions and checkpoints older than this go too, linked or not; by the time of the manifest.

    Raises:
        InputMissingError: there is no workspace.
        LockedError: a stage is at work in it.
    """
    if not workspace.is_dir():
        raise InputMissingError(f"{workspace}: no workspace here; check --config and --workspace")
    oldest = None if retention_days is None else time.time() - retention_days * _DAY
    with ExitStack() as stack:
        for output in _outputs(workspace):
            stack.enter_context(hold_lock(workspace / LOCKS / output, str(workspace / output)))
        found = list(_unneeded(workspace, oldest))
        if not dry_run:
            for removed in found:
                _remove(removed)
        return found


def _outputs(workspace: Path) -> list[str]:
    """Every output that a process may be at work on."""
    partials = {path.name.partition(PARTIAL)[2] for path in workspace.glob(f"versions/*/*{PARTIAL}*")}
    return sorted({*STAGE_OF_KIND, *partials, *(path.name for path in (workspace / LOCKS).glob("*"))})


def _unneeded(workspace: Path, oldest: float | None) -> Iterator[RemovedPath]:
    paths = [path for path in sorted(workspace.glob("versions/*/*")) if path.is_dir()]
    for path in paths:
        if PARTIAL in path.name:
            yield _removed(path, "left half written")
    versions = list(_versions(path for path in paths if PARTIAL not in path.name))
    expired = {version.path for version in versions if oldest is not None and version.committed < oldest}
    needed = _needed(workspace, [version for version in versions if version.path not in expired])
    for version in versions:
        if version.path in expired:
            yield _removed(version.path, "older than retention allows")
        elif version.path not in needed:
            yield _removed(version.path, "nothing refers to it")
    for kind in STAGE_OF_KIND:
        link = workspace / kind
        if link.is_symlink() and link.resolve() not in needed:
            yield RemovedPath(link, 0, "leads to nothing")
    yield from _work(workspace, versions, oldest)
    for path in sorted(workspace.glob(".*.link")):
        yield RemovedPath(path, 0, "left half written")
    for directory in sorted(workspace.glob("cache/*/*")):
        orphans = [path for path in directory.glob("*.npy") if not path.with_suffix(".parquet").exists()]
        for path in sorted([*orphans, *dead_partials(directory)]):
            yield _removed(path, "left half written")


def _versions(paths: Iterator[Path]) -> Iterator[_Version]:
    """Versions on disk; of one that this release cannot read nothing is known but its digest and age."""
    for path in paths:
        manifest = path / artifact_files.MANIFEST
        content: dict[str, Any] = {"kind": "", "inputs": {}}
        with suppress(ArtifactError):
            content = read(path, path.parent.name)
        known = manifest if manifest.is_file() else None
        yield _Version(
            path.resolve(),
            content["kind"],
            files.sha256_of(known) if known else "",
            frozenset(content["inputs"].values()),
            (known or path).stat().st_mtime,
        )


def _needed(workspace: Path, versions: list[_Version]) -> set[Path]:
    """Versions that links lead to, what these were made of, and shards that were made of nothing else."""
    linked = {(workspace / kind).resolve() for kind in STAGE_OF_KIND if kind != _SHARD}
    found = [version for version in versions if version.path in linked]
    by_digest = {version.digest: version for version in versions}
    needed: dict[str, _Version] = {}
    while found:
        version = found.pop()
        if version.digest not in needed:
            needed[version.digest] = version
            found += [by_digest[digest] for digest in version.inputs if digest in by_digest]
    unneeded = by_digest.keys() - needed.keys()
    shards = [version for version in versions if version.kind == _SHARD and not version.inputs & unneeded]
    return {version.path for version in [*needed.values(), *shards]}


def _work(workspace: Path, versions: list[_Version], oldest: float | None) -> Iterator[RemovedPath]:
    """Checkpoints of runs that ended, that a later version made needless, or that are too old."""
    for path in sorted(workspace.glob("work/*/*")):
        stage, written = path.parent.name, path.stat().st_mtime
        of_stage = [version for version in versions if version.path.parent.name == stage]
        if any(version.path.name == path.name or version.committed > written for version in of_stage):
            yield _removed(path, "checkpoints of a run that has ended")
        elif oldest is not None and written < oldest:
            yield _removed(path, "older than retention allows")


def _removed(path: Path, reason: str) -> RemovedPath:
    inside = [path] if path.is_file() else [entry for entry in path.rglob("*") if entry.is_file()]
    return RemovedPath(path, sum(entry.stat().st_size for entry in inside), reason)


def _remove(removed: RemovedPath) -> None:
    """A version gets the name of a half written one first: a removal that is cut off never leaves half of one."""
    path = removed.path
    take: Callable[[Path], None] = shutil.rmtree if path.is_dir() and not path.is_symlink() else Path.unlink
    try:
        if path.parent.parent.name == "versions" and PARTIAL not in path.name:
            path = path.rename(path.with_name(f"{path.name}{PARTIAL}removed"))
        if PARTIAL in path.name and path.is_file():
            drop_partials(path.parent)  # which leaves alone what a process has begun on since
        else:
            take(path)
    except OSError as error:
        raise from_os_error(error, path) from error
