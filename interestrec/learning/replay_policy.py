"""One policy of a replay: what it learns at the start of a window, and how it answers the window.

A policy has a workspace of its own, in which the commands of the toolkit run as they do in anyone's. Its configuration
leaves out what happened at or after the start of the window, so no file of it can have anything of the future.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from interestrec.core.progress import log
from interestrec.io import commit, files
from interestrec.learning.step_process import StepProcesses
from interestrec.workspace.forgotten import FORGOTTEN_FILE
from interestrec.workspace.prune import prune

FIT = ("preprocess", "pretrain-adapt", "finetune")
_SHARED = ("corpus", "encoder", "model", "decision", "versions", "cache", FORGOTTEN_FILE)  # of a workspace, if there


def moment_text(microseconds: int) -> str:
    """Return a time, microseconds since 1970 UTC, in ISO 8601."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)).isoformat()


@dataclass(frozen=True)
class PolicyWorkspace:
    """The directory of a policy: its workspace, its log, the decisions that it keeps and what its steps took."""

    directory: Path
    values: Mapping[str, Any]  # the configuration as JSON values
    processes: StepProcesses

    @property
    def workspace(self) -> Path:
        """Return the workspace."""
        return self.directory / "workspace"

    @property
    def log(self) -> Path:
        """Return the file with the log lines of all steps."""
        return self.directory / "log.txt"

    def config(self, since: int | None, until: int | None) -> Path:
        """Write the configuration for a period in microseconds, and return its path."""
        period = {key: None if at is None else moment_text(at) for key, at in (("since", since), ("until", until))}
        preprocess = {**self.values["preprocess"], **{key: text for key, text in period.items() if text is not None}}
        path = self.directory / "config.yaml"  # JSON is YAML
        files.write_json(path, {**self.values, "workspace": str(self.workspace), "preprocess": preprocess})
        return path

    def prepare(self, forgotten: Path) -> None:
        """Create the workspace, with the list of users to forget if there is one."""
        self.workspace.mkdir(parents=True, exist_ok=True)
        if forgotten.is_file():
            shutil.copyfile(forgotten, self.workspace / FORGOTTEN_FILE)

    def fit(self, window: int, at: int) -> Path:
        """Fit the decision that knows all before a time, unless it is there; return a directory that stays."""
        kept = self.kept(window)
        if not kept.exists():
            if self.costs("learn", window) is None:
                config, nobody = str(self.config(None, at)), self.directory / "nobody.txt"
                files.write_text(nobody, "")
                commands = [[name, "--config", config] for name in FIT]
                commands.append(["rank", "--config", config, "--as-of", moment_text(at), "--users", str(nobody)])
                self._measured("learn", window, commands)
            _keep(self.workspace / "decision", kept)
            prune(self.workspace)
        return kept

    def kept(self, window: int) -> Path:
        """Return the place of the decision that was fitted at the start of a window."""
        return self.directory / "decisions" / str(window)

    def begin_as(self, first: "PolicyWorkspace") -> None:
        """Begin with the first decision of another policy, in a copy of its workspace, unless that is done."""
        if (self.workspace / "decision").exists():
            return
        partial = self.directory / f"begun{commit.PARTIAL}copy"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name in _SHARED:
            source = first.workspace / name
            if source.is_symlink():
                (partial / name).symlink_to(source.readlink())
            elif source.is_dir():
                shutil.copytree(source, partial / name, symlinks=True)
            elif source.is_file():
                shutil.copyfile(source, partial / name)
        shutil.rmtree(self.workspace, ignore_errors=True)
        commit.install(partial, self.workspace)

    def update(self, window: int, since: int, until: int, root: Path) -> Path:
        """Let the decision follow the events of a period, unless that is done; return its directory."""
        command = ["update", "--config", str(self.config(since, until)), "--events", str(root)]
        if self.costs("learn", window) is None:
            self._measured("learn", window, [command])
        return self.workspace / "decision"

    def answer(self, name: str, window: int, at: int, decision: Path, requests: Path, k: int) -> Path:
        """Answer requests at a time by a decision; return the file of the answers as JSON lines."""
        answers = self.directory / f"{name}.jsonl"
        command = ["recommend", "--config", str(self.config(None, at)), "--decision", str(decision), "--ids"]
        command += ["--requests", str(requests), "--as-of", moment_text(at), "-k", str(k)]
        self._measured(f"answer-{name}", window, [command], answers)
        return answers

    def log_once(self) -> Path:
        """Make the corpus of the whole log, unless it is there, and return its path."""
        if self.costs("log", 0) is None:
            self._measured("log", 0, [["preprocess", "--config", str(self.config(None, None))]])
        return self.workspace / "corpus"

    def costs(self, step: str, window: int) -> dict[str, Any] | None:
        """Return seconds, memory and attempts of a step that is complete; None if it is not."""
        path = self._record(step, window)
        record = files.read_json(path) if path.is_file() else {}
        return record if "seconds" in record else None

    def _record(self, step: str, window: int) -> Path:
        return self.directory / "costs" / f"{step}-{window}.json"

    def _measured(self, step: str, window: int, commands: list[list[str]], output: Path | None = None) -> None:
        path = self._record(step, window)
        attempts = 1 + (files.read_json(path)["attempts"] if path.is_file() else 0)
        _write_record(path, {"attempts": attempts})
        cost = self.processes.run(commands, self.log, output)
        _write_record(path, {"attempts": attempts, **cost._asdict()})
        log.info("%s: window %d, %s: %.1f s", self.directory.name, window + 1, step, cost.seconds)


def _write_record(path: Path, record: Mapping[str, Any]) -> None:
    with commit.staged_file(path) as staged:
        files.write_json(staged, record)


def _keep(decision: Path, kept: Path) -> None:
    """Copy a decision to a place where no later run replaces it."""
    partial = kept.with_name(f"{kept.name}{commit.PARTIAL}copy")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(decision.resolve(), partial)
    commit.install(partial, kept)
