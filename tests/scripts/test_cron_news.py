"""The nightly job: it retries temporary failures, and makes no lists if the gate fails."""

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "scripts" / "cron_news.sh"
# Writes down what it is asked for, and ends with the next of the statuses that are left.
STAND_IN = """#!/usr/bin/env bash
echo "$*" >> asked
read -r status < statuses && sed -i 1d statuses
exit "${status:-0}"
"""


def night(directory: Path, statuses: list[int], *arguments: str, **environment: str) -> tuple[int, list[str]]:
    """Exit status, and what was asked for."""
    stand_in = directory / "interestrec"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)
    (directory / "statuses").write_text("".join(f"{status}\n" for status in statuses))
    given = {**os.environ, "INTERESTREC": str(stand_in), "RETRY_SECONDS": "0 0", **environment}
    command = ["bash", str(SCRIPT), "news.yaml", *arguments]
    outcome = subprocess.run(command, cwd=directory, env=given, capture_output=True, text=True, check=False)
    assert (outcome.stdout, outcome.stderr) == ("", "")
    return outcome.returncode, (directory / "asked").read_text().splitlines()


RUN = "run --config news.yaml --quiet"
RANK = "rank --config news.yaml --quiet --as-of now --users all"
PRUNE = "prune --config news.yaml --quiet"


@pytest.mark.parametrize(
    ("statuses", "ends", "asked"),
    [
        ([], 0, [RUN, RANK, PRUNE]),
        ([75, 75], 0, [RUN, RUN, RUN, RANK, PRUNE]),
        ([75, 75, 75], 75, [RUN, RUN, RUN]),
        ([1], 1, [RUN]),
        ([74], 74, [RUN]),
        ([0, 75, 0, 75], 75, [RUN, RANK, RANK, PRUNE]),
    ],
)
def test_a_night(tmp_path: Path, statuses: list[int], ends: int, asked: list[str]) -> None:
    assert night(tmp_path, statuses) == (ends, asked)


def test_workspace_and_retention(tmp_path: Path) -> None:
    status, asked = night(tmp_path, [], "here", RETENTION_DAYS="30")
    assert status == 0
    assert asked[0] == "run --config news.yaml --workspace here --quiet"
    assert asked[-1] == "prune --config news.yaml --workspace here --quiet --retention-days 30"


def test_without_a_configuration_it_says_what_it_takes(tmp_path: Path) -> None:
    outcome = subprocess.run(["bash", str(SCRIPT)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert outcome.returncode != 0
    assert "usage: cron_news.sh CONFIG [WORKSPACE]" in outcome.stderr
