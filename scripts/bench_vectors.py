"""Benchmark of given vectors: alignment by `preprocess` from each kind of file, and the load by later stages."""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save_file

from interestrec.corpus.vector_alignment import align_vectors
from interestrec.io import files
from interestrec.io.given_vectors import VectorFile

_ROWS_PER_GROUP = 1 << 15


def _write(directory: Path, items: int, width: int, kind: str) -> VectorFile:
    """Write random vectors of items in another order than that of the items, unless the file exists."""
    path, ids = directory / f"vectors-{items}-{width}.{kind}", directory / f"ids-{items}.txt"
    order = np.random.default_rng(1).permutation(items)
    names = [f"item-{n}" for n in order.tolist()]
    if not path.exists():
        matrix = np.random.default_rng(2).standard_normal((items, width), np.float32)
        if kind == "parquet":
            column = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), width)
            table = pa.table({"item_id": names, "vector": column})
            pq.write_table(table, path, compression="none", use_dictionary=False, row_group_size=_ROWS_PER_GROUP)
        elif kind == "npy":
            np.save(path, matrix)
        else:
            save_file({"vector": matrix}, path)
    if not ids.exists():
        ids.write_text("\n".join(names) + "\n")
    return VectorFile(path, None if kind == "parquet" else ids, "item_id", "vector")


def work(part: str, source: Path, ids: Path, items: int, target: Path) -> None:
    """Align or load in a process of its own, and print seconds and peak memory."""
    if part == "load":
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        vectors = files.map_array(target)
        total = float(sum(vectors[start : start + _ROWS_PER_GROUP].sum() for start in range(0, items, _ROWS_PER_GROUP)))
    else:
        item_ids = pa.array([f"item-{n}" for n in range(items)])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        named = None if source.suffix == ".parquet" else ids
        total = float(align_vectors(VectorFile(source, named, "item_id", "vector"), item_ids, target).found)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak": (peak - before) * 1024, "total": total}))


def add_parser(benches: Any) -> None:
    """Add the subcommand `vectors`."""
    parser = benches.add_parser("vectors", help="alignment and load of given vectors: seconds, memory by their size")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="directory of the generated files")
    parser.add_argument("--items", type=int, default=1_000_000, help="1,000,000 by default")
    parser.add_argument("--width", type=int, default=768, help="768 by default")


def run(arguments: argparse.Namespace) -> None:
    """Run the benchmark with the arguments of the command line."""
    arguments.to.mkdir(parents=True, exist_ok=True)
    target, size = arguments.to / "aligned.npy", arguments.items * arguments.width * 4
    for kind in ("parquet", "npy", "safetensors"):
        source = _write(arguments.to, arguments.items, arguments.width, kind)
        parts = ["align", "load"] if kind == "safetensors" else ["align"]
        for part in parts:
            ids = source.ids or source.path
            command = [sys.executable, __file__, part, source.path, ids, str(arguments.items), target]
            done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
            found = json.loads(done.stdout)
            record = {"what": "vectors", "part": part, "file": kind if part == "align" else "features"}
            record |= {"items": arguments.items, "width": arguments.width, "seconds": round(found["seconds"], 2)}
            record |= {"peak_over_size": round(found["peak"] / size, 3)}
            print(json.dumps(record), flush=True)


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
