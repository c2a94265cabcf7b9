"""Versions: whole or not at all, linked in one step, checked when opened."""

import errno
import os
import shutil
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from interestrec.core.errors import ArtifactError, CannotCreateError, InputMissingError, LockedError, StorageError
from interestrec.workspace import artifacts
from interestrec.workspace.artifacts import (
    Recipe,
    exclusive_writer,
    leftovers,
    link,
    open_artifact,
    staged_version,
    up_to_date,
)


def recipe(**changes: object) -> Recipe:
    values: dict = {"kind": "corpus", "inputs": {"a.csv": "00"}, "config": {"x": 1}, "seed": 1}
    return Recipe(**{**values, **changes})


def build(workspace: Path, content: str = "a", made: Recipe | None = None) -> Recipe:
    made = made or recipe()
    with exclusive_writer(workspace, made), staged_version(workspace, made) as partial:
        (partial / "sub").mkdir()
        (partial / "sub" / "file").write_text(content)
        (partial / "timing.jsonl").write_text("{}")
    return made


@pytest.mark.parametrize("changes", [{"kind": "model"}, {"inputs": {"a.csv": "01"}}, {"config": {"x": 2}}, {"seed": 2}])
def test_everything_that_decides_the_content_decides_the_digest(changes: dict) -> None:
    assert recipe().digest == recipe().digest
    assert recipe(**changes).digest != recipe().digest


def test_commit_links_and_lists_every_file_but_timing(tmp_path: Path) -> None:
    made = build(tmp_path)
    assert (tmp_path / "corpus").resolve() == made.version_path(tmp_path)
    artifact = open_artifact(tmp_path / "corpus", "corpus")
    assert list(artifact.manifest["files"]) == ["sub/file"]
    assert artifact.manifest["inputs"] == {"a.csv": "00"}
    assert [p.name for p in made.version_path(tmp_path).parent.iterdir()] == [made.digest]


def test_a_failed_build_leaves_the_old_version_and_no_debris(tmp_path: Path) -> None:
    build(tmp_path)
    before = (tmp_path / "corpus").resolve()
    with pytest.raises(RuntimeError), staged_version(tmp_path, recipe(seed=2)) as partial:
        (partial / "half").write_text("x")
        raise RuntimeError
    assert (tmp_path / "corpus").resolve() == before
    assert [p for p in tmp_path.rglob("*") if "partial" in p.name] == []


def test_rebuilding_the_same_version_replaces_it_whole(tmp_path: Path) -> None:
    build(tmp_path, "a")
    made = build(tmp_path, "b")
    assert (tmp_path / "corpus" / "sub" / "file").read_text() == "b"
    assert [p.name for p in made.version_path(tmp_path).parent.iterdir()] == [made.digest]


def test_up_to_date_is_what_is_there_and_linked(tmp_path: Path) -> None:
    first = build(tmp_path)
    assert up_to_date(tmp_path, recipe(seed=3)) is None
    found = up_to_date(tmp_path, first)
    assert found is not None and found.path == first.version_path(tmp_path)
    build(tmp_path, made=recipe(seed=2))
    assert up_to_date(tmp_path, first) is None
    link(tmp_path, first)
    assert up_to_date(tmp_path, first) == found


def test_a_workspace_can_be_moved(tmp_path: Path) -> None:
    build(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    open_artifact(tmp_path / "b" / "corpus", "corpus")


def test_opening_what_is_not_there_or_something_else(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="run `interestrec preprocess` first"):
        open_artifact(tmp_path / "corpus", "corpus")
    with pytest.raises(ArtifactError, match="not an artifact"):
        open_artifact(tmp_path, "corpus")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StorageError, match="symbolic links"):
        open_artifact(tmp_path / "loop", "corpus")
    build(tmp_path)
    with pytest.raises(ArtifactError, match="expected a model, found 'corpus'"):
        open_artifact(tmp_path / "corpus", "model")


def test_the_second_process_is_refused_and_shards_are_outputs_of_their_own(tmp_path: Path) -> None:
    with exclusive_writer(tmp_path, recipe()):
        with pytest.raises(LockedError), exclusive_writer(tmp_path, recipe(seed=2)):
            pass
        with exclusive_writer(tmp_path, recipe(kind="shard")), exclusive_writer(tmp_path, recipe(kind="shard", seed=2)):
            pass


def test_what_a_killed_process_left_goes_when_the_next_begins(tmp_path: Path) -> None:
    made, other = recipe(), recipe(seed=2)
    for left in (made, other, recipe(kind="model")):
        left.partial_path(tmp_path).mkdir(parents=True)
        (left.partial_path(tmp_path) / "half").touch()
    made.work_path(tmp_path).mkdir(parents=True)
    build(tmp_path, made=made)
    assert [p.name for p in tmp_path.rglob("*partial*")] == [recipe(kind="model").partial_path(tmp_path).name]
    assert made.work_path(tmp_path).exists(), "checkpoints are what a killed run goes on from"
    assert leftovers(tmp_path, made) == [made.work_path(tmp_path)], "until the version is there"
    with exclusive_writer(tmp_path, made):
        pass
    assert leftovers(tmp_path, made) == []


def test_everything_is_flushed_before_it_gets_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []
    flushed, renamed = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        done.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        flushed(descriptor)

    def rename(path: Path, target: Path) -> Path:
        done.append(("rename", path.name))
        return renamed(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    made = build(tmp_path)
    partial = made.partial_path(tmp_path).name
    named = done.index(("rename", partial))
    before = {name for _, name in done[:named]}
    assert before == {"file", "sub", "manifest.json", "timing.jsonl", partial}
    assert [name for _, name in done[named + 1 :]] == [
        "preprocess",
        "versions",
        tmp_path.name,
    ]  # the last is the link's


def test_a_version_that_goes_while_it_is_opened_is_missing_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build(tmp_path)

    def gone(*_: object) -> None:
        shutil.rmtree(made.version_path(tmp_path))
        raise ArtifactError("a file is missing")

    monkeypatch.setattr("interestrec.workspace.artifacts.verify", gone)
    with pytest.raises(InputMissingError, match="no corpus here"):
        open_artifact(tmp_path / "corpus", "corpus")


def test_a_file_system_that_cannot_exchange_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = build(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("ctypes.get_errno", lambda: errno.EINVAL)
        patch.setattr("interestrec.io.commit._RENAME_EXCHANGE", 1 << 20)  # no flag of any kernel
        with pytest.raises(StorageError, match="delete the directory and run without --force"):
            build(tmp_path, "b", made)
    assert (tmp_path / "corpus" / "sub" / "file").read_text() == "a"


@pytest.mark.slow
def test_readers_see_the_old_version_or_the_new_one(tmp_path: Path) -> None:
    one, other = build(tmp_path, "a" * 9), build(tmp_path, "b" * 9, recipe(seed=2))
    seen, wrong, stop = set(), [], threading.Event()

    def look() -> None:
        while not stop.is_set():
            try:
                manifest = open_artifact(tmp_path / "corpus", "corpus").manifest  # whose files it has compared
                seen.add((manifest["seed"], manifest["files"]["sub/file"]["sha256"]))
            except Exception as error:
                wrong.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(500):  # --force: each takes the place of a version of its name
        build(tmp_path, "a" * 9, one)
        build(tmp_path, "b" * 9, other)
    stop.set()
    reader.join()
    assert wrong == []
    assert seen == {(1, sha256(b"a" * 9).hexdigest()), (2, sha256(b"b" * 9).hexdigest())}


Move = Callable[[Path], object]


def replaced_twice(workspace: Path) -> None:
    """Two builds of one name: the second directory may get the inode number that the first one's removal set free."""
    build(workspace, "b")
    build(workspace, "c")


def linked_elsewhere_and_replaced(workspace: Path) -> None:
    """The link moves to another version and back to its name, under which another directory lies by now."""
    build(workspace, made=recipe(seed=2))
    build(workspace, "d")


@pytest.mark.parametrize("move", [replaced_twice, linked_elsewhere_and_replaced])
@pytest.mark.parametrize("times", [1, 2, 7])
@pytest.mark.parametrize("at", ["read", "verify"])
def test_a_reader_begins_again_for_as_long_as_the_link_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, move: Move, times: int, at: str
) -> None:
    build(tmp_path)
    step, begun = getattr(artifacts, at), []

    def overtaken(*arguments: Any) -> Any:
        begun.append(arguments)
        if len(begun) <= times:
            move(tmp_path)
            raise FileNotFoundError if at == "read" else ArtifactError("a file is missing")
        return step(*arguments)

    monkeypatch.setattr(artifacts, at, overtaken)
    found = open_artifact(tmp_path / "corpus", "corpus")
    assert found.path == recipe().version_path(tmp_path)
    assert len(begun) == times + 1


def test_a_version_that_is_removed_just_before_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = build(tmp_path), build(tmp_path, made=recipe(seed=2))
    link(tmp_path, first)
    opened = os.open

    def late(name: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags == os.O_PATH and first.version_path(tmp_path).exists():
            link(tmp_path, second)
            shutil.rmtree(first.version_path(tmp_path))  # as prune does
        return opened(name, flags, *rest, **named)

    monkeypatch.setattr(os, "open", late)
    assert open_artifact(tmp_path / "corpus", "corpus").path == second.version_path(tmp_path)


def test_an_error_of_the_disk_is_reported_where_nothing_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path)

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(artifacts, "verify", failing)
    with pytest.raises(StorageError, match="corpus: Input/output error"):
        open_artifact(tmp_path / "corpus", "corpus")


def test_an_artifact_of_another_corpus_is_refused(tmp_path: Path) -> None:
    build(tmp_path)
    corpus = open_artifact(tmp_path / "corpus", "corpus")
    build(tmp_path, made=recipe(kind="model", inputs={"corpus": corpus.digest}))
    model = open_artifact(tmp_path / "model", "model")
    model.require_input(corpus)
    build(tmp_path, made=recipe(seed=5))
    with pytest.raises(ArtifactError, match="built from another corpus"):
        model.require_input(open_artifact(tmp_path / "corpus", "corpus"))


def test_a_directory_in_the_way_of_the_link(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    with pytest.raises(CannotCreateError, match="but is not a link"):
        build(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(CannotCreateError, match="check `workspace`"):
        build(tmp_path / "file")
