"""Names are given in one step, to what is on disk; what dead processes left half written goes, that of others stays."""

import errno
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from interestrec.core.errors import CannotCreateError, StorageError
from interestrec.io import commit
from interestrec.io.locks import try_lock


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is flushed and renamed, in order, by the last part of its name."""
    told: list[tuple[str, str]] = []
    fsync, rename, replace, exchange = os.fsync, Path.rename, Path.replace, commit._exchange

    def flushed(descriptor: int) -> None:
        told.append(("flush", Path(f"/proc/self/fd/{descriptor}").readlink().name.partition(".partial")[0]))
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        told.append(("name", target.name))
        return rename(path, target)

    def replaced(path: Path, target: Path) -> Path:
        told.append(("name", target.name))
        return replace(path, target)

    def exchanged(one: Path, other: Path) -> None:
        told.append(("name", other.name))
        exchange(one, other)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(Path, "replace", replaced)
    monkeypatch.setattr(commit, "_exchange", exchanged)
    return told


@pytest.fixture(autouse=True)
def _no_descriptor_stays_open() -> Iterator[None]:
    gc.collect()  # closes what earlier tests of the process left behind, so that it does not do so in between
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def write(path: Path, text: str = "new") -> None:
    with commit.staged_file(path) as partial:
        partial.write_text(text)


def built(directory: Path, text: str) -> Path:
    (directory / "sub").mkdir(parents=True)
    (directory / "sub" / "file").write_text(text)
    return directory


def test_a_file_is_flushed_named_and_its_directory_flushed(tmp_path: Path, done: list[tuple[str, str]]) -> None:
    path = tmp_path / "a" / "b" / "file"
    for text in ("old", "new"):
        done.clear()
        write(path, text)
        assert done == [("flush", "file"), ("name", "file"), ("flush", "b")]
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_a_directory_is_flushed_whole_named_and_what_holds_it_flushed(
    tmp_path: Path, done: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    final = Path("versions") / "stage" / "digest"
    commit.install(built(final.with_name("one"), "old"), final)
    inside = [("flush", "file"), ("flush", "sub")]
    assert done == [*inside, ("flush", "one"), ("name", "digest"), ("flush", "stage"), ("flush", "versions")]
    done.clear()
    commit.install(built(final.with_name("two"), "new"), final)
    assert done == [*inside, ("flush", "two"), ("name", "digest"), ("flush", "stage")]
    assert (final / "sub" / "file").read_text() == "new"
    assert list(final.parent.iterdir()) == [final]


def test_what_a_dead_process_left_goes_and_what_one_is_at_work_on_stays(tmp_path: Path) -> None:
    dead, living = tmp_path / "one.partial-1", tmp_path / "two.partial-2"
    dead.write_text("half")
    (tmp_path / "directory.partial-3").mkdir()
    descriptor = try_lock(living)
    assert descriptor is not None
    write(tmp_path / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory.partial-3", "file", "two.partial-2"]
    with commit.staged_file(tmp_path / "file") as partial:
        partial.write_text("newer")
        write(tmp_path / "other")  # another writer beside it
        assert partial.exists()
    assert (tmp_path / "file").read_text() == "newer"
    os.close(descriptor)


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write(path, "old")

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(StorageError, match="file: Input/output error"):
            write(path)
        with pytest.raises(StorageError, match="final: Input/output error"):
            commit.install(built(tmp_path / "built", "new"), tmp_path / "final")
    with pytest.raises(RuntimeError), commit.staged_file(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["built", "file"]


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotCreateError, match="file: cannot create the directory"):
        write(tmp_path / "file" / "inner")


def test_names_that_are_not_there_cannot_be_exchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        commit._exchange(tmp_path / "one", tmp_path / "other")
