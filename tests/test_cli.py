"""The command line: exit statuses, JSON, start-up, templates."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """
version: 1
workspace: workspace
data:
  format: events
  relevant_at: 0.5
  events: {files: [clicks.csv], columns: {user: user, item: item, time: time}}
  items: {files: [items.csv], columns: {item: item, title: [title]}}
encoders: {text: {source: encoder}}
"""


def interestrec(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "interestrec", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_help_names_every_command(tmp_path: Path) -> None:
    text = interestrec("--help", cwd=tmp_path).stdout
    for name in "preprocess pretrain-adapt finetune rank evaluate run init fetch config".split():
        assert f"  {name} " in text
    for name in "preprocess pretrain-adapt finetune rank evaluate run init fetch".split():
        assert "Example" in interestrec(name, "--help", cwd=tmp_path).stdout


def test_version(tmp_path: Path) -> None:
    from interestrec import __version__

    assert interestrec("--version", cwd=tmp_path).stdout == f"interestrec {__version__}\n"


def test_no_configuration_says_how_to_get_one(tmp_path: Path) -> None:
    outcome = interestrec("run", cwd=tmp_path)
    assert outcome.returncode == 66
    assert "interestrec init news" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_configuration_error_has_its_status_and_position(tmp_path: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG + "finetune:\n  epoch: 3\n")
    outcome = interestrec("finetune", "--json", cwd=tmp_path)
    assert outcome.returncode == 78
    assert "interestrec.yaml:11:3: unknown key 'finetune.epoch' (did you mean 'epochs'?)" in outcome.stderr
    document = json.loads(outcome.stdout)
    assert document["status"] == "error"
    assert document["exit_status"] == 78
    assert "finetune.epoch" in document["error"]


def test_missing_data_file_is_named(tmp_path: Path, tiny_encoder: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG.replace("source: encoder", f"source: {tiny_encoder}"))
    outcome = interestrec("preprocess", cwd=tmp_path)
    assert outcome.returncode == 66
    assert "clicks.csv" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not (tmp_path / "workspace" / "corpus").exists()


def test_missing_artifact_names_the_stage_to_run(tmp_path: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    outcome = interestrec("finetune", cwd=tmp_path)
    assert outcome.returncode == 66
    assert "run `interestrec preprocess` first" in outcome.stderr


def test_unknown_option_is_a_usage_error(tmp_path: Path) -> None:
    assert interestrec("run", "--confg", "x.yaml", cwd=tmp_path).returncode == 2


def test_config_show_round_trips(tmp_path: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    shown = interestrec("config", "show", "--set", "finetune.learning_rate=2e-5", cwd=tmp_path)
    assert shown.returncode == 0
    assert "learning_rate: 2.0e-05" in shown.stdout
    (tmp_path / "again.yaml").write_text(shown.stdout)
    assert interestrec("config", "show", "--config", "again", cwd=tmp_path).stdout == shown.stdout


@pytest.mark.parametrize("template", ["news", "shop", "video", "quickstart"])
def test_init_writes_a_configuration_that_loads(tmp_path: Path, template: str) -> None:
    assert interestrec("init", template, cwd=tmp_path).returncode == 0
    assert interestrec("config", "show", cwd=tmp_path).returncode == 0
    again = interestrec("init", template, cwd=tmp_path)
    assert again.returncode == 73
    assert "interestrec.yaml" in again.stderr


def test_init_of_an_unknown_template_lists_them(tmp_path: Path) -> None:
    outcome = interestrec("init", "newz", cwd=tmp_path)
    assert outcome.returncode == 78
    assert "did you mean 'news'?" in outcome.stderr


_STUCK = """
import time
from pathlib import Path
from interestrec.console import session
from interestrec.core.artifacts import Recipe, building

with session("preprocess", as_json=False, quiet=False):
    with building(Path("workspace"), Recipe("corpus", {}, {}, 1)) as partial:
        (partial / "half").write_text("x")
        print("begun", flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_no_half_version(tmp_path: Path, sent: signal.Signals, status: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", _STUCK], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    assert list(tmp_path.rglob("half"))
    process.send_signal(sent)
    assert process.wait(10) == status
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_reader_that_goes_away_is_no_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    command = f"{sys.executable} -m interestrec config show | true; exit ${{PIPESTATUS[0]}}"
    outcome = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert outcome.returncode in (0, 141)
    assert "Traceback" not in outcome.stderr
