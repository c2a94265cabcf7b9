"""Steps in processes of their own: what they took, what they say when they fail, and their end."""

import threading
import time
from pathlib import Path

import pytest

from interestrec.core.errors import StepError
from interestrec.learning.step_process import StepProcesses

pytestmark = pytest.mark.slow


def test_a_command_is_measured_and_its_output_kept(tmp_path: Path) -> None:
    cost = StepProcesses().run([["--version"], ["--version"]], tmp_path / "log.txt", tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text().startswith("interestrec ")
    assert cost.seconds > 0
    assert 5 << 20 < cost.memory < 4 << 30


def test_the_message_and_the_status_of_a_failed_command_are_the_error(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"^rank: nowhere\.yaml: no such configuration .*see .*log\.txt") as caught:
        StepProcesses().run([["rank", "--config", "nowhere.yaml"]], tmp_path / "log.txt")
    assert caught.value.exit_status == 66


def test_after_the_end_nothing_starts_and_what_runs_is_ended(tmp_path: Path) -> None:
    processes, failed = StepProcesses(), []
    sleeper = tmp_path / "interestrec"
    sleeper.mkdir()
    (sleeper / "__main__.py").write_text("import time; print('begun', flush=True); time.sleep(600)")

    def run() -> None:
        try:
            processes.run([["anything"]], tmp_path / "log.txt", tmp_path / "out.txt")
        except StepError as error:
            failed.append(error)

    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path)
        thread = threading.Thread(target=run)
        thread.start()
        while not ((tmp_path / "out.txt").exists() and "begun" in (tmp_path / "out.txt").read_text()):
            time.sleep(0.01)
        processes.end()
        thread.join(timeout=60)
    assert "SIGTERM" in str(failed[0])
    with pytest.raises(StepError, match="was ended"):
        processes.run([["--version"]], tmp_path / "log.txt")
