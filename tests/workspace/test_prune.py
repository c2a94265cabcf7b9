"""What goes is what nothing refers to; what is at work, current, or may be gone on with stays."""

import os
from pathlib import Path

import pytest

from interestrec.core.errors import InputMissingError, LockedError
from interestrec.io.locks import try_lock
from interestrec.workspace.artifacts import Recipe, exclusive_writer, open_artifact
from interestrec.workspace.prune import RemovedPath, _remove, prune
from tests.workspace.test_artifacts import build, recipe


def made(workspace: Path, kind: str, seed: int, **inputs: str) -> Recipe:
    return build(workspace, made=recipe(kind=kind, seed=seed, inputs=inputs))


def digest(workspace: Path, kind: str) -> str:
    return open_artifact(workspace / kind, kind).digest


def versions(workspace: Path) -> set[str]:
    return {path.name for path in workspace.glob("versions/*/*")}


def test_old_versions_go_and_what_is_current_or_was_made_of_stays(tmp_path: Path) -> None:
    old = made(tmp_path, "corpus", 1)
    model = made(tmp_path, "model", 1, corpus=digest(tmp_path, "corpus"))
    replaced = made(tmp_path, "report", 1)
    corpus, report = made(tmp_path, "corpus", 2), made(tmp_path, "report", 2)
    wanted = {old.digest, model.digest, corpus.digest, report.digest}
    told = prune(tmp_path, dry_run=True)
    assert [(one.path.name, one.reason) for one in told] == [(replaced.digest, "nothing refers to it")]
    assert told[0].bytes > 0
    assert versions(tmp_path) == wanted | {replaced.digest}
    assert prune(tmp_path) == told
    assert versions(tmp_path) == wanted
    # The model is what kept the first corpus: with a newer one, both go.
    newer = made(tmp_path, "model", 2, corpus=digest(tmp_path, "corpus"))
    assert {one.path.name for one in prune(tmp_path)} == {old.digest, model.digest}
    assert versions(tmp_path) == {corpus.digest, report.digest, newer.digest}
    assert prune(tmp_path) == []


def test_shards_stay_as_long_as_what_they_were_made_of(tmp_path: Path) -> None:
    model = made(tmp_path, "model", 1)
    shards = [made(tmp_path, "shard", n, model=digest(tmp_path, "model")) for n in range(3)]
    assert prune(tmp_path) == []
    made(tmp_path, "model", 2)
    gone = {one.path.name for one in prune(tmp_path)}
    assert gone == {model.digest, "shard", *(shard.digest for shard in shards)}


def test_what_killed_processes_left_goes_but_not_what_is_gone_on_from(tmp_path: Path) -> None:
    ended, cut = made(tmp_path, "model", 1), recipe(kind="model", seed=2)
    partial = cut.partial_path(tmp_path)
    cache = tmp_path / "cache" / "hidden" / "abc"
    for directory in (ended.work_path(tmp_path), cut.work_path(tmp_path) / "step-1", partial, cache):
        directory.mkdir(parents=True)
    (tmp_path / ".model.link").symlink_to("nowhere")
    for name in ("a.npy", "b.npy", "b.parquet", "c.parquet.partial-1"):
        (cache / name).touch()
    gone = {one.path for one in prune(tmp_path)}
    orphans = {cache / "a.npy", cache / "c.parquet.partial-1"}
    assert gone == {ended.work_path(tmp_path), partial, tmp_path / ".model.link", *orphans}
    assert (cut.work_path(tmp_path) / "step-1").exists()
    assert {path.name for path in cache.iterdir()} == {"b.npy", "b.parquet"}
    os.utime(cut.work_path(tmp_path), (1, 1))
    assert {one.reason for one in prune(tmp_path)} == {"checkpoints of a run that has ended"}


def test_what_a_process_is_writing_into_a_cache_stays(tmp_path: Path) -> None:
    made(tmp_path, "corpus", 1)
    cache = tmp_path / "cache" / "vectors" / "abc"
    cache.mkdir(parents=True)
    (cache / "dead.parquet.partial-1").touch()
    living = try_lock(cache / "living.parquet.partial-2")
    assert living is not None
    assert [one.path.name for one in prune(tmp_path, dry_run=True)] == ["dead.parquet.partial-1"]
    assert len(list(cache.iterdir())) == 2
    prune(tmp_path)
    assert [path.name for path in cache.iterdir()] == ["living.parquet.partial-2"]
    os.close(living)


def test_what_was_dead_when_it_was_found_may_live_when_it_would_go(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet.partial-1"
    path.touch()
    found = RemovedPath(path, 0, "left half written")
    descriptor = try_lock(path)  # another process with the number of the dead one
    assert descriptor is not None
    _remove(found)
    assert path.exists()
    os.close(descriptor)
    _remove(found)
    assert not path.exists()


def test_retention_takes_exactly_the_expired(tmp_path: Path) -> None:
    old, young = made(tmp_path, "corpus", 1), made(tmp_path, "report", 1)
    for made_, days in ((old, 30.1), (young, 29.9)):
        manifest = made_.version_path(tmp_path) / "manifest.json"
        os.utime(manifest, (manifest.stat().st_mtime - days * 86400,) * 2)
    gone = {one.path.name for one in prune(tmp_path, retention_days=30)}
    assert gone == {old.digest, "corpus"}
    assert versions(tmp_path) == {young.digest}
    assert not (tmp_path / "corpus").is_symlink()
    assert (tmp_path / "report").resolve() == young.version_path(tmp_path)


def test_a_version_that_cannot_be_read_is_kept_where_it_is_current(tmp_path: Path) -> None:
    first, second = made(tmp_path, "corpus", 1), made(tmp_path, "corpus", 2)
    for version in (first, second):
        (version.version_path(tmp_path) / "manifest.json").write_text("of another release")
    assert [one.path.name for one in prune(tmp_path)] == [first.digest]
    assert (tmp_path / "corpus").exists()


def test_not_while_a_stage_is_at_work(tmp_path: Path) -> None:
    first = made(tmp_path, "corpus", 1)
    made(tmp_path, "corpus", 2)
    for at_work in (recipe(kind="model"), recipe(kind="shard")):
        at_work.partial_path(tmp_path).mkdir(parents=True)
        with exclusive_writer(tmp_path, at_work), pytest.raises(LockedError):
            prune(tmp_path)
    assert first.digest in versions(tmp_path)


def test_a_removal_that_is_cut_off_leaves_no_half_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = made(tmp_path, "corpus", 1)
    second = made(tmp_path, "corpus", 2)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        prune(tmp_path)
    monkeypatch.undo()
    assert not first.version_path(tmp_path).exists()
    assert [one.reason for one in prune(tmp_path)] == ["left half written"]
    assert versions(tmp_path) == {second.digest}


def test_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="no workspace here"):
        prune(tmp_path / "nowhere")
