"""Ranking a large catalogue, for `scripts/bench.py rank`: exact lists of the best by the model, two towers and MLP.

A model with random weights and 64 hidden units, generated items and users, and the code that `rank` runs: scores by
blocks of users, calibrated, and the exact top k of each row. Each number of users runs in a process of its own; that of
`--users` and twice as many, so that time should double and memory should not. With `--similarity history` the head
compares a candidate with every event of the history, as it does by default; with `user` with the user's vector.

With `--retrieve N` only the N items nearest to the user's vector are scored in full; `recall` is then the share of the
exact lists' items that are found so, over 200 users. That of random weights says nothing: `--model DIR` takes the model
and the items of an artifact, and histories of items drawn from these.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_WIDTH, _HIDDEN, _HISTORY = 384, 64, 50
_CATEGORIES = (20, 300)  # at the two levels of the path


def add_parser(benches: Any) -> None:
    """The arguments of `rank`."""
    parser = benches.add_parser("rank", help="exact lists over a large catalogue")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--top", type=int, default=100)
    parser.add_argument("--retrieve", type=int, default=0, help="0: all items")
    parser.add_argument("--model", type=Path, default=None, metavar="DIR", help="artifact in place of random weights")
    parser.add_argument("--similarity", choices=["user", "history"], default="user")


def run(arguments: argparse.Namespace) -> None:
    """Measure both numbers of users; one JSON line each."""
    for users in (arguments.users, 2 * arguments.users):
        command = [sys.executable, __file__, str(users), str(arguments.items), str(arguments.top)]
        command += [str(arguments.retrieve), arguments.similarity, *([str(arguments.model)] if arguments.model else [])]
        found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
        print(found, flush=True)


def _made(items: int, similarity: str, model_path: str | None) -> Any:
    """A model, and the vectors and categories of items."""
    import numpy as np

    from interestrec.io import files
    from interestrec.model.two_tower import TwoTower, TwoTowerConfig, load_two_tower

    if model_path is not None:
        arrays = files.read_safetensors(Path(model_path) / "item_vectors.safetensors")
        return load_two_tower(Path(model_path)), arrays["item"], arrays["category"]
    rng = np.random.default_rng(0)
    config = TwoTowerConfig(_WIDTH, (_HIDDEN,), len(_CATEGORIES), _HISTORY, 0.0, (), similarity)  # type: ignore[arg-type]
    model = TwoTower(config, name="two_tower")
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0, 0.1, weight.shape))
    vectors = rng.normal(size=(items, _WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    categories = np.stack([rng.integers(0, n, items) for n in _CATEGORIES], axis=1).astype(np.int32)
    return model, vectors, categories


def _lists(
    users: int, items: int, top: int, retrieve: int, similarity: str, model_path: str | None = None
) -> dict[str, Any]:
    import numpy as np

    from interestrec.metrics.calibration import LogitCalibration
    from interestrec.metrics.topk import top_k
    from interestrec.scorers.intensity import Intensity
    from interestrec.scorers.requests import Requests, request_blocks
    from interestrec.scorers.user_inputs import ItemUserInputs

    model, vectors, categories = _made(items, similarity, model_path)
    rng, items = np.random.default_rng(1), len(vectors)
    length = rng.integers(1, _HISTORY + 1, users)
    offsets = np.concatenate([[0], np.cumsum(length)])
    events = int(offsets[-1])
    requests = Requests(
        user=np.arange(users, dtype=np.int32),
        offsets=offsets,
        item=rng.integers(0, items, events).astype(np.int32),
        intensity=rng.uniform(0.1, 1, events).astype(np.float32),
        time=np.zeros(events, np.int64),
    )
    read = ItemUserInputs(vectors, categories, model.config.max_history)
    scorer = Intensity(model, vectors, categories, LogitCalibration(), read, retrieve or None)
    precedence = rng.permutation(items)
    scorer.score_catalogue(requests.block(0, 1))
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.monotonic()
    listed = 0
    for start, stop in request_blocks(users, items):
        listed += top_k(scorer.score_catalogue(requests.block(start, stop)), top, precedence).size
    seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    recall = None
    if retrieve:
        some = requests.block(0, 200)
        wanted = top_k(
            Intensity(model, vectors, categories, LogitCalibration(), read).score_catalogue(some), top, precedence
        )
        found = top_k(scorer.score_catalogue(some), top, precedence)
        recall = float(np.mean([np.isin(a, b).mean() for a, b in zip(wanted, found, strict=True)]))
    return {
        "what": "rank",
        "users": users,
        "items": items,
        "top": top,
        "similarity": model.config.similarity,
        "retrieve": retrieve,
        "recall": recall,
        "listed": listed,
        "seconds": round(seconds, 1),
        "pairs_a_second": round(users * items / seconds),
        "processor_seconds": round(used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime, 1),
        "peak_gib": round(used.ru_maxrss / 2**20, 2),
    }


if __name__ == "__main__":
    print(json.dumps(_lists(*(int(value) for value in sys.argv[1:5]), *sys.argv[5:])))  # type: ignore[call-arg]
