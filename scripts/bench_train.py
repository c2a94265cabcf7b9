"""Training speed, for `scripts/bench.py train`: a full step compared with PyTorch, and fine-tuning recipes.

`step`     sequences per second of a full training step of the encoder: all layers, 16 tokens, dropout 0.1 after each
           part of a layer, AdamW, word embeddings frozen; both sides at their best batch size
`recipes`  impressions per second of fine-tuning on a corpus: the plain recipe of PLM-NR (every text of every impression
           encoded separately, all layers trainable, padded to the longest), with each optimisation, and with all

Each side and each recipe runs in its own process. The two sides take turns; recipes, whose activations take up to
12 GiB, run one after the other.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench_worker import Worker, serve

_LENGTH, _RATE, _DROPOUT = 16, 1e-5, 0.1
_STEP_SIZES = (32, 64, 128, 256)
_SIZES = (16, 32, 64)  # impressions
_SIZES_SEPARATE = (2, 4, 8)  # impressions, if every text is encoded separately; 16 take 12 GiB
_SEQUENCES = 512  # per measurement


def interestrec_step(encoder: Path, threads: int) -> Callable[[int], Any]:
    """Return a function that trains interestrec's encoder for one step on a number of sequences."""
    import numpy as np
    import tensorflow as tf

    from interestrec.model.encoders import load_encoder
    from interestrec.training import device
    from interestrec.training.engine import Engine
    from interestrec.training.optimizer import AdamW, WeightGroup

    strategy = device.prepare("cpu", threads, seed=0)
    bert = load_encoder(encoder, _DROPOUT)
    learning = [v.value for v in bert.trainable_variables if v is not bert.words]

    class Distance:
        """Objective: squared distance of vectors to targets."""

        signature = (
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None, None], tf.float32),
            tf.TensorSpec([None, bert.width], tf.float32),
        )

        def counts(self, ids: tf.Tensor, mask: tf.Tensor, target: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"distance": tf.cast(tf.size(target), tf.float32)}

        def totals(
            self, ids: tf.Tensor, mask: tf.Tensor, target: tf.Tensor, noise: tf.Tensor
        ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
            vectors = bert.pool(bert(ids, mask, noise), mask)
            return {"distance": tf.reduce_sum((vectors - target) ** 2)}, tf.zeros([0])

    engine = Engine(strategy, Distance(), {"distance": 1.0}, AdamW([WeightGroup(learning, _RATE)], 0.01, 1.0), 1, 0)
    rng = np.random.default_rng(0)

    def step(count: int) -> None:
        ids = rng.integers(1000, bert.words.shape[0], (count, _LENGTH)).astype(np.int32)
        target = rng.normal(size=(count, bert.width)).astype(np.float32)
        engine.step([(ids, np.ones(ids.shape, np.float32), target)], 1, 1, 1.0)

    return step


def peer_step(encoder: Path, threads: int) -> Callable[[int], Any]:
    """Return the same function with transformers and PyTorch, without dropout of attention weights on both sides."""
    import torch
    from transformers import AutoModel

    torch.set_num_threads(threads)
    dropout = {"attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": _DROPOUT}
    model = AutoModel.from_pretrained(str(encoder), trust_remote_code=False, **dropout)
    model.train()
    model.get_input_embeddings().weight.requires_grad_(False)
    learning = [p for name, p in model.named_parameters() if p.requires_grad and "pooler" not in name]
    optimizer = torch.optim.AdamW(learning, lr=_RATE, weight_decay=0.01)

    def step(count: int) -> None:
        ids = torch.randint(1000, model.config.vocab_size, (count, _LENGTH))
        target = torch.randn(count, model.config.hidden_size)
        optimizer.zero_grad(set_to_none=True)
        hidden = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        ((hidden.mean(dim=1) - target) ** 2).mean().backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()

    return step


# Differences of each recipe from the plain one.
_PLAIN: dict[str, Any] = {"once": False, "groups": 1, "layers": None, "tokens": None}
RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "each item once a step": {"once": True},
    "three lengths a step": {"groups": 3},
    "top 2 layers, the rest cached": {"layers": 2},
    "all of these": {"once": True, "groups": 3, "layers": 2},
    "and at most 1,024 tokens": {"once": True, "groups": 3, "layers": 2, "tokens": 1024},
}


def recipe(name: str, corpus: Path, encoder: Path, threads: int) -> Callable[[int], Any]:
    """Return a function that trains with a recipe for one step on a number of impressions."""
    import numpy as np

    from interestrec.corpus.categories import LEVELS, category_codes
    from interestrec.corpus.moments import Moments
    from interestrec.corpus.store import Corpus
    from interestrec.encoding.encoder_caches import hidden_cache
    from interestrec.encoding.hidden_cache import encode_lower
    from interestrec.io.schemas import TRAIN
    from interestrec.model.encoders import load_encoder
    from interestrec.model.two_tower import TwoTower
    from interestrec.model.two_tower_config import ItemCodes, TwoTowerConfig
    from interestrec.training import device, item_vectors
    from interestrec.training.batches import BatchBuilder
    from interestrec.training.engine import Engine
    from interestrec.training.example_sets import popularity
    from interestrec.training.finetune_settings import VectorCacheSettings
    from interestrec.training.impression_examples import impression_examples
    from interestrec.training.negative_sampler import NegativeSampler
    from interestrec.training.objective import CandidateLists, arrays
    from interestrec.training.optimizer import AdamW, WeightGroup

    chosen = {**_PLAIN, **RECIPES[name]}
    item_vectors._GROUPS = chosen["groups"]
    strategy = device.prepare("cpu", threads, seed=0)
    opened, bert = Corpus(corpus, None), load_encoder(encoder)
    layers = bert.depth - (chosen["layers"] or bert.depth)
    distinct, text_of_item = bert.item_inputs(encoder, opened.text_features(encoder), [("title", 30)]).distinct()
    hidden = encode_lower(bert, distinct, layers, hidden_cache(bert, encoder, corpus.parent, layers))
    groups = [WeightGroup([v.value for v in weights], 2e-5) for weights in bert.unfreeze(bert.depth - layers)]

    class Apart(item_vectors.LearningTextVectors):
        """Encodes the text of each occurrence of an item separately."""

        def prepare(self, items: Any, rng: Any) -> Any:
            rows = self.text_of_item[items]
            order = np.argsort(self.hidden.lengths[rows], kind="stable")
            parts = np.array_split(rows[order], chosen["groups"])
            states = [a for p in parts for a in self.hidden.padded(p, int(self.hidden.lengths[p].max(initial=1)))]
            places = [np.zeros((len(items), bert.width), np.float32), order[:, None].astype(np.int32)]
            return item_vectors.PreparedTexts(
                (*states, *places, np.arange(len(items), dtype=np.int32)), rows[order], len(items)
            )

    kind = item_vectors.LearningTextVectors if chosen["once"] else Apart
    reuse = VectorCacheSettings(max_age=1, max_tokens=chosen["tokens"])
    source = kind(bert, layers, hidden, text_of_item, groups, reuse)
    config = TwoTowerConfig(
        text_width=bert.width, width=128, hidden=(64,), levels=LEVELS, max_history=50, dropout=0.1, attributes=()
    )
    model = TwoTower(config, name="two_tower")
    optimizer = AdamW([WeightGroup([v.value for v in model.trainable_variables], 1e-3), *groups], 0.01, 1.0)
    losses = {"intensity": 1.0, "softmax": 1.0}
    engine = Engine(strategy, CandidateLists(model, source, tuple(losses), 0.0), losses, optimizer, 1, 0)
    n_items = len(text_of_item)
    categories = category_codes(opened.items["category"])
    codes = ItemCodes(np.zeros((n_items, 0), np.int32), categories, np.full(n_items, np.nan, np.float32))
    nobody = np.zeros((opened.users.num_rows, 0), np.int32)  # no features of users
    train = impression_examples(opened.impressions, opened.impressions.split == TRAIN)
    sampler = NegativeSampler.from_popularity(popularity(opened), 4, 64)  # 4 negatives, as in PLM-NR
    builder = BatchBuilder(opened.timelines, Moments.of(opened), 50, opened.relevant_from)
    rng = np.random.default_rng(0)

    def step(count: int) -> None:
        batch = builder.build(train.select(rng.permutation(len(train))[:count]), sampler, rng)
        if not chosen["once"]:  # a separate row for every position in a history or a list
            positions = np.concatenate([batch.history.ravel(), batch.candidates.ravel(), batch.shared])
            own = batch.present[:, : batch.candidates.shape[1]]
            used = np.concatenate([batch.intensity.ravel() > 0, own.ravel(), np.ones(len(batch.shared), bool)])
            row = np.maximum(np.cumsum(used) - 1, 0).astype(np.int32)
            history, candidates, shared = np.split(row, np.cumsum([batch.history.size, batch.candidates.size]))
            batch = replace(
                batch,
                distinct=batch.distinct[positions[used]],
                history=history.reshape(batch.history.shape),
                candidates=candidates.reshape(batch.candidates.shape),
                shared=shared,
            )
        prepared = source.prepare(batch.distinct, rng)
        _, vectors = engine.step([arrays(batch, prepared, codes, nobody)], 1, 1, 1.0)
        source.keep([prepared], vectors)

    return step


def work(side: str, *arguments: str) -> None:
    """Serve requests to train for a number of steps of a size: the seconds of all steps."""
    step = _step_function(side, *arguments)

    def seconds(size: int, steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            step(size)
        return time.perf_counter() - start

    serve(seconds)


def _step_function(side: str, *arguments: str) -> Callable[[int], Any]:
    if side in RECIPES:
        corpus, encoder, threads = arguments
        return recipe(side, Path(corpus), Path(encoder), int(threads))
    encoder, threads = arguments
    return {"interestrec": interestrec_step, "pytorch": peer_step}[side](Path(encoder), int(threads))


def _rates(
    workers: list[Worker], sizes: dict[str, tuple[int, ...]], min_sequences: int, repeats: int
) -> dict[str, dict[str, Any]]:
    """Measure the median rate of each side at its best batch size; the sides take turns."""
    best = {}
    for worker in workers:
        worker.request(size=sizes[worker.side][0], steps=1)  # compiles
        trials = {size: size / worker.request(size=size, steps=1) for size in sizes[worker.side]}
        best[worker.side] = max(trials, key=lambda size: trials[size])
    measured: dict[str, list[float]] = {worker.side: [] for worker in workers}
    for repeat in range(1, repeats + 1):
        for worker in workers:
            size = best[worker.side]
            steps = max(1, min_sequences // size)
            measured[worker.side].append(size * steps / worker.request(size=size, steps=steps))
        print(f"repeat {repeat}: { ({k: round(v[-1], 1) for k, v in measured.items()}) }", file=sys.stderr, flush=True)
    for worker in workers:
        worker.close()
    return {
        side: {
            "batch_size": best[side],
            "rate": round(statistics.median(rates), 2),
            "rates": [round(r, 2) for r in rates],
        }
        for side, rates in measured.items()
    }


def step_bench(encoder: Path, threads: int, repeats: int, peer: str) -> None:
    """Print one JSON line per side and one with the ratio."""
    arguments = (str(encoder), str(threads))
    workers = [
        Worker(__file__, sys.executable, "interestrec", *arguments),
        Worker(__file__, peer, "pytorch", *arguments),
    ]
    rates = _rates(workers, {worker.side: _STEP_SIZES for worker in workers}, _SEQUENCES, repeats)
    for side, values in rates.items():
        print(json.dumps({"what": "training step", "tool": side, "unit": "sequences/s", **values}))
    ratio = rates["interestrec"]["rate"] / rates["pytorch"]["rate"]
    print(json.dumps({"what": "training step", "tool": "ratio", "rate": round(ratio, 3)}))


def recipes_bench(corpus: Path, encoder: Path, threads: int, repeats: int) -> None:
    """Print one JSON line per recipe, with the ratio of its rate to that of the plain recipe."""
    arguments = (str(corpus), str(encoder), str(threads))
    sizes = {name: _SIZES if changes.get("once") else _SIZES_SEPARATE for name, changes in RECIPES.items()}
    rates = {}
    for name in RECIPES:  # one after the other, because memory is too small for several
        rates |= _rates([Worker(__file__, sys.executable, name, *arguments)], sizes, 1, repeats)
    for name, values in rates.items():
        times = round(values["rate"] / rates["plain"]["rate"], 2)
        print(json.dumps({"what": "fine-tuning", "recipe": name, "unit": "impressions/s", **values, "times": times}))


def add_parser(benches: Any, encoder: Path) -> None:
    """Add the subcommand `train`."""
    parser = benches.add_parser("train", help="a training step compared with PyTorch, and fine-tuning recipes")
    parser.add_argument("--parts", default="step,recipes", help="step,recipes by default")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="for recipes: a corpus with impressions")
    parser.add_argument("--repeats", type=int, default=5, help="5 by default")
    parser.add_argument("--threads", type=int, default=2, help="2 by default")
    parser.add_argument("--peer-python", default=sys.executable, metavar="FILE", help="with torch and transformers")
    parser.add_argument("--encoder", type=Path, default=encoder, metavar="DIR", help="data/encoders/minilm-l6")


def run(arguments: argparse.Namespace) -> None:
    """Run the parts selected on the command line."""
    encoder = arguments.encoder.resolve()
    for part in arguments.parts.split(","):
        if part == "step":
            step_bench(encoder, arguments.threads, arguments.repeats, arguments.peer_python)
        elif part == "recipes" and arguments.corpus:
            recipes_bench(arguments.corpus.resolve(), encoder, arguments.threads, arguments.repeats)
        else:
            sys.exit(f"{part}: choose from step, recipes; recipes need --corpus")


if __name__ == "__main__":
    work(*sys.argv[1:])
