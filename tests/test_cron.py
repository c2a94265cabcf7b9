"""As cron runs it: no environment, no standard input, no terminal; and what each command then prints for machines."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import one_document
from tests.generated import write_mind

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
NEWS = """
version: 1
seed: 5
workspace: workspace
data: {{format: mind, root: raw, news: [news.tsv], train: [train.tsv], valid: [valid.tsv], test: [test.tsv]}}
preprocess: {{split: {{method: given}}}}
encoders: {{text: {{source: {encoder}}}}}
finetune: {{epochs: 1}}
rank: {{top_k: 5, trials: 1, systems: [interestrec, popularity], components: [intensity, popularity]}}
evaluate: {{bootstrap: 20, metrics: [auc, rmse]}}
"""
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING) (?P<stage>[a-z-]+): \S.*")


def cron(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`interestrec` with the environment of a cron job, standard input closed."""
    given = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(ROOT), **environment}
    shell = f'set -o pipefail; exec <&-; "{sys.executable}" -m interestrec {command}'
    return subprocess.run(["bash", "-c", shell], cwd=cwd, env=given, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> tuple[Path, str]:
    """A directory in which cron has run all five stages once, and what it said."""
    directory = tmp_path_factory.mktemp("cron")
    write_mind(directory / "raw")
    (directory / "interestrec.yaml").write_text(NEWS.format(encoder=tiny_encoder))
    outcome = cron("run", directory)
    assert outcome.returncode == 0, outcome.stderr
    assert [line.split(":")[0] for line in outcome.stdout.splitlines()[:4]] == [
        *("preprocess", "pretrain-adapt", "finetune", "rank")
    ]
    assert "\x1b" not in outcome.stdout + outcome.stderr
    assert "\r" not in outcome.stdout + outcome.stderr
    return directory, outcome.stderr


def test_every_line_of_the_log_tells_time_level_and_stage(finished: tuple[Path, str]) -> None:
    lines = finished[1].splitlines()
    matches = [LINE.fullmatch(line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches, strict=True) if not match]
    stages = [match["stage"] for match in matches if match]
    assert list(dict.fromkeys(stages)) == ["preprocess", "pretrain-adapt", "finetune", "rank", "evaluate"]
    assert not any(f"{stage}: {stage}:" in line for stage, line in zip(stages, lines, strict=True))


def test_all_that_is_written_is_its_owner_s_alone(finished: tuple[Path, str]) -> None:
    os.umask(before := os.umask(0))
    assert before != 0o077, "which would hide what is looked at here"
    found = {path.lstat().st_mode & 0o777 for path in (finished[0] / "workspace").rglob("*") if not path.is_symlink()}
    assert found == {0o600, 0o700}


def test_quiet_success_says_nothing(finished: tuple[Path, str]) -> None:
    outcome = cron("run --quiet --force --set finetune.epochs=0", finished[0])
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


@pytest.mark.parametrize("command", ["run | head -1", "rank | head -1", "evaluate | head -1", "evaluate | true"])
def test_a_reader_that_goes_away_is_no_error_of_ours(finished: tuple[Path, str], command: str) -> None:
    outcome = cron(command, finished[0], INTERESTREC_LOG="json")
    assert outcome.returncode in (0, 141)
    assert all(json.loads(line)["level"] == "INFO" for line in outcome.stderr.splitlines())


COMMANDS = ["preprocess", "pretrain-adapt", "finetune", "rank", "evaluate", "run"]
OTHERS = ["run --force --dry-run", "status", "prune --dry-run", "describe", "check"]


@pytest.mark.parametrize("command", [*COMMANDS, *OTHERS])
def test_success_is_one_document(finished: tuple[Path, str], command: str) -> None:
    outcome = cron(f"{command} --json", finished[0], INTERESTREC_LOG="json")
    assert outcome.returncode == 0, outcome.stderr
    told = one_document(outcome.stdout)
    assert (told["command"], told["status"]) == (command.split()[0], "ok")
    assert all(json.loads(line)["level"] == "INFO" for line in outcome.stderr.splitlines())
