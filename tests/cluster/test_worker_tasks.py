"""Stages in parts give what they give in one piece, by the messages that workers get, here without an engine."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from interestrec.cluster import release_versions, worker_tasks
from interestrec.cluster.task_messages import context_of, raise_error, task_head
from interestrec.config.loading import load_config
from interestrec.config.settings import Settings
from interestrec.core.errors import ConfigError, DataError, WorkerVersionError
from interestrec.stages import encode, preprocess, pretrain_adapt
from interestrec.stages.run import RankRequest, RunContext
from tests import generated
from tests.cluster.engine import WithinProcess

CONFIGS = sorted(Path(__file__).parents[2].glob("configs/*.yaml"))


@pytest.fixture(autouse=True)
def own_process_only() -> Iterator[None]:
    """Undo what a task sets of its process."""
    umask, environment = os.umask(0o022), dict(os.environ)
    os.umask(umask)
    yield
    os.umask(umask)
    os.environ.clear()
    os.environ.update(environment)


def shop(root: Path, encoder: Path, **data: object) -> RunContext:
    events = {"files": ["events*.csv"], "columns": {"user": "user", "item": "item", "time": "time", "event": "kind"}}
    items = {
        "files": ["items.csv"],
        "columns": {"item": "item", "title": ["name"], "text": ["description"], "category": "department"},
    }
    settings = {
        "workspace": str(root / "ws"),
        "data": {"format": "events", "root": str(root / "raw"), "events": events, "items": items, **data},
        "preprocess": {"intensity": {"weights": {"view": 0.3, "purchase": 1.0}}},
        "encoders": {"text": {"source": str(encoder)}},
    }
    return RunContext(Settings.model_validate(settings))


@pytest.fixture
def ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocess, "RANGE_BYTES", 9000)


def contents(directory: Path) -> dict[str, bytes]:
    paths = [path for path in directory.rglob("*") if path.is_file() and path.name != "timing.jsonl"]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def test_a_corpus_of_parsed_ranges_has_the_same_bytes(tmp_path: Path, tiny_encoder: Path, ranges: None) -> None:
    generated.write_shop(tmp_path / "raw")
    with (tmp_path / "raw" / "events.csv").open("a") as more:
        more.write("u1,sku-1,no time,view\nu2,sku-2\n")
    (tmp_path / "raw" / "events-2.csv").write_bytes((tmp_path / "raw" / "events.csv").read_bytes()[:20000])
    alone = shop(tmp_path, tiny_encoder, max_bad_rows=9)
    expected = contents(preprocess.run(alone).artifact.path)
    placed = WithinProcess()
    result = preprocess.run(replace(alone, placement=placed, force=True))
    assert contents(result.artifact.path) == expected
    assert len(placed.messages) > 5
    assert not list(tmp_path.glob("ws/work/*/*"))


def test_an_error_in_a_range_is_that_of_the_whole_file(tmp_path: Path, tiny_encoder: Path, ranges: None) -> None:
    generated.write_shop(tmp_path / "raw")
    with (tmp_path / "raw" / "events.csv").open("a") as more:
        more.write("u1\n")
    errors = []
    for placement in (None, WithinProcess()):
        with pytest.raises(DataError, match="expected 4 columns, found 1") as raised:
            preprocess.run(replace(shop(tmp_path, tiny_encoder), placement=placement))
        errors.append(str(raised.value))
    assert errors[0] == errors[1]


def test_texts_are_encoded_by_ranges_once(tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "_TEXTS_PER_PART", 25)
    generated.write_shop(tmp_path / "raw")
    context = shop(tmp_path, tiny_encoder)
    context = replace(
        context, settings=context.settings.model_copy(update={"pretrain_adapt": pretrain_settings(context)})
    )
    preprocess.run(context)
    pretrain_adapt.run(context)
    placed = WithinProcess()
    encode.run(replace(context, placement=placed), tmp_path / "placed.parquet", from_model=False)
    assert len(placed.messages) == 3  # of 60 items
    encode.run(replace(context, placement=placed), tmp_path / "again.parquet", from_model=False)
    assert len(placed.messages) == 3
    for path in (tmp_path / "ws" / "cache").rglob("*.parquet"):
        path.unlink()
    encode.run(context, tmp_path / "alone.parquet", from_model=False)
    bytes_of = {name: (tmp_path / f"{name}.parquet").read_bytes() for name in ("placed", "again", "alone")}
    assert bytes_of["placed"] == bytes_of["again"] == bytes_of["alone"]


def pretrain_settings(context: RunContext) -> object:
    return context.settings.pretrain_adapt.model_copy(update={"steps": 0})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_context_survives_its_message(path: Path) -> None:
    settings = load_config(str(path), ["runtime.cluster.local=3", "runtime.threads=7"], None)
    request = RankRequest(as_of=5, users=Path("some.txt"))
    context = RunContext(settings, rank_request=request, paths={"corpus": Path("c")}, seeds=(Path("a"), Path("b")))
    there = context_of(task_head(context))
    assert there.settings.runtime.cluster is None
    assert there.settings.runtime.threads == 1
    assert there.settings.model_copy(update={"runtime": settings.runtime}) == settings
    assert replace(there, settings=settings) == context


def test_a_worker_of_another_release_refuses(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = task_head(shop(tmp_path, tiny_encoder))
    here = {**release_versions.release_versions(), "numpy": "1.0"}
    monkeypatch.setattr(worker_tasks, "release_versions", lambda: here)
    answer = json.loads(worker_tasks.perform(worker_tasks.encoded("preprocess", head, tmp_path / "part", {})))
    with pytest.raises(WorkerVersionError, match=r"numpy 1\.0 instead of"):
        raise_error(answer)


def test_a_fault_of_a_worker_tells_no_data(tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: object) -> None:
        raise KeyError(secret)

    secret = "u17"
    monkeypatch.setattr(preprocess, "write_range", failing)
    head = task_head(shop(tmp_path, tiny_encoder))
    (tmp_path / "x.csv").write_text("a\n")
    arguments = {"path": str(tmp_path / "x.csv"), "names": "[]", "layout": "{}", "start": 0, "end": 1}
    answer = worker_tasks.perform(worker_tasks.encoded("preprocess", head, tmp_path / "part", arguments))
    assert "u17" not in answer
    with pytest.raises(RuntimeError, match="KeyError; the log of the worker"):
        raise_error(json.loads(answer))


def test_a_key_that_no_worker_can_read_is_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read a file descriptor"):
        load_config(str(CONFIGS[0]), ["runtime.encryption_key=fd:3", "runtime.cluster.local=2"], None)


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    worker_tasks.release_memory()
