#!/usr/bin/env python3
"""Benchmarks: wall time and peak memory of a command, and stages at scale in comparison with other libraries.

    scripts/bench.py run -- ./scripts/quickstart.sh
    scripts/bench.py preprocess --to workspace/bench                       # 2,200,000 impressions, 100,000,000 events
    scripts/bench.py preprocess --to workspace/bench --impressions 20000 --events 200000 --parts mind,pandas
    scripts/bench.py encode --texts data/mind/news.tsv --repeats 5    # see bench_encode.py
    scripts/bench.py train --corpus workspace/news/corpus             # see bench_train.py
    scripts/bench.py rank --users 10000 --items 100000                # see bench_rank.py
    scripts/bench.py search --items 100000,1000000                    # see bench_search.py
    scripts/bench.py evaluate --to workspace/bench                    # see bench_evaluate.py
    scripts/bench.py pictures --encoder data/encoders/efficientnet-lite0   # see bench_pictures.py
    scripts/bench.py quality --to workspace/quality --data /mnt/sets  # see bench_quality.py
    scripts/bench.py vectors --to workspace/bench                     # see bench_vectors.py
    scripts/bench.py memory --to workspace/bench                      # see bench_memory.py
    scripts/bench.py cluster --to workspace/bench                     # see bench_cluster.py
    scripts/bench.py scale --to workspace/bench                       # see bench_scale.py
    scripts/bench.py serve --config shop --to workspace/serve         # see bench_serve.py
    scripts/bench.py tune --to workspace/tune --data /mnt/sets        # see bench_tune.py

The benchmarks need psutil (`pip install interestrec[bench]`). Memory is the resident set, sampled twenty times per
second and summed over the processes that the command starts; pages shared by processes count once per process. Every
measurement is one JSON line on standard output. `run` returns the command's exit status.

Parts of `preprocess`, on logs that scripts/generate.py writes into the directory if they do not exist:
`mind`    news in MIND layout, and the same with twice the impressions, items and users
`events`  a shop's log in Parquet
`pandas`  a tenth of `mind`, compared with scripts/pandas_preprocess.py, with the rows of both outputs
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import bench_cluster
import bench_encode
import bench_evaluate
import bench_memory
import bench_pictures
import bench_quality
import bench_rank
import bench_scale
import bench_search
import bench_serve
import bench_train
import bench_tune
import bench_vectors
import psutil

_SECONDS_BETWEEN_SAMPLES = 0.05
_SCRIPTS = Path(__file__).resolve().parent
_ENCODER = _SCRIPTS.parent / "data" / "encoders" / "minilm-l6"
_TABLES = ("items", "users", "timelines", "impressions", "candidates")

_MIND = """version: 1
workspace: {workspace}
data:
  format: mind
  root: {root}
  news: [news.tsv]
  train: [behaviors_train.tsv]
  valid: [behaviors_valid.tsv]
  test: [behaviors_test.tsv]
items:
  fields:
    - {{name: title, max_tokens: 30}}
    - {{name: text, max_tokens: 60}}
preprocess:
  split: {{method: given}}
encoders:
  text: {{source: {encoder}}}
"""

_EVENTS = """version: 1
workspace: {workspace}
data:
  format: events
  root: {root}
  relevant_at: 0.5
  events:
    files: {files}
    columns: {{user: user, item: item, time: time, event: kind, value: value}}
  items:
    files: [items.parquet]
    columns: {{item: item, title: [title], category: category, price: price}}
preprocess:
  intensity:
    weights: {{view: 0.2, cart: 0.5, purchase: 1.0}}
  split: {{method: global_time, valid: 0.1, test: 0.2}}
encoders:
  text: {{source: {encoder}}}
"""


def resident(root: psutil.Process) -> int:
    """Sum the resident bytes of a process and its descendants; a process that has ended counts as 0."""
    total = 0
    try:
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return total


def measure(command: list[str], **options: Any) -> tuple[int, float, float]:
    """Run a command with options of Popen and return (exit status, seconds, peak GiB)."""
    start = time.monotonic()
    child = subprocess.Popen(command, **options)
    process, peak = psutil.Process(child.pid), 0
    while child.poll() is None:
        peak = max(peak, resident(process))
        time.sleep(_SECONDS_BETWEEN_SAMPLES)
    return child.returncode, round(time.monotonic() - start, 1), round(peak / 2**30, 2)


def run(command: list[str]) -> int:
    """Run a command, print its time and memory, and return its exit status."""
    status, seconds, peak = measure(command)
    print(json.dumps({"command": command, "seconds": seconds, "peak_gib": peak}))
    return status


class PreprocessBench:
    """Benchmark of `interestrec preprocess` on generated logs in one directory; measurements are printed and stored."""

    def __init__(self, to: Path, encoder: Path) -> None:
        self.to, self.encoder = to.resolve(), encoder.resolve()
        self.measurements: list[dict[str, Any]] = []

    def mind(self, impressions: int) -> None:
        """Measure on the input, and on twice the input."""
        single, double = (self._interestrec_mind(f"mind x{n}", n * impressions) for n in (1, 2))
        self._ratio("mind, twice the input", double, single)

    def events(self, events: int) -> None:
        """Measure on an event log in Parquet parts."""
        root = self._generate("events", events=events, users=max(1, events // 50), items=max(100, events // 200))
        files = sorted(str(path.relative_to(root)) for path in root.glob("events/*.parquet"))
        self._interestrec("events", root, _EVENTS, {"events": events}, files=json.dumps(files))

    def pandas(self, impressions: int) -> None:
        """Measure on a tenth of the impressions with interestrec and with pandas."""
        package = self._interestrec_mind("mind / 10", impressions // 10)
        root, output = self._generate_mind(impressions // 10), self.to / "pandas"
        shutil.rmtree(output, ignore_errors=True)
        script = [str(_SCRIPTS / "pandas_preprocess.py"), "--data", str(root), "--encoder", str(self.encoder)]
        size = {"impressions": impressions // 10}
        baseline = self._measure("mind / 10", "pandas", [*script, "--to", str(output)], root, size, output)
        self._ratio("pandas / interestrec", baseline, package, equal_rows=baseline["rows"] == package["rows"])

    def table(self) -> str:
        """Format all measurements as a table."""
        lines = [f"{'what':<24}{'tool':<14}{'seconds':>9}{'peak GiB':>10}  rows of the candidates"]
        for record in self.measurements:
            rows = f"{record['rows']['candidates']:,}" if "rows" in record else ""
            if "equal_rows" in record:
                rows = "all rows equal" if record["equal_rows"] else "ROWS DIFFER"
            numbers = f"{record['seconds']:>9.1f}{record['peak_gib']:>10.2f}"
            if record["tool"] == "ratio":
                numbers = f"{record['seconds']:>8.2f}x{record['peak_gib']:>9.2f}x"
            lines.append(f"{record['what']:<24}{record['tool']:<14}{numbers}  {rows}")
        return "\n".join(lines)

    def _interestrec_mind(self, title: str, impressions: int) -> dict[str, Any]:
        return self._interestrec(title, self._generate_mind(impressions), _MIND, {"impressions": impressions})

    def _interestrec(self, title: str, root: Path, config: str, size: dict[str, int], **values: str) -> dict[str, Any]:
        """Measure `interestrec preprocess` in a new workspace."""
        workspace = self.to / f"workspace-{root.name}"
        shutil.rmtree(workspace, ignore_errors=True)
        paths = {"workspace": workspace, "root": root, "encoder": self.encoder}
        path = self.to / f"{root.name}.yaml"
        path.write_text(config.format(**{key: json.dumps(str(value)) for key, value in paths.items()}, **values))
        command = ["-m", "interestrec", "preprocess", "--quiet", "--config", str(path)]
        return self._measure(title, "interestrec", command, root, size, workspace / "corpus")

    def _measure(
        self, title: str, tool: str, command: list[str], root: Path, size: dict[str, int], output: Path
    ) -> dict[str, Any]:
        """Measure a Python process; a failure ends the benchmark."""
        status, seconds, peak = measure([sys.executable, *command], stdout=sys.stderr)
        if status:
            sys.exit(f"{tool} on {root} ended with exit status {status} after {seconds} s at {peak} GiB")
        input_bytes = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
        record = {"what": title, "tool": tool, **size, "input_mib": round(input_bytes / 2**20), "seconds": seconds}
        return self._report({**record, "peak_gib": peak, "rows": _rows(output)})

    def _ratio(self, title: str, numerator: dict[str, Any], denominator: dict[str, Any], **fields: Any) -> None:
        ratios = {key: round(numerator[key] / denominator[key], 2) for key in ("seconds", "peak_gib")}
        self._report({"what": title, "tool": "ratio", **ratios, **fields})

    def _report(self, record: dict[str, Any]) -> dict[str, Any]:
        print(json.dumps(record), flush=True)
        self.measurements.append(record)
        return record

    def _generate_mind(self, impressions: int) -> Path:
        """Generate a log with the proportions of MIND-large."""
        items, users = max(100, impressions * 160 // 2200), max(1, impressions * 700 // 2200)
        return self._generate("mind", impressions=impressions, items=items, users=users)

    def _generate(self, shape: str, **sizes: int) -> Path:
        """Return the directory of a generated log, which is staged and renamed if it does not exist."""
        directory = self.to / f"{shape}-{next(iter(sizes.values()))}"
        if not directory.exists():
            partial = directory.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            options = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
            command = [sys.executable, str(_SCRIPTS / "generate.py"), shape, "--to", str(partial), *options]
            print(f"generating {directory}", file=sys.stderr)
            subprocess.run(command, check=True)
            partial.replace(directory)
        return directory


def _rows(output: Path) -> dict[str, int]:
    """Count the rows of each table of a corpus."""
    import pyarrow.parquet as pq

    return {name: pq.read_metadata(output / f"{name}.parquet").num_rows for name in _TABLES}


def preprocess(to: Path, encoder: Path, impressions: int, events: int, parts: list[str]) -> None:
    """Run the parts in order and print the table."""
    to.mkdir(parents=True, exist_ok=True)
    bench = PreprocessBench(to, encoder)
    sizes = {"mind": impressions, "events": events, "pandas": impressions}
    for part in parts:
        getattr(bench, part)(sizes[part])
    print(bench.table(), file=sys.stderr)


def _parts(text: str) -> list[str]:
    choices = ("mind", "events", "pandas")
    if unknown := set(text.split(",")) - set(choices):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(choices)}")
    return [part for part in choices if part in text.split(",")]


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benches = parser.add_subparsers(dest="bench", required=True)
    runs = benches.add_parser("run", help="wall time and peak memory of a command")
    runs.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="the command to run")
    stage = benches.add_parser("preprocess", help="interestrec preprocess at scale, compared with pandas")
    stage.add_argument("--to", type=Path, required=True, metavar="DIR", help="directory for logs and workspaces")
    stage.add_argument("--impressions", type=int, default=2_200_000, help="2,200,000 by default")
    stage.add_argument("--events", type=int, default=100_000_000, help="100,000,000 by default")
    stage.add_argument("--parts", type=_parts, default="mind,events,pandas", help="mind,events,pandas by default")
    stage.add_argument("--encoder", type=Path, default=_ENCODER, metavar="DIR", help="data/encoders/minilm-l6")
    bench_encode.add_parser(benches, _ENCODER)
    bench_train.add_parser(benches, _ENCODER)
    bench_rank.add_parser(benches)
    bench_search.add_parser(benches)
    bench_evaluate.add_parser(benches)
    bench_quality.add_parser(benches)
    bench_vectors.add_parser(benches)
    bench_memory.add_parser(benches, _ENCODER)
    bench_serve.add_parser(benches)
    bench_pictures.add_parser(benches)
    bench_cluster.add_parser(benches, _ENCODER)
    bench_scale.add_parser(benches)
    bench_tune.add_parser(benches)
    arguments = parser.parse_args()
    modules = {"encode": bench_encode, "train": bench_train, "rank": bench_rank, "search": bench_search}
    modules |= {"memory": bench_memory, "vectors": bench_vectors, "pictures": bench_pictures, "serve": bench_serve}
    modules |= {"cluster": bench_cluster, "tune": bench_tune}
    if arguments.bench in modules:
        modules[arguments.bench].run(arguments)
        return
    measured = {"evaluate": bench_evaluate, "quality": bench_quality, "scale": bench_scale}
    if arguments.bench in measured:
        measured[arguments.bench].run(arguments, measure)
        return
    if arguments.bench == "preprocess":
        sizes = (arguments.impressions, arguments.events)
        preprocess(arguments.to, arguments.encoder, *sizes, arguments.parts)
        return
    command = [part for part in arguments.command if part != "--"]
    if not command:
        parser.error("a command is missing after --")
    sys.exit(run(command))


if __name__ == "__main__":
    main()
