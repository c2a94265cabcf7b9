"""Replicas and workers: the weights of one device, one writer, and an end that says who is gone."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.generated import write_mind
from tests.processes import PATIENCE

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
NEWS = """
version: 1
seed: 5
workspace: {workspace}
data: {{format: mind, root: {root}, news: [news.tsv], train: [train.tsv], valid: [valid.tsv], test: [test.tsv]}}
preprocess: {{split: {{method: given}}}}
encoders: {{text: {{source: {encoder}}}}}
finetune: {{epochs: 12, patience: 12, batch_size: 16, trainable_layers: 1}}
runtime: {{checkpoint_seconds: 0}}
"""


def weights_of(*arguments: object, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.training.replica", *map(str, arguments)]
    environment = {**os.environ, **(environment or {})}
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> None:
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, error


def loopback(workers: int) -> list[dict[str, str]]:
    """TF_CONFIG of each of so many workers on this machine."""
    holders = [socket.socket() for _ in range(workers)]
    for holder in holders:
        holder.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{holder.getsockname()[1]}" for holder in holders]
    for holder in holders:
        holder.close()
    cluster = {"worker": addresses}
    return [
        {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})}
        for index in range(workers)
    ]


@pytest.fixture(scope="module")
def of_one_device(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    target = tmp_path_factory.mktemp("one") / "weights.npz"
    finished(weights_of(tiny_encoder, target, 1, "single"))
    return dict(np.load(target))


def assert_close(path: Path, expected: dict[str, np.ndarray]) -> None:
    found = np.load(path)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-6, rtol=0, err_msg=name)


@pytest.mark.parametrize("replicas", [2, 4])
def test_replicas_end_with_the_weights_of_one_device(
    replicas: int, tiny_encoder: Path, tmp_path: Path, of_one_device: dict[str, np.ndarray]
) -> None:
    finished(weights_of(tiny_encoder, tmp_path / "weights.npz", replicas, "mirrored"))
    assert_close(tmp_path / "weights.npz", of_one_device)


def test_two_workers_end_with_the_same_bits_and_the_weights_of_one_device(
    tiny_encoder: Path, tmp_path: Path, of_one_device: dict[str, np.ndarray]
) -> None:
    workers = [
        weights_of(tiny_encoder, tmp_path / f"{number}.npz", 1, "multi_worker", environment=environment)
        for number, environment in enumerate(loopback(2))
    ]
    for worker in workers:
        finished(worker)
    first, second = np.load(tmp_path / "0.npz"), np.load(tmp_path / "1.npz")
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    assert_close(tmp_path / "0.npz", of_one_device)


def start(config: Path, environment: dict[str, str], log: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "interestrec", "finetune", "--config", str(config)]
    with log.open("w") as target:
        return subprocess.Popen(
            command, cwd=config.parent, env={**os.environ, **environment, "PYTHONPATH": str(REPOSITORY)}, stderr=target
        )


def test_a_killed_worker_ends_the_other_and_a_rerun_goes_on(tiny_encoder: Path, tmp_path: Path) -> None:
    config = tmp_path / "news.yaml"
    write_mind(tmp_path / "raw")
    config.write_text(NEWS.format(workspace=tmp_path / "workspace", root=tmp_path / "raw", encoder=tiny_encoder))
    for stage in ("preprocess", "pretrain-adapt"):
        command = [sys.executable, "-m", "interestrec", stage, "--quiet", "--config", str(config)]
        subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=True)
    logs = [tmp_path / f"{number}.log" for number in range(2)]
    workers = [start(config, environment, log) for environment, log in zip(loopback(2), logs, strict=True)]
    while "epoch 3" not in logs[1].read_text():
        assert workers[1].poll() is None, logs[1].read_text()
        time.sleep(0.05)
    workers[1].kill()
    assert workers[0].wait(timeout=PATIENCE) == 75, logs[0].read_text()
    assert "another worker is gone" in logs[0].read_text()
    assert not (tmp_path / "workspace" / "model").exists()
    workers = [start(config, environment, log) for environment, log in zip(loopback(2), logs, strict=True)]
    assert [worker.wait(timeout=PATIENCE) for worker in workers] == [0, 0], logs[0].read_text()
    assert all("resuming from step" in log.read_text() for log in logs)
    versions = list((tmp_path / "workspace" / "versions" / "finetune").iterdir())
    assert len(versions) == 1
    assert not list((tmp_path / "workspace" / "work").rglob("step-*"))
