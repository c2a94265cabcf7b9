#!/usr/bin/env python3
"""Kill runs at random times by `kill -9` and compare the results of the next runs with an undisturbed run.

    scripts/kill.py --to workspace/kill --stage finetune --kills 30
    scripts/kill.py --to workspace/kill --stage pretrain-adapt --kills 10
    scripts/kill.py --to workspace/kill --stage run --kills 200
    scripts/kill.py --to workspace/kill --stage run --kills 10 --config configs/quickstart.yaml

Without --config the script uses a tiny encoder and generated news, with a checkpoint after every step and with dropout.
It starts with an undisturbed run. For one stage, it kills and restarts runs until the number of kills is reached. For
the whole pipeline, each round picks a stage, starts from the undisturbed artifacts before that stage, kills the run
within the stage, and runs to the end. Every resulting artifact must equal the undisturbed one byte by byte, except
timings, and no partial file, checkpoint or lock may remain. The output ends with one JSON line; the exit status is 1 if
a check fails.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[1]
_KINDS = {
    "preprocess": "corpus",
    "pretrain-adapt": "encoder",
    "finetune": "model",
    "rank": "rankings",
    "evaluate": "report",
}
_CONFIG = """version: 1
seed: 5
data: {{format: mind, root: {root}/raw, news: [news.tsv], train: [train.tsv], valid: [valid.tsv], test: [test.tsv]}}
preprocess: {{split: {{method: given}}}}
encoders: {{text: {{source: {root}/encoder}}}}
pretrain_adapt: {{steps: {steps}, batch_size: 8, held_out: 0.2}}
finetune:
  epochs: {epochs}
  history_epochs: {epochs}
  batch_size: 4
  trainable_layers: 1
  vector_cache: {{probability: 0.5}}
  patience: 9
  dropout: 0.3
rank: {{trials: 1}}
evaluate: {{bootstrap: 100}}
runtime: {{checkpoint_seconds: 0}}
"""


class KillTest:
    """Runs of one stage, or of all, in a directory."""

    def __init__(self, root: Path, stage: str, config: Path | None, overrides: list[str], seed: int) -> None:
        self.root, self.stage, self.overrides = root, stage, [f"--set={text}" for text in overrides]
        self.config = config or root / "news.yaml"
        self.kinds = list(_KINDS.values()) if stage == "run" else [_KINDS[stage]]
        self.rng = random.Random(seed)
        self.killed = self.within_save = 0

    def prepare(self, generate: bool) -> None:
        """Generate logs and an encoder if `generate` is set, and make the undisturbed artifacts."""
        self.root.mkdir(parents=True)
        if generate:
            self._generate()
        reference = self.root / "whole"
        for stage in ["run"] if self.stage == "run" else ["preprocess", "pretrain-adapt", self.stage]:
            start = time.monotonic()
            if self.start(reference, stage).wait():
                sys.exit(f"{stage} failed; see {self.root / 'errors.txt'}")
        self.seconds = time.monotonic() - start
        timings = {kind: json.loads((reference / kind / "timing.jsonl").read_text()) for kind in self.kinds}
        self.stage_seconds = {kind: timing["seconds"] for kind, timing in timings.items()}
        self.expected = self.digests(reference)

    def _generate(self) -> None:
        sys.path.insert(0, str(_REPOSITORY))
        from tests import generated, kin

        kin.write(self.root / "encoder", "roberta")
        generated.write_mind(self.root / "raw")
        steps, epochs = (20, 1) if self.stage == "run" else (300, 6)
        self.config.write_text(_CONFIG.format(root=self.root, steps=steps, epochs=epochs))

    def start(self, workspace: Path, stage: str) -> subprocess.Popen[bytes]:
        """Start a process that runs a stage."""
        command = [sys.executable, "-m", "interestrec", stage, "--quiet", "--config", str(self.config), *self.overrides]
        with (self.root / "errors.txt").open("a") as errors:
            return subprocess.Popen(
                [*command, "--workspace", str(workspace)], cwd=_REPOSITORY, stdout=subprocess.DEVNULL, stderr=errors
            )

    def run_stage(self, workspace: Path, max_kills: int) -> bool:
        """Kill and restart a run of the stage until it ends or `max_kills` is reached; return whether it succeeds."""
        workspace.mkdir()
        for kind in ("corpus", "encoder"):
            if kind != _KINDS[self.stage]:
                (workspace / kind).symlink_to((self.root / "whole" / kind).resolve())
        while True:
            process = self.start(workspace, self.stage)
            try:
                limit = self.rng.uniform(0.3, 1.0) * self.seconds if self.killed < max_kills else None
                return process.wait(limit) == 0 and self.matches_reference(workspace)
            except subprocess.TimeoutExpired:
                self._kill(process, workspace)

    def run_pipeline(self, workspace: Path) -> bool:
        """Kill a run of all stages within a random stage, then run to the end; return whether it succeeds."""
        kind = self.rng.choice(self.kinds)
        self._copy_inputs(workspace, kind)
        process, lock = self.start(workspace, "run"), workspace / "locks" / kind
        while not lock.exists() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(self.rng.uniform(0, 1) * self.stage_seconds[kind])
        if process.poll() is None:
            self._kill(process, workspace)
        return self.start(workspace, "run").wait() == 0 and self.matches_reference(workspace)

    def _copy_inputs(self, workspace: Path, kind: str) -> None:
        """Create a workspace in the state before the stage that makes `kind`.

        Hard links to the undisturbed artifacts are safe, because files never change in place.
        """
        reference = self.root / "whole"
        workspace.mkdir()
        for earlier in self.kinds[: self.kinds.index(kind)]:
            version = (reference / earlier).resolve().relative_to(reference)
            shutil.copytree(reference / version, workspace / version, copy_function=os.link)
            (workspace / earlier).symlink_to(version)

    def _kill(self, process: subprocess.Popen[bytes], workspace: Path) -> None:
        process.kill()
        process.wait()
        self.killed += 1
        self.within_save += any((workspace / "work").rglob(".partial"))

    def matches_reference(self, workspace: Path) -> bool:
        """Return whether all artifacts equal those of the undisturbed run and no temporary file remains."""
        leftovers = [path for path in workspace.rglob("*") if "partial" in path.name or path.name.endswith(".link")]
        leftovers += [path for name in ("work", "locks") for path in (workspace / name).rglob("*") if not path.is_dir()]
        actual = self.digests(workspace)
        differing = sorted(
            name for name in self.expected.keys() | actual.keys() if self.expected.get(name) != actual.get(name)
        )
        for path in [*leftovers, *differing]:
            print(f"{workspace.name}: {path}", file=sys.stderr)
        return not leftovers and not differing

    def digests(self, workspace: Path) -> dict[str, str]:
        """Compute the SHA-256 of every file of the artifacts except timings."""
        digests: dict[str, str] = {}
        for kind in self.kinds:
            directory = (workspace / kind).resolve()
            for path in sorted(directory.rglob("*")):
                if path.is_file() and path.name != "timing.jsonl":
                    digests[f"{kind}/{path.relative_to(directory)}"] = hashlib.sha256(path.read_bytes()).hexdigest()
        return digests


def main() -> None:
    """Parse the command line and run the test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="must not exist")
    parser.add_argument("--stage", choices=["finetune", "pretrain-adapt", "run"], required=True)
    parser.add_argument("--kills", type=int, default=30, help="30 by default")
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration to run, only with --stage run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override of the configuration")
    parser.add_argument("--seed", type=int, default=7, help="7 by default")
    arguments = parser.parse_args()
    if arguments.config and arguments.stage != "run":
        parser.error("--config requires --stage run")
    test = KillTest(arguments.to.resolve(), arguments.stage, arguments.config, arguments.set, arguments.seed)
    test.prepare(generate=arguments.config is None)
    equal: list[bool] = []
    while test.killed < arguments.kills:
        workspace = test.root / f"cut-{len(equal)}"
        pipeline = arguments.stage == "run"
        equal.append(test.run_pipeline(workspace) if pipeline else test.run_stage(workspace, arguments.kills))
        if equal[-1]:
            shutil.rmtree(workspace)
        progress = f"{test.killed} kills, {test.within_save} within a save, {equal.count(False)} runs differ"
        print(progress, file=sys.stderr, flush=True)
    record = {"stage": test.stage, "kills": test.killed, "within_save": test.within_save}
    print(json.dumps({**record, "runs": len(equal), "equal": sum(equal)}))
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()
