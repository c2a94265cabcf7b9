"""A disk that fills up, at twenty levels: status 74, the version before untouched, and the next run needs no help."""

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from interestrec.core.errors import InterestrecError, StorageError
from interestrec.stages import preprocess
from interestrec.stages.run import RunContext, StageResult
from tests.stages.test_preprocess import content, load_settings, shop

pytestmark = pytest.mark.slow

__all__ = ["shop"]  # a fixture
LEVELS = 20
MIB = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 8 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def debris(workspace: Path) -> list[Path]:
    return [p for p in workspace.rglob("*") if "partial" in p.name or "scratch" in p.name or p.parent.name == "locks"]


def test_a_full_disk(shop: Path, disk: Path) -> None:
    workspace = disk / "workspace"

    def run(seed: int) -> StageResult:
        return preprocess.run(RunContext(load_settings(shop / "shop.yaml", [f"seed={seed}"], workspace)))

    first = run(1).artifact.path
    wanted, used = content(first), usage(workspace)
    needed = int(used * 1.5)
    statuses = []
    for level in range(LEVELS):
        ballast = disk / "ballast"
        free = needed * level // LEVELS
        filled(ballast, shutil.disk_usage(disk).free - free)
        try:
            run(100 + level)
            statuses.append(0)
        except InterestrecError as error:
            statuses.append(error.exit_status)
            assert (workspace / "corpus").resolve() == first
        ballast.unlink()
        assert content(first) == wanted
        assert debris(workspace) == []
        run(1)
    assert set(statuses) <= {0, 73, 74}
    assert statuses.count(74) >= LEVELS // 2, statuses


def usage(directory: Path) -> int:
    """Bytes on disk, in whole pages."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in directory.rglob("*") if path.is_file())


def filled(path: Path, size: int) -> None:
    with path.open("wb") as target:
        for _ in range(size // 4096):
            target.write(bytes(4096))


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_files_that_cannot_grow(shop: Path) -> None:
    settings = load_settings(shop / "shop.yaml")
    first = preprocess.run(RunContext(settings)).artifact.path
    wanted = content(first)
    largest = max(path.stat().st_size for path in first.rglob("*") if path.is_file())
    for level in range(1, LEVELS):
        with no_file_larger_than(largest * level // LEVELS), pytest.raises(StorageError) as raised:
            preprocess.run(RunContext(settings, force=True))
        assert raised.value.exit_status == 74
        assert content(first) == wanted
        assert debris(settings.workspace) == []


@pytest.mark.parametrize(
    "error",
    [
        duckdb.IOException(f"IO Error: Could not write file 'x': {os.strerror(28)}"),
        duckdb.OutOfMemoryException("Out of Memory Error: failed to offload data block of size 256.0 KiB"),
    ],
)
def test_a_database_that_cannot_spill(shop: Path, monkeypatch: pytest.MonkeyPatch, error: duckdb.Error) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("interestrec.stages.preprocess.build", full)
    with pytest.raises(StorageError, match=r"raise runtime\.memory"):
        preprocess.run(RunContext(load_settings(shop / "shop.yaml")))
    assert debris(shop / "workspace") == []
