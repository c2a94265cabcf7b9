"""Users per second of single scorers beside other libraries, for the part `peers` of `scripts/bench.py scale`.

ALS (64 factors) and item kNN are fitted once by our scorers, and every library gets these numbers: the factors of
items and users or the similarities, the histories, and what users have seen, which no list may hold. So all list the
same catalogue by the same scores, and only the way to the best 100 differs. Ours are the blocks of requests of `rank`
on its threads; it computes the user's factors from the history, while the others get them. `implicit` runs in this
environment, `rectools` and `lenskit` in those of `--peer-python` (they ask for different versions of NumPy), each in a
process of its own that waits for its turn; `implicit, recalculated` computes the factors from the history as well.

`overlap` is the share of a peer's listed items with a score other than 0 that are in our list of the same user, or have
the score of its last item: which of equal scores are listed is up to a library.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_WORKER = Path(__file__).with_name("bench_scale_worker.py")
_TOP = 100
_LARGEST = 1e30  # of a score; implicit fills short lists with the lowest number
_ROUNDING = 1e-5  # of scores, relative
_PEERS = {"implicit": ("als", "als_recalculated", "item_knn"), "rectools": ("als", "item_knn")}
_PEERS |= {"lenskit": ("als", "item_knn")}


def compare(config: Path, users: int, rounds: int, pythons: dict[str, str]) -> None:
    """Let ours and the peers take turns, and print one JSON line for each scorer and library."""
    sys.path.insert(0, str(_WORKER.parent.parent))
    from interestrec.config.loading import load_settings
    from interestrec.corpus.store import Corpus
    from interestrec.scorers import queries
    from interestrec.scoring.fit_systems import tie_order

    settings = load_settings(config)
    corpus = Corpus(settings.workspace / "corpus", settings.data.relevant_at)
    requests = queries.catalogue_requests(corpus, queries.TEST)
    known = np.flatnonzero(np.diff(requests.offsets) > 0)[:users]
    requests, to = requests.rows(known), config.with_name("peers")
    to.mkdir(exist_ok=True)
    scorers = _fit(corpus, settings.rank)
    _write(to, scorers, requests)
    tie = tie_order(corpus, settings.seed)
    workers = {name: _Worker(name, python, to) for name, python in {"implicit": sys.executable, **pythons}.items()}
    for name in ("popularity", "als", "item_knn"):
        turns: dict[str, Callable[[], dict[str, Any]]] = {"interestrec": lambda n=name: ours(scorers[n], requests, tie)}
        for library, worker in workers.items():
            for variant in _PEERS[library]:
                if variant.startswith(name):
                    turns[f"{library}, recalculated" if variant != name else library] = lambda w=worker, v=variant: (
                        w.turn(v)
                    )
        _report(name, turns, rounds, {"users": len(requests), "items": corpus.items.num_rows})
    for worker in workers.values():
        worker.end()


def _report(name: str, turns: dict[str, Callable[[], dict[str, Any]]], rounds: int, sizes: dict[str, int]) -> None:
    figures: dict[str, list[dict[str, Any]]] = {library: [] for library in turns}
    for _ in range(rounds):
        for library, turn in turns.items():
            figures[library].append(turn())
    lists = figures["interestrec"][0]["lists"]
    for library, values in figures.items():
        seconds, processor = ([value[key] for value in values] for key in ("seconds", "processor_seconds"))
        own = {"overlap": _overlap(lists, **values[0]["listed"])} if "listed" in values[0] else {}
        record = {"what": "scale", "part": "peers", "scorer": name, "library": library, **sizes}
        record |= {"users_a_second": round(sizes["users"] / min(seconds)), "seconds": [round(n, 2) for n in seconds]}
        print(json.dumps({**record, "processor_seconds": [round(n, 2) for n in processor], **own}), flush=True)


def ours(scorer: Any, requests: Any, tie: np.ndarray) -> dict[str, Any]:
    """Return the lists and what they took."""
    from interestrec.core.prefetch import prefetch
    from interestrec.scorers.catalogue_rows import catalogue_rows
    from interestrec.scorers.permitted_items import Excluded, PermittedItems
    from interestrec.scorers.requests import request_blocks

    permitted = PermittedItems(np.ones(len(tie), dtype=bool), tie)

    def best(ends: tuple[int, int]) -> np.ndarray:
        block = requests.block(*ends)
        return catalogue_rows(scorer, block).best(_TOP, permitted, Excluded(block.offsets, block.item))

    started, processor = time.perf_counter(), time.process_time()
    lists = np.concatenate(list(prefetch(request_blocks(len(requests), len(tie)), best)))
    seconds = time.perf_counter() - started
    return {"lists": lists, "seconds": seconds, "processor_seconds": time.process_time() - processor}


def _fit(corpus: Any, settings: Any) -> dict[str, Any]:
    """Return scorers that are fitted on train and valid with their default settings."""
    from interestrec.scorers import als, item_knn, popularity, queries

    events = queries.positive_events(corpus, queries.TEST)
    known = {"relevant_from": float(corpus.relevant_from)}
    return {
        "popularity": popularity.fit(events, **known, **settings.scorer_settings("popularity")),
        "als": als.fit(events, **known, **settings.scorer_settings("als"), seed=1),
        "item_knn": item_knn.fit(events, **known, **settings.scorer_settings("item_knn")),
    }


def _write(to: Path, scorers: dict[str, Any], requests: Any) -> None:
    """Write what the peers need: factors of all items and of the users, similarities, and weights of histories."""
    from interestrec.scorers.interactions import history_matrix, history_recency_matrix

    als, knn = scorers["als"], scorers["item_knn"]
    factors = np.zeros((als.n_items, als.item_factors.shape[1]), np.float32)
    factors[als.warm_items] = als.item_factors
    damped = history_matrix(requests, als.event_weights, als.n_items).log1p().tocsr()
    history = history_recency_matrix(requests, knn.event_weights, als.n_items, knn.half_life).astype(np.float32)
    history.sort_indices()
    damped.sort_indices()
    arrays = {"item_factors": factors, "user_factors": als.fold_in(damped[:, als.warm_items].tocsr())}
    arrays |= {"regularization": als.regularization, "alpha": als.alpha, "top": _TOP}
    for name, matrix in (("similarity", knn.similarity), ("history", history), ("damped", damped)):
        arrays |= {f"{name}_{part}": getattr(matrix, part) for part in ("data", "indices", "indptr")}
    np.savez(to / "models.npz", **arrays)


def _overlap(lists: np.ndarray, item: np.ndarray, score: np.ndarray) -> float:
    """Return the share of the items of other lists, int [users, k] with scores, that are in ours."""
    counted = (score != 0) & (item >= 0) & (np.abs(score) < _LARGEST)
    last = np.where(counted.all(axis=1), score[:, -1], 0.0)[:, None]
    counted &= np.abs(score - last) > _ROUNDING * np.abs(last)
    found = [np.isin(theirs[kept], mine) for theirs, kept, mine in zip(item, counted, lists, strict=True)]
    return round(float(np.concatenate(found).mean()), 5)


class _Worker:
    """A process of one library that ranks when it is its turn."""

    def __init__(self, library: str, python: str, to: Path) -> None:
        self.to = to / f"lists-{library}.npz"
        command = [python, str(_WORKER), library, str(to / "models.npz"), str(self.to)]
        one = {} if library == "lenskit" else {"OPENBLAS_NUM_THREADS": "1"}  # as implicit asks, which has own threads
        environment, pipe = {**os.environ, **one}, subprocess.PIPE
        self.process = subprocess.Popen(command, text=True, env=environment, stdin=pipe, stdout=pipe)

    def turn(self, scorer: str) -> dict[str, Any]:
        """Return the seconds, and the items and scores of the lists."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{scorer}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.to.stem} ended with exit status {self.process.wait()}")
        with np.load(self.to, allow_pickle=False) as arrays:
            return {**json.loads(answer), "listed": dict(arrays.items())}

    def end(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
