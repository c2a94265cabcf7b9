"""Search of the items nearest to a user, for `scripts/bench.py search`: among all items, and along a graph of them.

Items are generated: a text vector around one of 1,000 topics, of length 1, and a vector as a candidate of a length of
its own; the history of a user is 4 items of each of two topics. Both searches are those of `rank`, each on one thread.
`recall` is the share of the items of the exact search that the approximate one finds, over 200 users. How well it finds
the vectors of a trained model, `rank` says itself when it fits.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

_CANDIDATE_WIDTH, _LATENT, _TOPICS, _USERS, _BATCH = 32, 64, 1000, 200, 32


def add_parser(benches: Any) -> None:
    """Add the subcommand `search`."""
    parser = benches.add_parser("search", help="exact and approximate search of the nearest items")
    parser.add_argument("--items", default="100000,200000,1000000", help="100000,200000,1000000 by default")
    parser.add_argument("--width", type=int, default=416, help="of both vectors of an item together; 416 by default")
    parser.add_argument("--retrieve", type=int, default=500, help="items to find; 500 by default")


def run(arguments: argparse.Namespace) -> None:
    """Measure each number of items in a process of its own and print one JSON line for each."""
    for items in arguments.items.split(","):
        command = [sys.executable, __file__, items, str(arguments.width), str(arguments.retrieve)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        print(output.splitlines()[-1], flush=True)


def _generate(items: int, width: int) -> Any:
    """Return the catalogue of a model whose `user` takes rows of items, int64 [users, history]; item i is of the topic
    i modulo `_TOPICS`.
    """
    from types import SimpleNamespace

    import numpy as np

    from interestrec.model.catalogue_logits import CatalogueLogits

    def random(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    def unit(rows: np.ndarray) -> np.ndarray:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    rng, text_width = np.random.default_rng(0), width - _CANDIDATE_WIDTH
    topics, to_text, to_candidate = (
        random(_TOPICS, _LATENT),
        random(_LATENT, text_width),
        random(_LATENT, _CANDIDATE_WIDTH),
    )
    texts, candidates = np.empty((items, text_width), np.float32), np.empty((items, _CANDIDATE_WIDTH), np.float32)
    for start in range(0, items, 1 << 16):
        rows = slice(start, min(start + (1 << 16), items))
        count = rows.stop - rows.start
        latent = topics[np.arange(rows.start, rows.stop) % _TOPICS] + 0.8 * random(count, _LATENT)
        texts[rows] = unit(latent @ to_text + 3.0 * random(count, text_width))
        candidates[rows] = unit(latent @ to_candidate) * np.exp(0.3 * random(count, 1))

    def user(rows: np.ndarray) -> SimpleNamespace:
        return SimpleNamespace(vector=candidates[rows].mean(axis=1), text=texts[rows].mean(axis=1))

    scales = {"gain": np.float32(0.5), "scale": np.float32(5.0)}
    model = SimpleNamespace(items=SimpleNamespace(texts=texts, candidates=candidates), head=scales.get, user=user)
    return CatalogueLogits(model)  # type: ignore[arg-type]


def _milliseconds(search: Callable[[Any], Any], queries: list[Any]) -> float:
    """Return the milliseconds of one search, the median of all."""
    import numpy as np

    search(queries[0])
    seconds = []
    for query in queries:
        start = time.perf_counter()
        search(query)
        seconds.append(time.perf_counter() - start)
    return round(1000 * float(np.median(seconds)), 2)


def _measure(items: int, width: int, retrieve: int) -> dict[str, Any]:
    import numpy as np

    from interestrec.scorers.item_search import ApproximateSearch, ExactSearch

    catalogue = _generate(items, width)
    rng = np.random.default_rng(1)
    topics = np.repeat(rng.integers(0, _TOPICS, (_USERS, 2)), 4, axis=1)
    histories = topics + _TOPICS * rng.integers(0, items // _TOPICS, topics.shape)
    start = time.perf_counter()
    approximate, exact = ApproximateSearch.of(catalogue, retrieve), ExactSearch(catalogue, retrieve)
    built = time.perf_counter() - start
    singles, batches = np.split(histories[:50], 50), np.split(histories[: 4 * _BATCH], 4)
    found: dict[str, Any] = {"what": "search", "items": items, "width": width, "retrieve": retrieve}
    found |= {"build_seconds": round(built, 1), "mib": round(approximate.stored.size / 2**20)}
    for name, search in (("exact", exact.nearest), ("approximate", approximate.nearest)):
        found[f"{name}_ms"] = _milliseconds(search, singles)
        found[f"{name}_ms_of_{_BATCH}"] = _milliseconds(search, batches)
    shares = [
        np.isin(true, near).mean()
        for block in np.split(histories, 20)
        for true, near in zip(exact.nearest(block), approximate.nearest(block), strict=True)
    ]
    return found | {"recall": round(float(np.mean(shares)), 4)}


if __name__ == "__main__":
    print(json.dumps(_measure(*(int(value) for value in sys.argv[1:4]))))
