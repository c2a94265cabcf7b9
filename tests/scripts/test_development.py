"""What a contributor installs and what runs before a commit: locked, local, and the same wherever it is run."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements-dev.lock").read_text()
LOCKED = dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", LOCK, re.MULTILINE))


@pytest.mark.parametrize("line", [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]])
def test_the_lock_has_a_version_that_the_project_allows(line: str) -> None:
    requirement = Requirement(line)
    assert requirement.specifier.contains(LOCKED[canonicalize_name(requirement.name)]), "run scripts/lock.sh"


def test_the_lock_has_hashes_and_nothing_of_the_machine_it_was_made_on() -> None:
    entries = re.split(r"^(?=[a-z0-9-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(LOCKED) > 100
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|^/", LOCK, re.MULTILINE) == []


def test_hooks_are_local_and_run_what_the_tests_run() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    commands = [hook["entry"].removesuffix(" --force-exclude") for hook in config["repos"][0]["hooks"]]
    tests = (ROOT / "scripts" / "test.sh").read_text()
    assert [command in tests for command in commands] == [True] * 3


def test_variables_of_python_and_of_ours_do_not_reach_the_tests(tmp_path: Path) -> None:
    """The script in a checkout in which each program it runs only shows its environment."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "test.sh").write_text((ROOT / "scripts" / "test.sh").read_text())
    programs = ["scripts/setup.sh", *(f".venv/bin/{name}" for name in ("ruff", "mypy", "python"))]
    for program in programs:
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('#!/bin/sh\nenv\necho "RAN $0 $*"\n')
        path.chmod(0o755)
    ours = {"PYTHONPATH": "/nowhere", "PYTHONUNBUFFERED": "1", "INTERESTREC_LOG": "json", "INTERESTREC": "x"}
    environment = {**os.environ, **ours, "PYTHON": "python3.11", "PIP_INDEX_URL": "https://example.org"}
    command = ["bash", str(tmp_path / "scripts" / "test.sh"), "--fast", "tests/core"]
    outcome = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    ran = re.findall(r"^RAN (?:\S+/)?(\S+) (.*)$", outcome.stdout, re.MULTILINE)
    assert [name for name, _ in ran] == ["setup.sh", "ruff", "ruff", "mypy", "python"]
    assert ran[-1][1].endswith("-m not slow tests/core")
    assert re.findall(r"^(?:PYTHON.|INTERESTREC)\S*=", outcome.stdout, re.MULTILINE) == []
    assert (
        outcome.stdout.count("PYTHON=python3.11\n") == outcome.stdout.count("PIP_INDEX_URL=https://example.org\n") == 5
    )
