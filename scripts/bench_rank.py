"""Ranking of a large catalogue, for `scripts/bench.py rank`: exact top-k lists of the model, two towers and MLP.

The benchmark runs the code of `rank` on a model with random weights and 64 hidden units and on generated items and
users: scores by blocks of users, and the exact top k of each row. It measures `--users` and twice as many,
each in its own process; time should double and memory should not. With `--similarity history` the head compares a
candidate with every event of the history, which is the default where impressions are shown; with `user`, with the mean.

With `--retrieve N` only the N items nearest to the user's vector are scored in full; `recall` is then the share of the
items of the exact lists that are retrieved, over 200 users. The recall of random weights is meaningless: `--model DIR`
uses the model and the items of an artifact, with histories drawn from these items.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_TEXT_WIDTH, _WIDTH, _HIDDEN, _HISTORY = 384, 128, 64, 50
_CATEGORIES = (20, 300)  # number at each of the two levels


def add_parser(benches: Any) -> None:
    """Add the subcommand `rank`."""
    parser = benches.add_parser("rank", help="exact lists over a large catalogue")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--top", type=int, default=100)
    parser.add_argument("--retrieve", type=int, default=0, help="items to score in full; 0 = all")
    parser.add_argument("--model", type=Path, default=None, metavar="DIR", help="artifact in place of random weights")
    parser.add_argument("--similarity", choices=["user", "history"], default="user")


def run(arguments: argparse.Namespace) -> None:
    """Measure both numbers of users and print one JSON line for each."""
    for users in (arguments.users, 2 * arguments.users):
        command = [sys.executable, __file__, str(users), str(arguments.items), str(arguments.top)]
        command += [str(arguments.retrieve), arguments.similarity, *([str(arguments.model)] if arguments.model else [])]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        print(output.splitlines()[-1], flush=True)


def _load_or_generate(items: int, similarity: str, model_path: str | None) -> Any:
    """Return a model with its items, of which nothing is known of any user or moment."""
    import numpy as np

    from interestrec.model.two_tower import TwoTower
    from interestrec.model.two_tower_arrays import TwoTowerArrays
    from interestrec.model.two_tower_config import ItemCodes, TwoTowerConfig
    from interestrec.scorers.model_opening import open_model

    if model_path is not None:
        loaded = open_model(Path(model_path))
        return loaded.model
    rng = np.random.default_rng(0)
    config = TwoTowerConfig(
        text_width=_TEXT_WIDTH,
        width=_WIDTH,
        hidden=(_HIDDEN,),
        levels=len(_CATEGORIES),
        max_history=_HISTORY,
        dropout=0.0,
        attributes=(),
        similarity=similarity,  # type: ignore[arg-type]
    )
    model = TwoTower(config, name="two_tower")
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0, 0.1, weight.shape))
    texts = rng.normal(size=(items, _TEXT_WIDTH)).astype(np.float32)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    categories = np.stack([rng.integers(0, n, items) for n in _CATEGORIES], axis=1).astype(np.int32)
    codes = ItemCodes(np.zeros((items, 0), np.int32), categories, np.full(items, np.nan, np.float32))
    return TwoTowerArrays(config, model.export_weights(), model.item_arrays(texts, codes))


def _measure(
    users: int, items: int, top: int, retrieve: int, similarity: str, model_path: str | None = None
) -> dict[str, Any]:
    import numpy as np

    from interestrec.corpus.no_time import NO_TIME
    from interestrec.metrics.calibration import LogitCalibration
    from interestrec.metrics.topk import top_k
    from interestrec.scorers.intensity import Intensity
    from interestrec.scorers.item_search import item_search
    from interestrec.scorers.requests import Requests, request_blocks
    from interestrec.scorers.two_tower_model import TwoTowerModel
    from interestrec.scorers.user_inputs import ItemUserInputs, KnownUsers

    model = _load_or_generate(items, similarity, model_path)
    rng, items = np.random.default_rng(1), len(model.items.texts)
    length = rng.integers(1, _HISTORY + 1, users)
    offsets = np.concatenate([[0], np.cumsum(length)])
    events = int(offsets[-1])
    requests = Requests(
        user=np.arange(users, dtype=np.int32),
        offsets=offsets,
        item=rng.integers(0, items, events).astype(np.int32),
        intensity=rng.uniform(0.1, 1, events).astype(np.float32),
        time=np.zeros(events, np.int64),
        at=np.full(users, NO_TIME),
    )
    columns = sum(shape.columns + shape.dense for shape in model.config.user_features)
    nobody = KnownUsers(np.zeros((users, columns), np.int32), None)
    histories = ItemUserInputs(model.items, model.config.max_history, nobody)
    ranked = TwoTowerModel(model, histories, None, LogitCalibration())
    scorer = Intensity([ranked], item_search(ranked, retrieve or None, "exact"))
    tie_order = rng.permutation(items)
    scorer.score_catalogue(requests.block(0, 1))
    before = resource.getrusage(resource.RUSAGE_SELF)
    time_start = time.monotonic()
    ranked_items = 0
    for start, stop in request_blocks(users, items):
        ranked_items += top_k(scorer.score_catalogue(requests.block(start, stop)), top, tie_order).size
    seconds = time.monotonic() - time_start
    after = resource.getrusage(resource.RUSAGE_SELF)
    recall = None
    if retrieve:
        sample = requests.block(0, 200)
        exact = top_k(Intensity([ranked]).score_catalogue(sample), top, tie_order)
        retrieved = top_k(scorer.score_catalogue(sample), top, tie_order)
        recall = float(np.mean([np.isin(a, b).mean() for a, b in zip(exact, retrieved, strict=True)]))
    return {
        "what": "rank",
        "users": users,
        "items": items,
        "top": top,
        "similarity": model.config.similarity,
        "retrieve": retrieve,
        "recall": recall,
        "listed": ranked_items,
        "seconds": round(seconds, 1),
        "pairs_a_second": round(users * items / seconds),
        "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "peak_gib": round(after.ru_maxrss / 2**20, 2),
    }


if __name__ == "__main__":
    print(json.dumps(_measure(*(int(value) for value in sys.argv[1:5]), *sys.argv[5:])))  # type: ignore[call-arg]
