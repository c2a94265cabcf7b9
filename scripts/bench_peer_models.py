"""Models of other libraries for bench_peers.py, which runs this file in the environment of one library.

    bench_peer_models.py MODEL DIRECTORY SECONDS

A model is fitted on events by numbers of users and items, and returns the best items of users whom it knows. The first
settings are the library's own defaults (for SASRec a small network), the others are tried in a fixed order until the
seconds have passed. A trial is not interrupted, so that the first one may take longer.
"""

import itertools
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Settings = dict[str, Any]
Lists = pd.DataFrame  # user, item, score: the items of each user, best first
Recommend = Callable[[np.ndarray, int], Lists]  # from users and a number of items


def rectools(build: Callable[[Settings], Any]) -> Callable[[pd.DataFrame, Settings], Recommend]:
    """Return the fit of a model of RecTools."""

    def fit(events: pd.DataFrame, settings: Settings) -> Recommend:
        from rectools.dataset import Dataset

        times = pd.to_datetime(events["time"].clip(lower=0), unit="us")
        order = pd.to_timedelta(np.arange(len(events)), unit="us")  # events at equal times keep their order
        frame = pd.DataFrame({"user_id": events["user"], "item_id": events["item"], "weight": 1.0})
        dataset = Dataset.construct(frame.assign(datetime=times + order))
        model = build(settings)
        model.fit(dataset)

        def recommend(users: np.ndarray, k: int) -> Lists:
            lists = model.recommend(users=users, dataset=dataset, k=k, filter_viewed=False)
            return lists.rename(columns={"user_id": "user", "item_id": "item"})[["user", "item", "score"]]

        return recommend

    return fit


def _sasrec(settings: Settings) -> Any:
    from rectools.models import SASRecModel

    return SASRecModel(loss="softmax", deterministic=True, verbose=0, **settings)


def _esasrec(settings: Settings) -> Any:
    """eSASRec: LiGR layers and sampled softmax."""
    from rectools.models import SASRecModel
    from rectools.models.nn.transformers.ligr import LiGRLayers

    fixed = {"loss": "sampled_softmax", "n_negatives": 256, "transformer_layers_type": LiGRLayers}
    return SASRecModel(deterministic=True, verbose=0, **fixed, **settings)


def _ease(settings: Settings) -> Any:
    from rectools.models import EASEModel

    return EASEModel(**settings)


def _ials(settings: Settings) -> Any:
    from implicit.als import AlternatingLeastSquares
    from rectools.models import ImplicitALSWrapperModel

    return ImplicitALSWrapperModel(AlternatingLeastSquares(random_state=1, **settings))


def implicit(build: Callable[[Settings], Any]) -> Callable[[pd.DataFrame, Settings], Recommend]:
    """Return the fit of a model of implicit."""

    def fit(events: pd.DataFrame, settings: Settings) -> Recommend:
        from scipy.sparse import csr_matrix

        ones = np.ones(len(events), np.float32)
        matrix = csr_matrix((ones, (events["user"], events["item"])))
        model = build(settings)
        model.fit(matrix, show_progress=False)

        def recommend(users: np.ndarray, k: int) -> Lists:
            n = min(k, matrix.shape[1])
            items, scores = model.recommend(users, matrix[users], N=n, filter_already_liked_items=False)
            lists = {"user": np.repeat(users, n), "item": items.ravel(), "score": scores.ravel().astype(np.float64)}
            frame = pd.DataFrame(lists)
            return frame[(frame["item"] >= 0) & (frame["score"] > np.finfo(np.float32).min)]

        return recommend

    return fit


def _item_knn(settings: Settings) -> Any:
    from implicit import nearest_neighbours

    return getattr(nearest_neighbours, settings["similarity"])(K=settings["K"])


def _bpr(settings: Settings) -> Any:
    from implicit.bpr import BayesianPersonalizedRanking

    return BayesianPersonalizedRanking(random_state=1, num_threads=1, **settings)


def lenskit(build: Callable[[Settings], Any]) -> Callable[[pd.DataFrame, Settings], Recommend]:
    """Return the fit of a scorer of LensKit in its pipeline for top-n lists."""

    def fit(events: pd.DataFrame, settings: Settings) -> Recommend:
        from lenskit.batch import recommend as recommend_batch
        from lenskit.data import from_interactions_df
        from lenskit.pipeline import topn_pipeline

        frame = events.rename(columns={"user": "user_id", "item": "item_id"})[["user_id", "item_id"]]
        pipeline = topn_pipeline(build(settings))
        pipeline.train(from_interactions_df(frame.drop_duplicates()))

        def recommend(users: np.ndarray, k: int) -> Lists:
            lists = recommend_batch(pipeline, users.tolist(), n=k, n_jobs=1).to_df()
            return lists.rename(columns={"user_id": "user", "item_id": "item"})[["user", "item", "score"]]

        return recommend

    return fit


def _lenskit_item_knn(settings: Settings) -> Any:
    from lenskit.knn import ItemKNNScorer

    return ItemKNNScorer(feedback="implicit", **settings)


def _lenskit_ials(settings: Settings) -> Any:
    from lenskit.als import ImplicitMFScorer

    return ImplicitMFScorer(**settings)


# One trial with RecTools' defaults (256 factors, two blocks) takes minutes on a processor; a small network comes first.
_SMALL = {"n_factors": 64, "n_blocks": 1, "epochs": 5, "dropout_rate": 0.1}

# Model -> fit, first settings, values of each setting to try.
MODELS: dict[str, tuple[Callable[[pd.DataFrame, Settings], Recommend], Settings, dict[str, list[Any]]]] = {
    "rectools_sasrec": (
        rectools(_sasrec),
        _SMALL,
        {"n_factors": [64, 128], "n_blocks": [1, 2], "epochs": [5, 20, 40], "dropout_rate": [0.1, 0.3]},
    ),
    "rectools_esasrec": (
        rectools(_esasrec),
        _SMALL,
        {"n_factors": [64, 128], "n_blocks": [1, 2], "epochs": [5, 20, 40], "dropout_rate": [0.1, 0.3]},
    ),
    "rectools_ease": (rectools(_ease), {}, {"regularization": [30.0, 100.0, 250.0, 1000.0, 3000.0]}),
    "rectools_ials": (
        rectools(_ials),
        {},
        {"factors": [32, 64, 128], "regularization": [0.01, 1.0, 10.0], "alpha": [1.0, 10.0, 40.0]},
    ),
    "implicit_item_knn": (
        implicit(_item_knn),
        {"similarity": "BM25Recommender", "K": 20},
        {"similarity": ["BM25Recommender", "CosineRecommender", "TFIDFRecommender"], "K": [20, 50, 100, 300]},
    ),
    "implicit_bpr": (
        implicit(_bpr),
        {},
        {"factors": [32, 64, 128], "learning_rate": [0.01, 0.05], "regularization": [0.001, 0.01, 0.1]},
    ),
    "lenskit_item_knn": (lenskit(_lenskit_item_knn), {}, {"max_nbrs": [10, 20, 50, 100], "save_nbrs": [None, 200]}),
    "lenskit_ials": (
        lenskit(_lenskit_ials),
        {},
        {"embedding_size": [32, 64, 128], "regularization": [0.01, 0.1, 1.0], "weight": [10.0, 40.0]},
    ),
}


def read(path: Path) -> pd.DataFrame:
    """Return the arrays of a file as columns."""
    with np.load(path, allow_pickle=False) as arrays:
        return pd.DataFrame(dict(arrays.items()))


class Phase:
    """The events and users of one phase, `valid` or `test`."""

    def __init__(self, directory: Path, name: str) -> None:
        self.events = read(directory / f"{name}_events.npz")
        self.users = read(directory / f"{name}_users.npz")["user"].to_numpy()
        self.seen = read(directory / f"{name}_seen.npz").drop_duplicates()
        self.known = self.users[np.isin(self.users, self.events["user"])]

    def lists(self, recommend: Recommend, k: int) -> Lists:
        """Return the first k unseen items per user, with `rank`; unknown users get the most popular items."""
        longest = int(self.seen.groupby("user").size().max()) if len(self.seen) else 0
        found = recommend(self.known, k + longest)[["user", "item", "score"]]
        counts = self.events["item"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        popular = pd.DataFrame({"item": counts.index, "score": counts.to_numpy(float)}).head(k + longest)
        unknown = pd.DataFrame({"user": np.setdiff1d(self.users, self.known)})
        found = pd.concat([found, unknown.merge(popular, how="cross")]).astype({"score": float})
        found = found.merge(self.seen, on=["user", "item"], how="left", indicator=True)
        found = (
            found[found["_merge"] == "left_only"]
            .drop(columns="_merge")
            .sort_values(["user", "score"], ascending=[True, False], kind="stable")
        )
        found["rank"] = found.groupby("user").cumcount() + 1
        return found[found["rank"] <= k]


def ndcg(lists: Lists, truth: pd.DataFrame, k: int = 10) -> float:
    """Return the mean ndcg@k over the users of the truth."""
    hits = lists[lists["rank"] <= k].merge(truth, on=["user", "item"])
    gain = (1 / np.log2(1 + hits["rank"])).groupby(hits["user"]).sum()
    ideal = np.cumsum(1 / np.log2(1 + np.arange(1, k + 1)))
    relevant = truth.groupby("user").size()
    best = pd.Series(ideal[np.minimum(relevant.to_numpy(), k) - 1], index=relevant.index)
    return float((gain.reindex(best.index).fillna(0) / best).mean())


def candidates(default: Settings, grid: dict[str, list[Any]]) -> Iterator[Settings]:
    """Yield the default settings and then all combinations in a fixed random order."""
    yield default
    combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    random.Random(1).shuffle(combinations)
    yield from (settings for settings in combinations if settings != default)


def main(name: str, directory: Path, seconds: float) -> None:
    """Tune, fit again and write the lists and the outcome."""
    fit, default, grid = MODELS[name]
    valid, test = Phase(directory, "valid"), Phase(directory, "test")
    truth = read(directory / "truth.npz")
    truth = truth[np.isin(truth["user"], valid.known)]
    top_k = json.loads((directory / "sizes.json").read_text())["top_k"]
    trials: list[dict[str, Any]] = []
    started = time.monotonic()
    for settings in candidates(default, grid):
        begun = time.monotonic()
        if trials and begun - started + max(trial["seconds"] for trial in trials) > seconds:
            break
        value = ndcg(valid.lists(fit(valid.events, settings), 10), truth)
        trials.append({"settings": settings, "valid": value, "seconds": round(time.monotonic() - begun, 1)})
        print(f"{name}: {trials[-1]}", flush=True)
    best = max(trials, key=lambda trial: trial["valid"])
    begun = time.monotonic()
    lists = test.lists(fit(test.events, best["settings"]), top_k)
    columns = {column: lists[column].to_numpy() for column in ("user", "item", "rank", "score")}
    np.savez(directory / f"lists-{name}.npz", **columns)
    outcome = {"settings": best["settings"], "trials": trials, "fit_seconds": round(time.monotonic() - begun, 1)}
    (directory / f"{name}.json").write_text(json.dumps(outcome))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
