#!/usr/bin/env python3
"""`kill -9` at random instants of a training stage, again and again, and what the stage then ends with.

    scripts/kill.py --to workspace/kill --stage finetune --kills 30
    scripts/kill.py --to workspace/kill --stage pretrain-adapt --kills 10

Trains a tiny encoder on generated news with a checkpoint after every step and dropout on. First comes a run that is not
disturbed; then runs are killed and started again until the kills are done. Every artifact that comes out must be equal
to the first one, byte by byte, timings aside. One JSON line ends it; the exit status is 1 where an artifact differs or
a checkpoint is left over.
"""

import argparse
import hashlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[1]
_KINDS = {"finetune": "model", "pretrain-adapt": "encoder"}
_CONFIG = """version: 1
seed: 5
data: {{format: mind, root: {root}/raw, news: [news.tsv], train: [train.tsv], valid: [valid.tsv], test: [test.tsv]}}
preprocess: {{split: {{method: given}}}}
encoders: {{text: {{source: {root}/encoder}}}}
pretrain_adapt: {{steps: 300, batch_size: 8, held_out: 0.2}}
finetune:
  epochs: 6
  history_epochs: 6
  batch_size: 4
  trainable_layers: 1
  vector_cache: {{probability: 0.5}}
  patience: 9
  dropout: 0.3
runtime: {{checkpoint_seconds: 0}}
"""


class Kills:
    """Runs of one stage below a directory."""

    def __init__(self, root: Path, stage: str, seed: int) -> None:
        self.root, self.stage, self.kind = root, stage, _KINDS[stage]
        self.rng = random.Random(seed)
        self.killed = self.within_save = 0

    def prepared(self) -> None:
        """Logs, an encoder, and the undisturbed artifacts."""
        sys.path.insert(0, str(_REPOSITORY))
        from tests import generated, kin

        self.root.mkdir(parents=True)
        kin.write(self.root / "encoder", "roberta")
        generated.write_mind(self.root / "raw")
        (self.root / "news.yaml").write_text(_CONFIG.format(root=self.root))
        for stage in ("preprocess", "pretrain-adapt", self.stage):
            started = time.monotonic()
            if self.started(self.root / "whole", stage).wait():
                sys.exit(f"{stage} failed; see {self.root / 'errors.txt'}")
        self.seconds = time.monotonic() - started
        self.wanted = self.digests(self.root / "whole")

    def started(self, workspace: Path, stage: str) -> subprocess.Popen[bytes]:
        """A process of a stage."""
        command = [sys.executable, "-m", "interestrec", stage, "--quiet", "--config", str(self.root / "news.yaml")]
        with (self.root / "errors.txt").open("a") as errors:
            return subprocess.Popen(
                [*command, "--workspace", str(workspace)], cwd=_REPOSITORY, stdout=subprocess.DEVNULL, stderr=errors
            )

    def round(self, workspace: Path, most: int) -> bool:
        """Kill a run and start it again until it ends or `most` kills are done; whether it ends as it should."""
        workspace.mkdir()
        for kind in ("corpus", "encoder"):
            if kind != self.kind:
                (workspace / kind).symlink_to((self.root / "whole" / kind).resolve())
        while True:
            process = self.started(workspace, self.stage)
            try:
                limit = self.rng.uniform(0.3, 1.0) * self.seconds if self.killed < most else None
                status = process.wait(limit)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self.killed += 1
                self.within_save += any((workspace / "work").rglob(".partial-*"))
                continue
            left = list((workspace / "work").rglob("step-*"))
            return status == 0 and not left and self.digests(workspace) == self.wanted

    def digests(self, workspace: Path) -> dict[str, str]:
        """SHA-256 of every file of the artifact but its timings."""
        directory = (workspace / self.kind).resolve()
        found = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != "timing.jsonl")
        return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def main() -> None:
    """Parse the command line and kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="must not exist")
    parser.add_argument("--stage", choices=sorted(_KINDS), required=True)
    parser.add_argument("--kills", type=int, default=30, help="30 unless told")
    parser.add_argument("--seed", type=int, default=7, help="7 unless told")
    arguments = parser.parse_args()
    kills = Kills(arguments.to.resolve(), arguments.stage, arguments.seed)
    kills.prepared()
    equal: list[bool] = []
    while kills.killed < arguments.kills:
        equal.append(kills.round(kills.root / f"cut-{len(equal)}", arguments.kills))
        print(f"{kills.killed} kills, {kills.within_save} within a save", file=sys.stderr, flush=True)
    told = {"stage": kills.stage, "kills": kills.killed, "within_save": kills.within_save}
    print(json.dumps({**told, "runs": len(equal), "equal": sum(equal)}))
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()
