"""Lists of one library for bench_scale_peers.py, which runs this file in the environment of that library.

    bench_scale_worker.py LIBRARY MODELS LISTS

Each line of standard input names a scorer; its lists are written to LISTS, and what they took to standard output. No
library fits anything here. Of RecTools and LensKit what is measured is their way to a list, without tables of ids.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import sparse

Lists = tuple[np.ndarray, np.ndarray]  # items and scores, [users, k] each


def _matrix(arrays: dict[str, np.ndarray], name: str, columns: int) -> sparse.csr_matrix:
    parts = tuple(arrays[f"{name}_{part}"] for part in ("data", "indices", "indptr"))
    return sparse.csr_matrix(parts, shape=(len(parts[2]) - 1, columns))


def _implicit_als(models: SimpleNamespace) -> Any:
    from implicit.cpu.als import AlternatingLeastSquares

    size = models.item_factors.shape[1]
    model = AlternatingLeastSquares(factors=size, regularization=models.regularization, alpha=models.alpha)
    model.item_factors, model.user_factors = models.item_factors, models.user_factors
    return model


def _implicit_knn(models: SimpleNamespace) -> Any:
    from implicit._nearest_neighbours import NearestNeighboursScorer
    from implicit.nearest_neighbours import ItemItemRecommender

    model = ItemItemRecommender(K=100)
    model.similarity = models.similarity.astype(np.float64)
    model.scorer = NearestNeighboursScorer(model.similarity)
    return model


def implicit(scorer: str, models: SimpleNamespace) -> Callable[[], Lists]:
    """`recommend` of all users at once."""
    users = np.arange(models.history.shape[0])
    if scorer == "item_knn":
        model, history = _implicit_knn(models), models.history.astype(np.float64)
        return lambda: model.recommend(users, history, N=models.top)
    model, again = _implicit_als(models), scorer == "als_recalculated"
    return lambda: model.recommend(users, models.damped, N=models.top, recalculate_user=again)


def rectools(scorer: str, models: SimpleNamespace) -> Callable[[], Lists]:
    """The ranker of models with factors, and the model of neighbours."""
    from rectools.models import ImplicitItemKNNWrapperModel
    from rectools.models.rank import Distance, ImplicitRanker

    users = np.arange(models.history.shape[0])
    if scorer == "als":
        ranker = ImplicitRanker(Distance.DOT, models.user_factors, models.item_factors)
        return lambda: _grouped(*ranker.rank(users, models.top, models.damped), len(users), models.top)
    wrapper = ImplicitItemKNNWrapperModel(_implicit_knn(models))
    wrapper.model = wrapper._model
    dataset = SimpleNamespace(get_user_item_matrix=lambda include_weights: models.history.astype(np.float64))
    return lambda: _grouped(*wrapper._recommend_u2i(users, dataset, models.top, True, None), len(users), models.top)


def lenskit(scorer: str, models: SimpleNamespace) -> Callable[[], Lists]:
    """A scorer and the ranker of its pipelines, user by user over all items but those of the history."""
    from lenskit.als import ImplicitMFScorer
    from lenskit.basic import TopNRanker
    from lenskit.data import ItemList, RecQuery, Vocabulary
    from lenskit.data.matrix import SparseRowArray
    from lenskit.knn import ItemKNNScorer

    users, items = models.history.shape
    vocabulary = Vocabulary(np.arange(items))
    if scorer == "als":
        model = ImplicitMFScorer(user_embeddings="prefer", embedding_size=models.item_factors.shape[1])
        model.users, model.user_embeddings = Vocabulary(np.arange(users)), models.user_factors
        model.item_embeddings = models.item_factors
    else:
        model = ItemKNNScorer(feedback="implicit", max_nbrs=items)
        model.sim_matrix, model.item_means = SparseRowArray.from_scipy(models.similarity, large=True), None
        model.item_counts = np.diff(models.similarity.indptr)
    model.items, ranker = vocabulary, TopNRanker(n=models.top)
    pointer, seen = models.history.indptr, models.history.indices

    def ranked() -> Lists:
        rows, item, score = [], [], []
        for user in range(users):
            own = seen[pointer[user] : pointer[user + 1]]
            others = np.ones(items, dtype=bool)
            others[own] = False
            query = RecQuery(user_id=user, user_items=ItemList(item_nums=own, vocabulary=vocabulary))
            best = ranker(items=model(query, ItemList(item_nums=np.flatnonzero(others), vocabulary=vocabulary)))
            rows.append(np.full(len(best), user))
            item.append(best.numbers(vocabulary=vocabulary))
            score.append(best.scores())
        return _grouped(np.concatenate(rows), np.concatenate(item), np.concatenate(score), users, models.top)

    return ranked


def _grouped(row: Any, item: Any, score: Any, users: int, top: int) -> Lists:
    """Return rows of one list after the other as matrices, −1 after the end of a list."""
    row = np.asarray(row)
    place = np.arange(len(row)) - np.searchsorted(row, row)
    items, scores = np.full((users, top), -1), np.zeros((users, top))
    items[row, place], scores[row, place] = item, score
    return items, scores


def main(library: str, models_path: Path, lists_path: Path) -> None:
    """Rank when asked."""
    with np.load(models_path, allow_pickle=False) as file:
        arrays = dict(file.items())
    items = len(arrays["item_factors"])
    models = SimpleNamespace(
        item_factors=arrays["item_factors"],
        user_factors=arrays["user_factors"],
        regularization=float(arrays["regularization"]),
        alpha=float(arrays["alpha"]),
        top=int(arrays["top"]),
        **{name: _matrix(arrays, name, items) for name in ("similarity", "history", "damped")},
    )
    prepared: dict[str, Callable[[], Lists]] = {}
    for line in sys.stdin:
        scorer = line.strip()
        if scorer not in prepared:
            prepared[scorer] = globals()[library](scorer, models)
        started, processor = time.perf_counter(), time.process_time()
        item, score = prepared[scorer]()
        figures = {"seconds": time.perf_counter() - started, "processor_seconds": time.process_time() - processor}
        np.savez(lists_path, item=item, score=score)
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
