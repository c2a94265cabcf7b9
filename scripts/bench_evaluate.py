"""`evaluate` at scale, for `scripts/bench.py evaluate`, compared with a loop over scikit-learn.

The benchmark generates rankings of the size of MIND-large's validation split and a matching corpus: 376,000 impressions
of 256,000 users, 14 million rows, one system. Then it runs `interestrec evaluate` with its defaults: metrics, slices,
1,000 resamples per interval, and the page. It generates no lists over the whole catalogue.

The loop does the same as MIND's evaluation script on rows in memory, without reading them and without intervals: AUC,
MRR, nDCG@5 and nDCG@10 of every impression with both classes. It runs on the first impressions, and its time is
extrapolated linearly. On a shared machine compare processor seconds.
"""

import argparse
import json
import math
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interestrec.io import artifact_files, files, schemas
from interestrec.workspace.artifacts import Recipe, open_artifact, staged_version

_TOPICS, _ITEMS_PER_IMPRESSION, _LONGEST, _CLICKED = 17, 0.19, 72, 0.04
_BLOCK = 4096  # impressions per block
_CONFIG = """version: 1
workspace: {workspace}
data: {{format: mind, root: {workspace}, news: [-], train: [-], test: [-]}}
encoders: {{text: {{source: -}}}}
"""


def generate(to: Path, impressions: int, users: int, systems: int) -> None:
    """Generate a workspace with a corpus and rankings of random scores that correlate weakly with the clicks."""
    rng = np.random.default_rng(0)
    length = rng.integers(2, _LONGEST + 1, impressions)
    offsets = np.concatenate([[0], np.cumsum(length)])
    items = max(int(impressions * _ITEMS_PER_IMPRESSION), _LONGEST)
    item = rng.integers(items, size=offsets[-1]).astype(np.int32)
    label = (rng.random(offsets[-1]) < _CLICKED).astype(np.float32)
    label[offsets[:-1] + rng.integers(length)] = 1  # at least one click per impression
    user = np.concatenate([np.arange(users), rng.integers(users, size=impressions - users)])
    with staged_version(to, Recipe("corpus", {}, {"impressions": impressions, "users": users}, 0)) as directory:
        _write_corpus(directory, users, items, user, offsets, item, label, rng)
    corpus = open_artifact(to / "corpus", "corpus")
    names = ["interestrec", *(f"other_{n}" for n in range(1, systems))]
    with staged_version(to, Recipe("rankings", {"corpus": corpus.digest}, {"systems": names}, 0)) as directory:
        tables = (table for name in names for table in _rankings(name, names, user, offsets, item, label, rng))
        files.write_parquet_batches(directory / artifact_files.IMPRESSIONS, tables, schemas.RANKED_IMPRESSIONS)
        empty = schemas.RANKED_CATALOGUE.empty_table()
        files.write_parquet(directory / artifact_files.CATALOGUE, empty, schemas.RANKED_CATALOGUE)
        pairs = np.unique(np.repeat(user, length)[label > 0] * items + item[label > 0])
        truth = {"user_id": _ids("U", pairs // items), "item_id": _ids("N", pairs % items)}
        ones = {"label": np.ones(len(pairs), np.float32), "relevant": np.ones(len(pairs), dtype=bool)}
        files.write_parquet(directory / artifact_files.TRUTH, pa.table({**truth, **ones}), schemas.TRUTH)
        fitted = {"components": {}}
        described = {"systems": dict.fromkeys(names, fitted), "settings": {"top_k": 100}, "counts": {}}
        files.write_json(directory / artifact_files.SYSTEMS, described)
    (to / "interestrec.yaml").write_text(_CONFIG.format(workspace=json.dumps(str(to))))


def _write_corpus(
    directory: Path,
    users: int,
    items: int,
    user: np.ndarray,
    offsets: np.ndarray,
    item: np.ndarray,
    label: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Write users with histories of up to 40 train events and their test impressions."""
    past = rng.integers(41, size=users)
    owner = np.repeat(np.arange(users), past)
    n, impressions = len(owner), len(user)
    none = pa.nulls(items)
    tables: dict[str, tuple[dict[str, Any], pa.Schema]] = {
        artifact_files.USERS: (
            {"user": np.arange(users), "user_id": _ids("U", np.arange(users)), "valid_part": ["valid_select"] * users},
            schemas.USERS,
        ),
        artifact_files.ITEMS: (
            {
                "item": np.arange(items),
                "item_id": _ids("N", np.arange(items)),
                "title": _ids("title ", np.arange(items)),
                "text": [""] * items,
                "category": _ids("topic", np.minimum(rng.geometric(0.2, items), _TOPICS)),
                "price": none.cast(pa.float64()),
                "published": none.cast(pa.timestamp("us", "UTC")),
                "has_text": np.ones(items, dtype=bool),
            },
            schemas.ITEMS,
        ),
        artifact_files.TIMELINES: (
            {
                "user": owner,
                "item": rng.integers(items, size=n),
                "time": pa.array(np.arange(n), pa.int64()).cast(pa.timestamp("us", "UTC")),
                "event": pa.array(["click"] * n),
                "value": pa.nulls(n, pa.float64()),
                "intensity": np.ones(n, np.float32),
                "split": pa.array(["train"] * n),
                "position": np.arange(n) - np.repeat(np.cumsum(past) - past, past),
            },
            schemas.TIMELINES,
        ),
        artifact_files.IMPRESSIONS: (
            {
                "impression": np.arange(impressions),
                "impression_id": _ids("", np.arange(impressions)),
                "user": user,
                "time": pa.array(np.full(impressions, n), pa.int64()).cast(pa.timestamp("us", "UTC")),
                "split": pa.array(["test"] * impressions),
                "history_start": np.zeros(impressions, np.int32),
                "history_end": past[user],
            },
            schemas.IMPRESSIONS,
        ),
        artifact_files.CANDIDATES: (
            {"impression": np.repeat(np.arange(impressions), np.diff(offsets)), "item": item, "label": label},
            schemas.CANDIDATES,
        ),
    }
    for name, (columns, schema) in tables.items():
        files.write_parquet(directory / name, pa.table(columns), schema)
    (directory / artifact_files.FEATURES).mkdir()
    tokens = pa.array(list(rng.integers(1000, 30000, (items, 12)).astype(np.int32)))
    features = pa.table({"item": np.arange(items), "title_tokens": tokens, "text_tokens": tokens})
    files.write_parquet(directory / artifact_files.FEATURES / "text-0.parquet", features, schemas.TEXT_FEATURES)
    files.write_json(directory / artifact_files.QUALITY, {})


def _rankings(
    name: str,
    names: list[str],
    user: np.ndarray,
    offsets: np.ndarray,
    item: np.ndarray,
    label: np.ndarray,
    rng: np.random.Generator,
) -> Iterator[pa.Table]:
    """Yield the rows of one system in blocks; scores are rounded to two decimals, so that some are tied."""
    for start in range(0, len(user), _BLOCK):
        stop = min(start + _BLOCK, len(user))
        rows = slice(offsets[start], offsets[stop])
        owner = np.repeat(np.arange(start, stop), np.diff(offsets[start : stop + 1]))
        score = np.round(rng.normal(0.5 * label[rows], 1), 2)
        order = np.lexsort((-score, owner))
        rank = np.empty(len(score), np.int32)
        rank[order] = np.arange(len(score)) - (offsets[owner] - offsets[start]) + 1
        yield pa.table(
            {
                "system": pa.DictionaryArray.from_arrays(np.full(len(score), names.index(name), np.int32), names),
                "impression_id": _ids("", owner),
                "user_id": _ids("U", user[owner]),
                "item_id": _ids("N", item[rows]),
                "label": label[rows],
                "relevant": label[rows] > 0,
                "score": score,
                "rank": rank,
                "predicted": (1 / (1 + np.exp(3 - score))).astype(np.float32),
            }
        ).cast(schemas.RANKED_IMPRESSIONS)


def _ids(prefix: str, numbers: np.ndarray) -> pa.Array:
    distinct, inverse = np.unique(numbers, return_inverse=True)
    return pa.array([f"{prefix}{n}" for n in distinct.tolist()], pa.string()).take(pa.array(inverse))


def scikit_learn_seconds(rankings: Path, impressions: int) -> tuple[float, float, int, dict[str, float]]:
    """Run the loop over the first impressions: wall and processor seconds, number of impressions, and mean metrics."""
    from sklearn.metrics import ndcg_score, roc_auc_score

    enough = pq.ParquetFile(rankings / artifact_files.IMPRESSIONS).iter_batches(
        batch_size=impressions * (_LONGEST + 1), columns=["impression_id", "relevant", "score"]
    )
    rows = next(enough).to_pandas()
    groups = [(g["relevant"].to_numpy(), g["score"].to_numpy()) for _, g in rows.groupby("impression_id", sort=False)]
    groups = groups[: min(impressions, len(groups) - 1)]  # the last group may be incomplete
    wall_start, processor_start = time.perf_counter(), time.process_time()
    values: dict[str, list[float]] = {"auc": [], "mrr": [], "ndcg@5": [], "ndcg@10": []}
    for relevant, score in groups:
        if not 0 < relevant.sum() < len(relevant):
            continue
        values["auc"].append(roc_auc_score(relevant, score))
        rank = np.argsort(np.argsort(-score)) + 1
        values["mrr"].append((relevant / rank).sum() / relevant.sum())
        for k in (5, 10):
            values[f"ndcg@{k}"].append(ndcg_score([relevant], [score], k=k))
    means = {name: float(np.mean(each)) for name, each in values.items()}
    return time.perf_counter() - wall_start, time.process_time() - processor_start, len(groups), means


def add_parser(benches: Any) -> None:
    """Add the subcommand `evaluate`."""
    parser = benches.add_parser("evaluate", help="interestrec evaluate at scale, compared with scikit-learn")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="directory for the generated workspace")
    parser.add_argument("--impressions", type=int, default=376_000, help="376,000 by default")
    parser.add_argument("--users", type=int, help="68 for every 100 impressions by default")
    parser.add_argument("--systems", type=int, default=1, help="1 by default")
    parser.add_argument("--sample", type=int, default=5000, help="impressions of the loop; 5,000 by default")


def run(arguments: argparse.Namespace, measure: Callable[..., tuple[int, float, float]]) -> None:
    """Generate the workspace if it does not exist, measure both sides, and print one JSON line."""
    users = arguments.users or math.ceil(arguments.impressions * 0.68)
    to = arguments.to.resolve() / f"evaluate-{arguments.impressions}-{users}-{arguments.systems}"
    if not (to / "interestrec.yaml").exists():
        print(f"generating {to}", file=sys.stderr)
        shutil.rmtree(to, ignore_errors=True)
        generate(to, arguments.impressions, users, arguments.systems)
    command = ["-m", "interestrec", "evaluate", "--quiet", "--force", "--config", str(to / "interestrec.yaml")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    status, seconds, peak = measure([sys.executable, *command], stdout=sys.stderr)
    if status:
        sys.exit(f"evaluate ended with exit status {status} after {seconds} s at {peak} GiB")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    loop, loop_processor, sample, means = scikit_learn_seconds(to / "rankings", arguments.sample)
    times = arguments.impressions * arguments.systems / sample
    print(
        json.dumps(
            {
                "what": "evaluate",
                "impressions": arguments.impressions,
                "users": users,
                "systems": arguments.systems,
                "rows": pq.read_metadata(to / "rankings" / artifact_files.IMPRESSIONS).num_rows,
                "seconds": seconds,
                "processor_seconds": round(processor, 1),
                "peak_gib": peak,
                "loop_sample": sample,
                "loop_seconds_on_sample": round(loop, 2),
                "loop_means_on_sample": {name: round(value, 6) for name, value in means.items()},
                "loop_seconds_extrapolated": round(loop * times),
                "loop_processor_seconds_extrapolated": round(loop_processor * times),
                "ratio": round(loop * times / seconds, 1),
                "ratio_of_processor_seconds": round(loop_processor * times / processor, 1),
            }
        )
    )
