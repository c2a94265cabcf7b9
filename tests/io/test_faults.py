"""Whatever call fails, and whenever the power goes: what was there is there, whole, and the next run needs no help."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from interestrec.core.errors import InterestrecError
from interestrec.io import commit, files
from interestrec.workspace.artifacts import Recipe, exclusive_writer, leftovers, link, open_artifact, staged_version
from tests.faults import PowerCut, faults

NEW, OLD = Recipe("corpus", {"a.csv": "1"}, {}, 1), Recipe("corpus", {"a.csv": "0"}, {}, 1)
ERRORS = {
    "disk full": OSError(errno.ENOSPC, "No space left on device"),
    "disk fails": OSError(errno.EIO, "Input/output error"),
    "interrupted": InterruptedError(errno.EINTR, "Interrupted system call"),
    "no memory": MemoryError(),
}
STATUSES = {"disk full": {73, 74}, "disk fails": {73, 74}, "interrupted": {73, 74}}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call waits for a disk; that each is made is another test's to see."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def build(workspace: Path, recipe: Recipe, content: str) -> None:
    with exclusive_writer(workspace, recipe):
        if not recipe.version_path(workspace).exists() or content == "forced":
            with staged_version(workspace, recipe) as partial:
                (partial / "sub").mkdir()
                files.write_text(partial / "sub" / "text", content)
                files.write_json(partial / "more.json", {"x": content})
        link(workspace, recipe)


def content(workspace: Path) -> str:
    found = open_artifact(workspace / "corpus", "corpus")
    return (found.path / "sub" / "text").read_text()


def calls(tmp_path: Path, forced: bool) -> int:
    """How many calls the build makes that the tests below cut or fail."""
    workspace = begun(tmp_path / "count", forced)
    with faults(workspace) as counted:
        build(workspace, NEW, "forced" if forced else "new")
    assert counted.count > 25
    return counted.count


def begun(workspace: Path, forced: bool) -> Path:
    """A workspace whose current version is the old one; when forced, of the recipe that is built again."""
    shutil.rmtree(workspace, ignore_errors=True)
    build(workspace, NEW if forced else OLD, "old")
    return workspace


def after(workspace: Path, forced: bool) -> None:
    """What must hold whatever happened."""
    wanted = {"old", "forced"} if forced else {"old", "new"}
    assert content(workspace) in wanted
    build(workspace, NEW, "forced" if forced else "new")
    assert content(workspace) == ("forced" if forced else "new")
    assert leftovers(workspace, NEW) == []
    assert debris(workspace) == []


def debris(workspace: Path) -> list[Path]:
    return [p for p in workspace.rglob("*") if "partial" in p.name or ".link" in p.name or p.parent.name == "locks"]


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_a_crash_before_or_after_any_call(tmp_path: Path, forced: bool, late: bool) -> None:
    for at in range(1, calls(tmp_path, forced) + 1):
        workspace = begun(tmp_path / "cut", forced)
        with pytest.raises(PowerCut), faults(workspace, at, after=late):
            build(workspace, NEW, "forced" if forced else "new")
        after(workspace, forced)


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("kind", ERRORS)
def test_any_call_that_fails(tmp_path: Path, forced: bool, kind: str) -> None:
    for at in range(1, calls(tmp_path, forced) + 1):
        workspace = begun(tmp_path / "failed", forced)
        with faults(workspace, at, ERRORS[kind]):
            try:
                build(workspace, NEW, "forced" if forced else "new")
            except InterestrecError as error:
                assert error.exit_status in STATUSES[kind], error
            except MemoryError:
                assert kind == "no memory"  # a bug's status, 70, with its traceback
        after(workspace, forced)


@pytest.fixture
def cached(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "cache" / "vectors"
    write_shard(path, "old")
    yield path
    assert [p.name for p in path.parent.iterdir()] == ["vectors"]


def write_shard(path: Path, text: str) -> None:
    with commit.staged_file(path) as partial:
        files.write_text(partial, text)


@pytest.mark.parametrize("late", [False, True])
def test_a_file_that_is_replaced_is_the_old_or_the_new_one(cached: Path, late: bool) -> None:
    with faults(cached.parent) as counted:
        write_shard(cached, "old")
    for at in range(1, counted.count + 1):
        with pytest.raises(PowerCut), faults(cached.parent, at, after=late):
            write_shard(cached, "new")
        assert cached.read_text() in ("old", "new")
        write_shard(cached, "old")
