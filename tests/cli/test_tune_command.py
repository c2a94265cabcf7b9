"""`interestrec tune` as people run it: killed and run again, twice at once, with a budget that cannot be read."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests import generated
from tests.processes import PATIENCE
from tests.stages.learning import shop_sections

pytestmark = pytest.mark.slow

SECTIONS = {
    "finetune": {"epochs": 3, "hidden": [8], "width": 8, "negatives": {"count": 2}, "patience": 9},
    "rank": {
        "systems": ["interestrec"],
        "components": ["intensity", "trending", "collaborative"],
        "estimators": [],
        "als": {"factors": 4, "iterations": 2},
        "trials": 1,
        "deletion_users": 0,
    },
    "tune": {"bracket": 3},
}


def command(config: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "interestrec", "tune", "--config", str(config), "--budget", "4trials", *options]


@pytest.fixture
def config(tmp_path: Path, tiny_encoder: Path) -> Path:
    generated.write_shop(tmp_path / "raw")
    sections = {**shop_sections(tmp_path), "encoders": {"text": {"source": str(tiny_encoder)}}, **SECTIONS}
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(sections))
    return path


def kill_at(line: str, config: Path, workspace: Path) -> None:
    """Start the command and kill it when it has logged a line."""
    arguments = command(config, "--workspace", str(workspace))
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    for told in process.stderr:
        if line in told:
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait(PATIENCE) == -signal.SIGKILL, line


def found(workspace: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    trials = pq.read_table(workspace / "tuning" / "trials.parquet").drop_columns(["seconds"]).to_pylist()
    document = json.loads((workspace / "tuning" / "tuning.json").read_text())
    return trials, {name: (one["chosen"], one["best_trial"]) for name, one in document["systems"].items()}


def test_killed_searches_and_two_at_once_end_as_one_that_was_left_alone(config: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = subprocess.run(command(config, "--workspace", str(whole), "--json"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)["summary"]
    assert Path(summary["configuration"]).read_text().startswith("# Settings that")
    assert len(summary["findings"]) == 3
    for line in ("als, trial 1", "impressions epoch 1, loss", "model, trial 2"):
        kill_at(line, config, killed)
    pair = [subprocess.Popen(command(config, "--quiet", "--workspace", str(killed))) for _ in range(2)]
    assert [process.wait(PATIENCE) for process in pair] == [0, 0]
    assert found(killed) == found(whole)


def test_what_was_found_is_a_configuration_for_run(config: Path, tmp_path: Path) -> None:
    subprocess.run(command(config, "--quiet"), check=True, stdout=subprocess.DEVNULL)
    tuned = tmp_path / "work" / "tuning" / "tuned.yaml"
    run = [sys.executable, "-m", "interestrec", "run", "--config", str(tuned), "--json"]
    outcome = subprocess.run(run, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    stages = {stage["stage"]: stage["built"] for stage in json.loads(outcome.stdout)["stages"]}
    assert stages == {"preprocess": False, "pretrain-adapt": False, "finetune": False, "rank": True, "evaluate": True}


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--budget", "soon"], 2, "expected trials per system, or the time of all, such as 60trials or 2h"),
        (["--set", "tune.space={finetune.epochz: null}"], 78, "tune.space.finetune.epochz: no such key"),
        (["--set", "tune.space={rank.als.factors: {low: 9, high: 3}}"], 78, "low must be less than high"),
    ],
)
def test_mistakes_are_refused_before_any_work(
    config: Path, tmp_path: Path, options: list[str], status: int, message: str
) -> None:
    outcome = subprocess.run([*command(config), *options], capture_output=True, text=True, env={**os.environ})
    assert outcome.returncode == status, outcome.stderr
    assert message in outcome.stderr
    assert not (tmp_path / "work").exists()
