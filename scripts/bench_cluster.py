"""Stages on 1, 2 and 4 workers of one thread, for `scripts/bench.py cluster`: speed-up at equal bytes.

A scheduler and workers run on this machine. On a generated shop's log in CSV, `preprocess` and `rank` are run without a
cluster on one thread and on each number of workers, `--repeats` times in turn, so that other load on the machine meets
all of them. The systems of `rank` are fitted before, as they are one part; it ranks without the model, whose artifact
has random vectors of items alone. Every version must have the bytes of the one that was made without a cluster.

`seconds` are those of the stage, as in `timing.jsonl`: without the start of processes. `speed_up` is the seconds of one
worker over those of n, each the least of the repeats; `against_none` is the seconds without a cluster over them.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCRIPTS = Path(__file__).resolve().parent
_SECONDS = 0.1  # between looks for a scheduler
_KINDS = {"preprocess": "corpus", "rank": "rankings"}
_CONFIG: dict[str, Any] = {
    "version": 1,
    "preprocess": {
        "intensity": {"weights": {"view": 0.2, "cart": 0.5, "purchase": 1.0}},
        "split": {"method": "global_time", "valid": 0.1, "test": 0.2},
    },
    "rank": {
        "systems": ["interestrec", "popularity", "trending", "item_knn"],
        "components": ["item_item", "trending"],
        "estimators": ["bias"],
        "trials": 1,
        "ablation": "none",
        "deletion_users": 0,
    },
}


def add_parser(benches: Any, encoder: Path) -> None:
    """Add the subcommand `cluster`."""
    parser = benches.add_parser("cluster", help="preprocess and rank on 1, 2 and 4 workers")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="directory for the log and workspaces")
    parser.add_argument("--events", type=int, default=2_000_000, help="2,000,000 by default")
    parser.add_argument("--workers", default="1,2,4", help="1,2,4 by default")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--stages", default="preprocess,rank", help="preprocess,rank by default")
    parser.add_argument("--encoder", type=Path, default=encoder, metavar="DIR", help="whose tokenizer is used")


def run(arguments: argparse.Namespace) -> None:
    """Measure and print one JSON line per stage and number of workers."""
    to = arguments.to.resolve()
    to.mkdir(parents=True, exist_ok=True)
    config = _write_log(to, arguments.events, arguments.encoder.resolve())
    counts = [0, *map(int, arguments.workers.split(","))]
    for stage in arguments.stages.split(","):
        seconds: dict[int, list[float]] = {count: [] for count in counts}
        bytes_of: set[str] = set()
        if stage == "rank":
            _fit(config, to)
        for _ in range(arguments.repeats):
            for count in counts:
                with cluster(to, count) as address:
                    taken, digest = _measure(config, to, stage, address)
                seconds[count].append(taken)
                bytes_of.add(digest)
        least = {count: min(values) for count, values in seconds.items()}
        for count in counts:
            ratios = {"against_none": round(least[0] / least[count], 2)}
            if count:
                ratios["speed_up"] = round(least[counts[1]] / least[count], 2)
            record = {"stage": stage, "workers": count, "seconds": seconds[count], **ratios}
            load = round(os.getloadavg()[0], 1)
            print(json.dumps({**record, "equal_bytes": len(bytes_of) == 1, "load": load}), flush=True)


def _write_log(to: Path, events: int, encoder: Path) -> Path:
    """Generate the log as CSV, unless it is there, and write the configuration; return its path."""
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    root = to / f"events-{events}"
    if not (root / "events.csv").exists():
        sizes = {"events": events, "users": max(1, events // 50), "items": max(100, events // 200)}
        options = [text for name, value in sizes.items() for text in (f"--{name}", str(value))]
        subprocess.run([sys.executable, _SCRIPTS / "generate.py", "events", "--to", root, *options], check=True)
        plain = csv.WriteOptions(include_header=False, quoting_style="none")
        with (root / "partial.csv").open("wb") as target:
            for path in sorted(root.glob("events/*.parquet")):
                table = pq.read_table(path).select(["user", "item", "time", "kind"])
                if not target.tell():
                    target.write(",".join(table.column_names).encode() + b"\n")
                csv.write_csv(table, target, plain)
        (root / "partial.csv").rename(root / "events.csv")
    columns = {"user": "user", "item": "item", "time": "time", "event": "kind"}
    items = {"item": "item", "title": ["title"], "category": "category"}
    data = {
        "format": "events",
        "root": str(root),
        "relevant_at": 0.5,
        "events": {"files": ["events.csv"], "columns": columns},
        "items": {"files": ["items.parquet"], "columns": items},
    }
    config = to / "cluster.yaml"
    config.write_text(json.dumps({**_CONFIG, "data": data, "encoders": {"text": {"source": str(encoder)}}}))
    return config


def _fit(config: Path, to: Path) -> None:
    """Make a corpus, an empty encoder and model, and the decision."""
    sys.path.insert(0, str(_SCRIPTS.parent))
    import numpy as np
    import pyarrow.parquet as pq

    from interestrec.io import artifact_files, files
    from interestrec.workspace.artifacts import Recipe, open_artifact, staged_version

    workspace = to / "rank"
    _interestrec("preprocess", config, workspace)
    corpus = open_artifact(workspace / "corpus", "corpus")
    items = pq.read_metadata(corpus.path / artifact_files.ITEMS).num_rows
    vectors = np.random.default_rng(0).normal(size=(items, 8)).astype(np.float32)
    inputs = {"corpus": corpus.digest}
    for kind in ("encoder", "model"):
        recipe = Recipe(kind, inputs, {}, 1)
        if not recipe.version_path(workspace).exists():
            with staged_version(workspace, recipe) as directory:
                files.write_json(directory / "config.json", {})
                files.write_safetensors(directory / artifact_files.ITEM_VECTORS, {"frozen": vectors})
        inputs = {**inputs, kind: open_artifact(workspace / kind, kind).digest}
    _interestrec("rank", config, workspace)


def _measure(config: Path, to: Path, stage: str, address: str | None) -> tuple[float, str]:
    """Run a stage; return its seconds and the digest of the artifact's files."""
    workspace, kind = to / stage, _KINDS[stage]
    if (workspace / kind).exists():
        shutil.rmtree((workspace / kind).resolve())
        (workspace / kind).unlink()
    _interestrec(stage, config, workspace, *([] if address is None else ["--on", address]))
    directory = (workspace / kind).resolve()
    timing = json.loads((directory / "timing.jsonl").read_text().splitlines()[-1])
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name != "timing.jsonl":
            digest.update(path.name.encode() + path.read_bytes())
    return timing["seconds"], digest.hexdigest()


def _interestrec(stage: str, config: Path, workspace: Path, *options: str) -> None:
    command = [sys.executable, "-m", "interestrec", stage, "--quiet", "--config", config, "--workspace", workspace]
    subprocess.run([*command, "--set", "runtime.threads=1", *options], check=True, cwd=_SCRIPTS.parent)


@contextmanager
def cluster(to: Path, workers: int) -> Iterator[str | None]:
    """Run a scheduler with some workers, and yield its address; None for no worker."""
    if not workers:
        yield None
        return
    known = to / "scheduler.json"
    known.unlink(missing_ok=True)
    here = ["--host", "tcp://127.0.0.1", "--no-dashboard"]
    silent = {"env": {**os.environ, "PYTHONPATH": str(_SCRIPTS.parent)}, "stderr": subprocess.DEVNULL}
    scheduler = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        *here,
        "--port",
        "0",
        "--scheduler-file",
        known,
    ]
    processes = [subprocess.Popen(scheduler, **silent)]
    try:
        while not known.exists() or not known.read_text().rstrip().endswith("}"):
            time.sleep(_SECONDS)
        address = json.loads(known.read_text())["address"]
        options = ["--nworkers", str(workers), "--nthreads", "1", "--local-directory", to, "--no-dashboard"]
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, *options]
        processes.append(subprocess.Popen(worker, **silent))
        waiting = "import sys, distributed as d; d.Client(sys.argv[1]).wait_for_workers(int(sys.argv[2]))"
        subprocess.run([sys.executable, "-c", waiting, address, str(workers)], check=True)
        yield address
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()
