#!/usr/bin/env python3
"""Kill workers of a cluster at random times by `kill -9` and compare the results with those of one process.

    scripts/kill_workers.py --to workspace/kill-workers --kills 50

It generates news as scripts/kill.py does, and a shop's log in CSV, and makes all artifacts with one process. Then it
runs `preprocess` of the shop and `encode`, `rank` and `evaluate` of the news in turn, on workers whose nannies start
them again, and kills a random worker at random moments of each run, until the number of kills is reached. Every result
must equal that of one process byte by byte, except timings, and nothing may remain of the work. The output ends with
one JSON line; the exit status is 1 if a check fails.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
from bench_cluster import cluster
from kill import KillTest

_REPOSITORY = Path(__file__).resolve().parents[1]
_STAGES = {"preprocess": "corpus", "encode": "vectors.parquet", "rank": "rankings", "evaluate": "report"}
_LONGEST_WAIT = 6.0  # seconds between kills
_SHOP = {
    "version": 1,
    "preprocess": {"intensity": {"weights": {"view": 0.3, "purchase": 1.0}}},
    "items": {"fields": [{"name": "title", "max_tokens": 16}]},
}


class WorkerKills:
    """Runs of stages on workers that are killed."""

    def __init__(self, root: Path, workers: int, seed: int) -> None:
        self.root, self.workers, self.rng = root, workers, random.Random(seed)
        self.news = KillTest(root, "run", None, [], seed)
        self.killed = 0

    def prepare(self, events: int) -> None:
        """Make the logs, and all results by one process."""
        self.news.prepare(generate=True)
        from tests import generated

        generated.write_shop(self.root / "shop", users=2000, items=300, events=events // 2000)
        columns = {"user": "user", "item": "item", "time": "time", "event": "kind"}
        items = {"item": "item", "title": ["name"], "text": ["description"], "category": "department"}
        data = {
            "format": "events",
            "root": str(self.root / "shop"),
            "events": {"files": ["events.csv"], "columns": columns},
            "items": {"files": ["items.csv"], "columns": items},
        }
        encoders = {"text": {"source": str(self.root / "encoder")}}
        (self.root / "shop.yaml").write_text(json.dumps({**_SHOP, "data": data, "encoders": encoders}))
        for stage in ("preprocess", "encode"):
            workspace = self.root / ("shop-whole" if stage == "preprocess" else "whole")
            assert self._start(stage, workspace).wait() == 0
        self.expected = {stage: self._digests(stage, self._workspace(stage, "whole")) for stage in _STAGES}

    def run(self, stage: str, address: str, max_kills: int) -> bool:
        """Run a stage while workers are killed; return whether it has the result of one process."""
        workspace = self._workspace(stage, "cut")
        shutil.rmtree(workspace, ignore_errors=True)
        if stage != "preprocess":
            shutil.copytree(self.root / "whole", workspace, symlinks=True)
            kinds = {"encode": ["cache"], "rank": ["rankings", "decision", "versions/rank"], "evaluate": ["report"]}
            for name in kinds[stage]:
                path = workspace / name
                path.unlink() if path.is_symlink() else shutil.rmtree(path)
            (workspace / "vectors.parquet").unlink()
        process = self._start(stage, workspace, "--on", address)
        while process.poll() is None:
            try:
                process.wait(self.rng.uniform(0.2, _LONGEST_WAIT))
            except subprocess.TimeoutExpired:
                if self.killed < max_kills:
                    self._kill_one()
        left = [path for path in workspace.glob("work/*/*") if ".partial" in path.name or stage in path.parts]
        return process.returncode == 0 and not left and self._digests(stage, workspace) == self.expected[stage]

    def _kill_one(self) -> None:
        """Kill a process that a nanny has started as a worker."""
        nannies = [p for p in psutil.Process().children() if "dask_worker" in " ".join(p.cmdline())]
        found = [p for nanny in nannies for p in nanny.children() if "spawn_main" in " ".join(p.cmdline())]
        if found:
            self.rng.choice(found).kill()
            self.killed += 1

    def _workspace(self, stage: str, name: str) -> Path:
        return self.root / (f"shop-{name}" if stage == "preprocess" else name)

    def _start(self, stage: str, workspace: Path, *options: str) -> subprocess.Popen[bytes]:
        config = self.root / "shop.yaml" if stage == "preprocess" else self.news.config
        command = [sys.executable, "-m", "interestrec", stage, "--quiet", "--config", str(config), *options]
        command += ["--workspace", str(workspace)]
        command += ["--to", str(workspace / "vectors.parquet")] if stage == "encode" else []
        with (self.root / "errors.txt").open("a") as errors:
            return subprocess.Popen(command, cwd=_REPOSITORY, stdout=subprocess.DEVNULL, stderr=errors)

    def _digests(self, stage: str, workspace: Path) -> dict[str, str]:
        made = (workspace / _STAGES[stage]).resolve()
        paths = [made] if made.is_file() else [path for path in made.rglob("*") if path.is_file()]
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.name != "timing.jsonl"
        }


def main() -> None:
    """Parse the command line and run the test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="must not exist")
    parser.add_argument("--kills", type=int, default=50, help="50 by default")
    parser.add_argument("--workers", type=int, default=2, help="2 by default")
    parser.add_argument("--events", type=int, default=600_000, help="events of the shop, 600,000 by default")
    parser.add_argument("--stages", default=",".join(_STAGES), help=f"{','.join(_STAGES)} by default")
    parser.add_argument("--seed", type=int, default=7, help="7 by default")
    arguments = parser.parse_args()
    os.environ["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = "100"
    test = WorkerKills(arguments.to.resolve(), arguments.workers, arguments.seed)
    test.prepare(arguments.events)
    equal: list[bool] = []
    with cluster(test.root, arguments.workers) as address:
        while test.killed < arguments.kills:
            for stage in arguments.stages.split(","):
                equal.append(test.run(stage, str(address), arguments.kills))
                progress = f"{stage}: {'equal' if equal[-1] else 'DIFFERS'}, {test.killed} kills"
                print(progress, file=sys.stderr, flush=True)
    print(json.dumps({"kills": test.killed, "runs": len(equal), "equal": sum(equal)}))
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()
