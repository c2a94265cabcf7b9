"""init --from at a terminal and off one."""

import os
import pty
import random
import select
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.documents import one_document
from tests.inspection.raw_sets import SETS

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "interestrec", "init"]


def at_terminal(arguments: list[str], cwd: Path, typed: list[str]) -> tuple[int, str]:
    """Run `init` at a pseudo-terminal and type a line at each prompt; return the status and all that it showed."""
    main, terminal = pty.openpty()
    process = subprocess.Popen([*COMMAND, *arguments], cwd=cwd, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown, answered = b"", 0
    for _ in range(600):  # of at most 0.2 s each
        if not select.select([main], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            part = os.read(main, 4096)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        shown += part
        while shown.count(b"]: ") > answered and answered < len(typed):
            os.write(main, f"{typed[answered]}\n".encode())
            answered += 1
    status = process.wait(timeout=60)
    os.close(main)
    return status, shown.decode()


def user_of(path: Path) -> str:
    return yaml.safe_load(path.read_text())["data"]["events"]["columns"]["user"]


@pytest.mark.parametrize(
    ("typed", "user"),
    [
        (["2"], "customer_id"),
        (["customer_id"], "customer_id"),
        ([""], "visitor_id"),
        (["9", "custmer_id", "2"], "customer_id"),
    ],
)
def test_a_person_is_asked(typed: list[str], user: str, tmp_path: Path) -> None:
    SETS["shop"](tmp_path / "raw", random.Random(5))
    status, shown = at_terminal(["--from", "raw", "--to", "shop.yaml"], tmp_path, typed)
    assert status == 0
    assert "Which column of log.csv is a user?" in shown
    assert ("none of these" in shown) == (len(typed) > 1)
    assert user_of(tmp_path / "shop.yaml") == user
    assert "QUESTION" not in (tmp_path / "shop.yaml").read_text()


def test_yes_asks_nothing(tmp_path: Path) -> None:
    SETS["shop"](tmp_path / "raw", random.Random(5))
    status, shown = at_terminal(["--from", "raw", "--yes"], tmp_path, [])
    assert status == 0
    assert "Open: which column of log.csv is a user?" in shown
    assert "QUESTION" in (tmp_path / "interestrec.yaml").read_text()


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def test_off_a_terminal_the_next_commands_are_told(tmp_path: Path) -> None:
    SETS["shop"](tmp_path / "raw", random.Random(5))
    outcome = run("--from", "raw/log.csv", "raw/products.csv", "--to", "shop.yaml", cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.splitlines()[-2:] == [
        "  interestrec check --config shop.yaml",
        "  interestrec run --config shop.yaml",
    ]
    assert "products.csv (80 rows) describes the items: 100.0%" in outcome.stdout
    again = run("--from", "raw", "--to", "shop.yaml", cwd=tmp_path)
    assert again.returncode == 73
    assert "--force" in again.stderr


def test_as_json(tmp_path: Path) -> None:
    SETS["shop"](tmp_path / "raw", random.Random(5))
    document = one_document(run("--from", "raw", "--json", cwd=tmp_path).stdout)
    assert document["file"] == "interestrec.yaml"
    assert [question["about"] for question in document["questions"]] == ["user"]


@pytest.mark.parametrize("arguments", [[], ["news", "more.csv"], ["news", "--force"], ["news", "--yes"]])
def test_wrong_command_lines(arguments: list[str], tmp_path: Path) -> None:
    assert run(*arguments, cwd=tmp_path).returncode == 2
