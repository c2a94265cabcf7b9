"""The five stages and lists for production on a large log, for `scripts/bench.py scale`, and a comparison with peers.

A shop's log whose users and items follow power laws is generated, with a given vector for each item, and each part is a
process of its own:
`preprocess`, `pretrain-adapt`   of the generated files; no step is taken
`finetune`    `--epochs` over the events; 0 takes the model as it starts
`rank`        fits of all systems by `--trials`, and lists of `--test-users` sampled users
`evaluate`    the report
`as-of`       `rank --as-of now` of `--as-of-users` users by our system alone, after a run for one user that fits it
`peers`       users per second of single scorers beside other libraries, see bench_scale_peers.py; not among the default

Every part prints one JSON line with wall and processor seconds and the peak of resident memory. `log` is the exponent
of the power law that fits the events of users and of items by rank, from the tenth to the tenth part of the last, and
its R². Generated files are kept in `--to` by their sizes; the workspace is kept too, so that parts can follow later.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_scale_peers
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_SCRIPTS = Path(__file__).resolve().parent
_WIDTH = 64  # of the given vectors
_ROWS = 1 << 17  # vectors of a row group
_STAGES = ("preprocess", "pretrain-adapt", "finetune", "rank", "evaluate")
_PARTS = (*_STAGES, "as-of", "peers")

Measure = Callable[..., tuple[int, float, float]]


def add_parser(benches: Any) -> None:
    """Add the subcommand `scale`."""
    parser = benches.add_parser("scale", help="all stages and lists for production on a large log, beside peers")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="directory of logs and workspaces")
    parser.add_argument("--events", type=int, default=217_000, help="217,000 by default")
    parser.add_argument("--users", type=int, default=69_000, help="69,000 by default")
    parser.add_argument("--items", type=int, default=105_000, help="105,000 by default")
    parser.add_argument("--test-users", type=int, default=20_000, help="users whom rank samples; 20,000 by default")
    parser.add_argument("--trials", type=int, default=8, help="rank.trials; 8 by default")
    parser.add_argument("--epochs", type=int, default=1, help="finetune.epochs; 1 by default")
    parser.add_argument("--as-of-users", type=int, default=20_000, help="20,000 by default")
    parser.add_argument("--parts", type=_parts, default=",".join(_PARTS[:-1]), help=f"of {','.join(_PARTS)}")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of interestrec; repeatable")
    parser.add_argument("--peer-users", type=int, default=2_000, help="users of `peers`; 2,000 by default")
    parser.add_argument(
        "--peer-python",
        action="append",
        default=[],
        metavar="LIBRARY=FILE",
        help="interpreter with rectools or lenskit",
    )
    parser.add_argument("--rounds", type=int, default=3, help="of `peers`, in which all take turns; 3 by default")


def run(arguments: argparse.Namespace, measure: Measure) -> None:
    """Generate the log and measure the parts in order."""
    sizes = {name: getattr(arguments, name) for name in ("events", "users", "items")}
    root = arguments.to.resolve() / "scale-{events}-{users}-{items}".format(**sizes)
    _generate(root, sizes)
    config = root / "shop.yaml"
    config.write_text(json.dumps(_settings(root, arguments)))
    bench = _Parts(config, sizes, arguments.set, measure)
    for part in arguments.parts:
        if part == "as-of":
            bench.as_of(arguments.as_of_users)
        elif part == "peers":
            bench_scale_peers.compare(config, arguments.peer_users, arguments.rounds, _pythons(arguments))
        else:
            bench.stage(part, test_users=arguments.test_users, trials=arguments.trials)


class _Parts:
    """Measurements of one configuration."""

    def __init__(self, config: Path, sizes: dict[str, int], overrides: list[str], measure: Measure) -> None:
        self.config, self.measure = config, measure
        self.sizes = {f"log_{name}": size for name, size in sizes.items()}
        self.options = [word for key in overrides for word in ("--set", key)]

    def stage(self, name: str, **fields: Any) -> None:
        """Measure a stage; one that is up to date is made again."""
        words = ["--force"] if (self.config.parent / "workspace" / "versions" / name).exists() else []
        self._report(name, self._run(name, *words), fields if name == "rank" else {})

    def as_of(self, users: int) -> None:
        """Measure lists of some users now; a first run for one user fits what they are made from."""
        workspace = self.config.parent / "workspace"
        ids = pq.read_table(workspace / "corpus" / "users.parquet", columns=["user_id"])["user_id"].to_pylist()
        for part, count in (("as-of, fit", 1), ("as-of, lists", min(users, len(ids)))):
            chosen = self.config.with_name("users.txt")
            chosen.write_text("\n".join(ids[:count]) + "\n")
            figures = self._run("rank", "--as-of", "now", "--users", str(chosen))
            last = (workspace / "lists" / "timing.jsonl").read_text().splitlines()[-1]
            seconds = json.loads(last)["seconds"]
            self._report(part, figures, {"users": count, "users_a_second": round(count / seconds, 1)})

    def _run(self, stage: str, *words: str) -> dict[str, float]:
        """Run a stage in a process; a failure ends the benchmark."""
        command = [sys.executable, "-m", "interestrec", stage, "--quiet", "--config", str(self.config), *self.options]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = {**os.environ, "PYTHONPATH": str(_SCRIPTS.parent)}
        status, seconds, peak = self.measure([*command, *words], stdout=sys.stderr, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if status:
            sys.exit(f"{stage} ended with exit status {status} after {seconds} s at {peak} GiB")
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"seconds": seconds, "processor_seconds": round(processor, 1), "peak_gib": peak}

    def _report(self, part: str, figures: dict[str, float], fields: dict[str, Any]) -> None:
        load = round(os.getloadavg()[0], 1)
        print(json.dumps({"what": "scale", "part": part, **self.sizes, **fields, **figures, "load": load}), flush=True)


def _generate(root: Path, sizes: dict[str, int]) -> None:
    """Generate a log, unless it is there, and print the power laws of its users and items."""
    if not root.exists():
        partial = root.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        options = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
        subprocess.run([sys.executable, _SCRIPTS / "generate.py", "events", "--to", partial, *options], check=True)
        _write_vectors(partial)
        partial.rename(root)
    laws = {}
    for column in ("user", "item"):
        count = np.zeros(sizes[f"{column}s"], np.int64)
        for path in sorted(root.glob("events/*.parquet")):
            for batch in pq.ParquetFile(path).iter_batches(columns=[column]):
                count += np.bincount(batch[column].to_numpy(), minlength=len(count))
        laws[f"{column}s"] = power_law(count)
    print(json.dumps({"what": "scale", "part": "log", **sizes, "power_laws": laws}), flush=True)


def power_law(count: np.ndarray) -> dict[str, float]:
    """Return the exponent a of count ∝ rank^−a by least squares of the logarithms, its R², and the largest count."""
    ordered = np.sort(count)[::-1]
    rank = np.unique(np.geomspace(10, max(len(ordered) // 10, 20), 50).astype(np.int64))
    rank = rank[ordered[rank - 1] > 0]
    x, y = np.log(rank), np.log(ordered[rank - 1])
    exponent = np.polyfit(x, y, 1)[0]
    fit = np.corrcoef(x, y)[0, 1] ** 2
    return {"exponent": round(-float(exponent), 2), "r_squared": round(float(fit), 3), "largest": int(ordered[0])}


def _write_vectors(root: Path) -> None:
    """Write a vector for each item, near that of its category."""
    items = pq.read_table(root / "items.parquet", columns=["item", "category"])
    category = items["category"].combine_chunks().dictionary_encode()
    rng = np.random.default_rng(0)
    centre = rng.standard_normal((len(category.dictionary), _WIDTH), np.float32)
    code = category.indices.to_numpy()
    vector = pa.list_(pa.float32(), _WIDTH)
    with pq.ParquetWriter(root / "vectors.parquet", pa.schema({"item_id": pa.int64(), "vector": vector})) as writer:
        for start in range(0, len(code), _ROWS):
            part = slice(start, start + _ROWS)
            values = centre[code[part]] + rng.standard_normal((len(code[part]), _WIDTH), np.float32)
            column = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), _WIDTH)
            ids = items["item"].slice(start, len(column)).combine_chunks()
            writer.write_table(pa.table({"item_id": ids, "vector": column}))


def _settings(root: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """The configuration; the log is of purchases alone."""
    fields = [{"name": "description", "kind": "vector", "encoder": "large"}, {"name": "category", "kind": "category"}]
    columns = {"item": "item", "title": ["title"], "category": "category", "price": "price"}
    events = {"files": ["events/*.parquet"], "columns": {"user": "user", "item": "item", "time": "time"}}
    return {
        "version": 1,
        "workspace": str(root / "workspace"),
        "data": {
            "format": "events",
            "root": str(root),
            "events": {**events, "event": "purchase"},
            "items": {"files": ["items.parquet"], "columns": columns},
        },
        "items": {"fields": fields},
        "encoders": {"large": {"kind": "vectors", "source": str(root / "vectors.parquet")}},
        "preprocess": {"split": {"method": "global_time", "valid": 0.1, "test": 0.2}},
        "finetune": {"epochs": arguments.epochs},
        "rank": {"trials": arguments.trials, "users": {"sample": arguments.test_users}},
    }


def _pythons(arguments: argparse.Namespace) -> dict[str, str]:
    return dict(choice.split("=", 1) for choice in arguments.peer_python)


def _parts(text: str) -> list[str]:
    if unknown := set(text.split(",")) - set(_PARTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(_PARTS)}")
    return [part for part in _PARTS if part in text.split(",")]
