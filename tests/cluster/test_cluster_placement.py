"""Results of a cluster equal those of one process, also when workers and the scheduler are killed."""

import json
import pickletools
import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interestrec.cluster import connection
from interestrec.config.runtime_settings import ClusterSettings, RuntimeSettings
from interestrec.core.errors import DeviceError, PeerLostError, WorkerVersionError
from interestrec.scorers import requests as requests_module
from interestrec.stages import evaluate, rank
from interestrec.stages.run import RunContext
from tests.cluster.engine import CELLS, Engine
from tests.stages.ranking import log_of_events, workspace

pytest.importorskip("distributed")

from interestrec.cluster.cluster_placement import ClusterPlacement

RANK: dict[str, Any] = {
    "systems": ["interestrec", "popularity", "trending", "item_knn"],
    "components": ["item_item", "trending"],
    "estimators": ["bias"],
    "rules": {"per_category": 3},
    "deletion_users": 2,
}
SHARDS = 7  # of the users in blocks of CELLS
STAGES = {"decision": rank, "rankings": rank, "report": evaluate}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_module, "_CELLS", CELLS)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    running = Engine(tmp_path_factory.mktemp("engine"), workers=2)
    yield running
    running.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """The files of one process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests_module, "_CELLS", CELLS)
        return built(workspace(tmp_path_factory.mktemp("alone"), log_of_events(), **RANK))


def built(context: RunContext) -> dict[str, dict[str, bytes]]:
    rank.run(context)
    evaluate.run(context)
    return {kind: contents(context.settings.workspace / kind) for kind in STAGES}


def contents(directory: Path) -> dict[str, bytes]:
    """The files of an artifact, without the timings."""
    paths = [path for path in directory.rglob("*") if path.is_file() and path.name != "timing.jsonl"]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def placement(address: str) -> ClusterPlacement:
    return ClusterPlacement(RuntimeSettings(cluster=ClusterSettings(address=address)))


def on_workers(engine: Engine, root: Path) -> tuple[RunContext, ClusterPlacement]:
    placed = placement(engine.address)
    return replace(workspace(root, log_of_events(), **RANK), placement=placed), placed


def nothing_is_left(root: Path) -> bool:
    return not [path for path in (*root.glob("work/*/*"), *root.glob("versions/*/*")) if ".partial" in path.name] and (
        not list(root.glob("work/*/*"))
    )


def test_two_and_four_workers_write_the_bytes_of_one_process(
    engine: Engine, alone: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    for workers in (2, 4):
        while len(engine.workers) < workers:
            engine.start_worker()
        context, placed = on_workers(engine, tmp_path / str(workers))
        assert built(context) == alone
        placed.close()
        assert nothing_is_left(tmp_path / str(workers))


def test_nothing_but_texts_is_submitted_and_none_is_data(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pickled argument would show here as another type; the function is pickled as its name."""
    import distributed
    from distributed.protocol.pickle import dumps

    submitted: list[tuple[Any, ...]] = []
    submit = distributed.Client.submit

    def recording(self: Any, *arguments: Any, **options: Any) -> Any:
        submitted.append(arguments)
        assert options == {"pure": False}
        return submit(self, *arguments, **options)

    monkeypatch.setattr(distributed.Client, "submit", recording)
    context, placed = on_workers(engine, tmp_path)
    built(context)
    placed.close()
    tasks = [json.loads(message)[0] for _, message in submitted]
    assert tasks == ["fit_decision", *["rank"] * (SHARDS + 1), "evaluate"]
    for function, message in submitted:
        assert type(message) is str
        names = {argument for _, argument, _ in pickletools.genops(dumps(function)) if isinstance(argument, str)}
        assert names <= {"interestrec.cluster.worker_tasks", "perform", "interestrec.cluster.worker_tasks perform"}
        text = json.dumps(json.loads(message))
        assert not [name for n in range(60) for name in (f'"u{n}"', f'"i{n}"') if name in text]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_workers_are_killed_at_random_times(
    engine: Engine, alone: dict[str, dict[str, bytes]], tmp_path: Path, seed: int
) -> None:
    """Parts of lost workers are made again by others, and only these."""
    rng, done = random.Random(seed), threading.Event()

    def kill() -> None:
        for _ in range(3):
            if done.wait(rng.uniform(0.2, 3.0)):
                return
            engine.replace_worker(rng.randrange(9))

    killer = threading.Thread(target=kill)
    context, placed = on_workers(engine, tmp_path)
    killer.start()
    try:
        assert built(context) == alone
    finally:
        done.set()
        killer.join()
        placed.close()
    assert nothing_is_left(tmp_path)


@pytest.mark.slow
def test_a_lost_scheduler_ends_the_run_and_the_next_one_goes_on(
    alone: dict[str, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "engine").mkdir()
    engine = Engine(tmp_path / "engine", workers=1)
    try:
        context, placed = on_workers(engine, tmp_path / "ws")
        results = placed.results
        made: list[str] = []

        def until_killed(*arguments: Any) -> Iterator[Any]:
            for result in results(*arguments):
                made.append(Path(result["path"]).name)
                if len(made) == 4:  # the decision, and three shards
                    engine.scheduler.kill()
                yield result

        monkeypatch.setattr(placed, "results", until_killed)
        with pytest.raises(PeerLostError, match="scheduler was lost; start it and run again") as raised:
            rank.run(context)
        assert raised.value.exit_status == 75
        placed.close()
        there = {
            path.name for path in (tmp_path / "ws").glob("work/rank/*/parts/shard-*") if "partial" not in path.name
        }
        assert there >= set(made[1:])
        engine.close()
        engine = Engine(tmp_path / "engine", workers=1)
        placed = placement(engine.address)
        results, asked = placed.results, []

        def recording(task: str, of: RunContext, parts: Any) -> Iterator[Any]:
            asked.extend(part.target.name for part in parts)
            return results(task, of, parts)

        monkeypatch.setattr(placed, "results", recording)
        assert built(replace(context, placement=placed)) == alone
        placed.close()
        assert not there & set(asked) and len(asked) == SHARDS + 1 - len(there) + 1  # and the report
        assert nothing_is_left(tmp_path / "ws")
    finally:
        engine.close()


def test_other_versions_are_refused_with_both(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {**connection.release_versions(), "duckdb": "1.0.0"}
    monkeypatch.setattr(connection, "release_versions", lambda: ours)
    with pytest.raises(WorkerVersionError, match=r"the worker has duckdb \d\S+ instead of 1\.0\.0") as raised:
        placement(engine.address).workers()
    assert raised.value.exit_status == 69


def test_a_worker_that_is_lost_while_it_is_asked_is_none_of_another_release(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import distributed
    from distributed.comm import CommClosedError

    monkeypatch.setattr(distributed.Client, "run", lambda *_, **__: {"tcp://a:1": CommClosedError("gone")})
    placed = placement(engine.address)
    assert placed.workers() >= 2
    placed.close()


def test_an_address_without_a_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection._DASK, "distributed.comm.timeouts.connect", "1s")
    with pytest.raises(DeviceError, match="no scheduler answers") as raised:
        placement("tcp://127.0.0.1:9").workers()
    assert raised.value.exit_status == 69
