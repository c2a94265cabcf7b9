#!/usr/bin/env python3
"""`kill -9` at random instants, again and again, and what the next run of the same command then ends with.

    scripts/kill.py --to workspace/kill --stage finetune --kills 30
    scripts/kill.py --to workspace/kill --stage pretrain-adapt --kills 10
    scripts/kill.py --to workspace/kill --stage run --kills 200
    scripts/kill.py --to workspace/kill --stage run --kills 10 --config configs/quickstart.yaml

Unless told by --config, a tiny encoder and generated news, with a checkpoint after every step and dropout on. First
comes a run that is not disturbed. Of one stage, runs are killed and started again until the kills are done. Of the
whole pipeline, each round picks a stage, begins with what the undisturbed run made before that stage, kills within it,
and runs to the end. Every artifact that comes out must be equal to the undisturbed one, byte by byte, timings aside;
nothing may be left half written, no checkpoint and no lock. One JSON line ends it; the exit status is 1 where that
fails.
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


class Kills:
    """Runs of one stage, or of all, below a directory."""

    def __init__(self, root: Path, stage: str, config: Path | None, overrides: list[str], seed: int) -> None:
        self.root, self.stage, self.overrides = root, stage, [f"--set={text}" for text in overrides]
        self.config = config or root / "news.yaml"
        self.kinds = list(_KINDS.values()) if stage == "run" else [_KINDS[stage]]
        self.rng = random.Random(seed)
        self.killed = self.within_save = 0

    def prepared(self, generate: bool) -> None:
        """Logs and an encoder where they are generated, and the undisturbed artifacts."""
        self.root.mkdir(parents=True)
        if generate:
            self._generated()
        whole = self.root / "whole"
        for stage in ["run"] if self.stage == "run" else ["preprocess", "pretrain-adapt", self.stage]:
            started = time.monotonic()
            if self.started(whole, stage).wait():
                sys.exit(f"{stage} failed; see {self.root / 'errors.txt'}")
        self.seconds = time.monotonic() - started
        self.took = {kind: json.loads((whole / kind / "timing.jsonl").read_text())["seconds"] for kind in self.kinds}
        self.wanted = self.digests(whole)

    def _generated(self) -> None:
        sys.path.insert(0, str(_REPOSITORY))
        from tests import generated, kin

        kin.write(self.root / "encoder", "roberta")
        generated.write_mind(self.root / "raw")
        steps, epochs = (20, 1) if self.stage == "run" else (300, 6)
        self.config.write_text(_CONFIG.format(root=self.root, steps=steps, epochs=epochs))

    def started(self, workspace: Path, stage: str) -> subprocess.Popen[bytes]:
        """A process of a stage."""
        command = [sys.executable, "-m", "interestrec", stage, "--quiet", "--config", str(self.config), *self.overrides]
        with (self.root / "errors.txt").open("a") as errors:
            return subprocess.Popen(
                [*command, "--workspace", str(workspace)], cwd=_REPOSITORY, stdout=subprocess.DEVNULL, stderr=errors
            )

    def round(self, workspace: Path, most: int) -> bool:
        """Kill a run of the stage and start it again until it ends or `most` kills are done; whether it ends well."""
        workspace.mkdir()
        for kind in ("corpus", "encoder"):
            if kind != _KINDS[self.stage]:
                (workspace / kind).symlink_to((self.root / "whole" / kind).resolve())
        while True:
            process = self.started(workspace, self.stage)
            try:
                limit = self.rng.uniform(0.3, 1.0) * self.seconds if self.killed < most else None
                return process.wait(limit) == 0 and self.ends_well(workspace)
            except subprocess.TimeoutExpired:
                self._kill(process, workspace)

    def round_of_all(self, workspace: Path) -> bool:
        """Kill a run of all stages within one of them, then run to the end; whether it ends well."""
        kind = self.rng.choice(self.kinds)
        self._begun(workspace, kind)
        process, lock = self.started(workspace, "run"), workspace / "locks" / kind
        while not lock.exists() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(self.rng.uniform(0, 1) * self.took[kind])
        if process.poll() is None:
            self._kill(process, workspace)
        return self.started(workspace, "run").wait() == 0 and self.ends_well(workspace)

    def _begun(self, workspace: Path, kind: str) -> None:
        """A workspace as the undisturbed run left it before the stage that makes `kind`: files are never changed in
        place, so both can share them."""
        whole = self.root / "whole"
        workspace.mkdir()
        for before in self.kinds[: self.kinds.index(kind)]:
            version = (whole / before).resolve().relative_to(whole)
            shutil.copytree(whole / version, workspace / version, copy_function=os.link)
            (workspace / before).symlink_to(version)

    def _kill(self, process: subprocess.Popen[bytes], workspace: Path) -> None:
        process.kill()
        process.wait()
        self.killed += 1
        self.within_save += any((workspace / "work").rglob(".partial"))

    def ends_well(self, workspace: Path) -> bool:
        """Whether all artifacts are those of the undisturbed run, and nothing is left of any other."""
        left = [path for path in workspace.rglob("*") if "partial" in path.name or path.name.endswith(".link")]
        left += [path for name in ("work", "locks") for path in (workspace / name).rglob("*") if not path.is_dir()]
        found = self.digests(workspace)
        differing = sorted(
            name for name in self.wanted.keys() | found.keys() if self.wanted.get(name) != found.get(name)
        )
        for path in [*left, *differing]:
            print(f"{workspace.name}: {path}", file=sys.stderr)
        return not left and not differing

    def digests(self, workspace: Path) -> dict[str, str]:
        """SHA-256 of every file of the artifacts but their timings."""
        found: dict[str, str] = {}
        for kind in self.kinds:
            directory = (workspace / kind).resolve()
            for path in sorted(directory.rglob("*")):
                if path.is_file() and path.name != "timing.jsonl":
                    found[f"{kind}/{path.relative_to(directory)}"] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


def main() -> None:
    """Parse the command line and kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="must not exist")
    parser.add_argument("--stage", choices=["finetune", "pretrain-adapt", "run"], required=True)
    parser.add_argument("--kills", type=int, default=30, help="30 unless told")
    parser.add_argument("--config", type=Path, metavar="FILE", help="with --stage run: of this configuration")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="over the configuration")
    parser.add_argument("--seed", type=int, default=7, help="7 unless told")
    arguments = parser.parse_args()
    if arguments.config and arguments.stage != "run":
        parser.error("--config goes with --stage run")
    kills = Kills(arguments.to.resolve(), arguments.stage, arguments.config, arguments.set, arguments.seed)
    kills.prepared(generate=arguments.config is None)
    equal: list[bool] = []
    while kills.killed < arguments.kills:
        workspace = kills.root / f"cut-{len(equal)}"
        whole = arguments.stage == "run"
        equal.append(kills.round_of_all(workspace) if whole else kills.round(workspace, arguments.kills))
        if equal[-1]:
            shutil.rmtree(workspace)
        told = f"{kills.killed} kills, {kills.within_save} within a save, {equal.count(False)} runs ended otherwise"
        print(told, file=sys.stderr, flush=True)
    told = {"stage": kills.stage, "kills": kills.killed, "within_save": kills.within_save}
    print(json.dumps({**told, "runs": len(equal), "equal": sum(equal)}))
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()
