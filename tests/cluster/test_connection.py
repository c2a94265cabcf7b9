"""Workers that the command starts on this machine, and the statuses of commands that find none."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from interestrec.cluster import connection
from interestrec.cluster.cluster_placement import ClusterPlacement
from interestrec.config.runtime_settings import RuntimeSettings
from interestrec.core.errors import ConfigError
from interestrec.io import files
from interestrec.stages import rank
from tests.cluster.engine import REPOSITORY
from tests.cluster.test_cluster_placement import RANK, contents
from tests.stages.ranking import log_of_events, workspace

pytest.importorskip("distributed")


def command(root: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "interestrec", "rank", "--config", str(root / "config.yaml"), *options],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd=root,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    context = workspace(tmp_path / "ws", log_of_events(), **RANK)
    files.write_json(tmp_path / "config.yaml", context.settings.model_dump(mode="json", exclude_unset=True))
    return tmp_path


@pytest.mark.slow
def test_started_workers_give_equal_bytes_though_one_is_killed(root: Path, tmp_path: Path) -> None:
    process = command(root, "--set", "runtime.cluster.local=2", "--set", "runtime.memory=1")
    assert process.stderr is not None
    for line in process.stderr:
        if "cluster: 2 worker(s)" in line:
            break
    # Its nanny starts another one.
    workers = [p for p in psutil.Process(process.pid).children() if "spawn_main" in " ".join(p.cmdline())]
    workers[0].kill()
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    alone = workspace(tmp_path / "alone", log_of_events(), **RANK)
    assert contents(rank.run(alone).artifact.path) == contents(root / "ws" / "rankings")


def test_the_status_of_a_command_with_two_places_or_none(root: Path) -> None:
    for options, status, sentence in (
        (["--set", "runtime.cluster={local: 2, address: 'tcp://a:1'}"], 78, "set either address or local"),
        (["--on", "host"], 78, "runtime.cluster.address"),
    ):
        process = command(root, *options)
        _, errors = process.communicate()
        assert (process.returncode, sentence in errors) == (status, True), errors


def test_without_the_extra_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'interestrec\[cluster\]'"):
        ClusterPlacement(RuntimeSettings.model_validate({"cluster": {"local": 2}}))
