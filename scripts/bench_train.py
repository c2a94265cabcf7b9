"""Training speed, for `scripts/bench.py train`: a full step beside PyTorch's, and our recipe beside the plain one.

`step`     sequences a second of a full training step of the encoder: all layers, 16 tokens, dropout 0.1 after each part
           of a layer, AdamW, word embeddings frozen; both sides at their best batch size
`recipes`  impressions a second of fine-tuning on a corpus: the plain recipe of PLM-NR (every text of every impression
           encoded by itself, all layers learning, padded to the longest), with each trick alone, and with all of them

Each side and each recipe runs in a process of its own. The two sides take turns; recipes, whose activations take up to
12 GiB, come one after the other.
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

from bench_peer import Worker, answer

_LENGTH, _RATE, _DROPOUT = 16, 1e-5, 0.1
_STEP_SIZES = (32, 64, 128, 256)
_SIZES = (16, 32, 64)  # impressions
_SIZES_APART = (2, 4, 8)  # where every text is encoded by itself; 16 take 12 GiB
_SEQUENCES = 512  # in what is timed once


def our_step(encoder: Path, threads: int) -> Callable[[int], Any]:
    """What takes a step on so many sequences."""
    import numpy as np
    import tensorflow as tf

    from interestrec.model.encoder_checkpoint import load_bert
    from interestrec.training import device
    from interestrec.training.engine import Engine
    from interestrec.training.optimizer import AdamW, Group

    strategy = device.prepare("cpu", threads, seed=0)
    bert = load_bert(encoder, _DROPOUT)
    learning = [v.value for v in bert.trainable_variables if v is not bert.words]

    class Distance:
        """Mean squared distance of vectors from targets; an Objective."""

        signature = (
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None, None], tf.float32),
            tf.TensorSpec([None, bert.config.hidden_size], tf.float32),
        )

        def counts(self, ids: tf.Tensor, mask: tf.Tensor, target: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"distance": tf.cast(tf.size(target), tf.float32)}

        def totals(
            self, ids: tf.Tensor, mask: tf.Tensor, target: tf.Tensor, noise: tf.Tensor
        ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
            vectors = bert.pool(bert(ids, mask, noise), mask)
            return {"distance": tf.reduce_sum((vectors - target) ** 2)}, tf.zeros([0])

    engine = Engine(strategy, Distance(), {"distance": 1.0}, AdamW([Group(learning, _RATE)], 0.01, 1.0), 1, 0)
    rng = np.random.default_rng(0)

    def step(count: int) -> None:
        ids = rng.integers(1000, bert.config.vocab_size, (count, _LENGTH)).astype(np.int32)
        target = rng.normal(size=(count, bert.config.hidden_size)).astype(np.float32)
        engine.step([(ids, np.ones(ids.shape, np.float32), target)], 1, 1, 1.0)

    return step


def their_step(encoder: Path, threads: int) -> Callable[[int], Any]:
    """The same with transformers and PyTorch. Our network drops no attention weights, so neither does theirs."""
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


# What each recipe does that the plain one does not.
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
    """What takes a step of a recipe on so many impressions."""
    import numpy as np

    from interestrec.corpus.categories import LEVELS, category_codes
    from interestrec.corpus.store import Corpus
    from interestrec.encoding.hidden_cache import encode_lower
    from interestrec.encoding.item_texts import hidden_cache, item_texts
    from interestrec.io.schemas import TRAIN
    from interestrec.model.encoder_checkpoint import load_bert
    from interestrec.model.two_tower import ItemCodes, TwoTower, TwoTowerConfig
    from interestrec.training import device, item_vectors
    from interestrec.training.batches import build
    from interestrec.training.engine import Engine
    from interestrec.training.examples import impression_examples, popularity
    from interestrec.training.negatives import NegativeSampler
    from interestrec.training.objective import CandidateLists, arrays
    from interestrec.training.optimizer import AdamW, Group

    chosen = {**_PLAIN, **RECIPES[name]}
    item_vectors._GROUPS = chosen["groups"]
    strategy = device.prepare("cpu", threads, seed=0)
    opened, bert = Corpus(corpus, None), load_bert(encoder)
    layers = bert.config.num_hidden_layers - (chosen["layers"] or bert.config.num_hidden_layers)
    distinct, text_of_item = item_texts(bert, encoder, opened.text_features, [("title", 30)]).distinct()
    hidden = encode_lower(bert, distinct, layers, hidden_cache(bert, encoder, corpus.parent, layers))
    groups = [Group([v.value for v in weights], 2e-5) for weights in bert.learning(len(bert.blocks) - layers)]

    class Apart(item_vectors.LearningTextVectors):
        """Encodes the text of every item it is given, as often as it comes."""

        def prepare(self, items: Any, rng: Any) -> Any:
            rows = self.text_of_item[items]
            order = np.argsort(self.hidden.lengths[rows], kind="stable")
            parts = np.array_split(rows[order], chosen["groups"])
            states = [a for p in parts for a in self.hidden.padded(p, int(self.hidden.lengths[p].max(initial=1)))]
            places = [np.zeros((len(items), bert.config.hidden_size), np.float32), order[:, None].astype(np.int32)]
            return item_vectors.PreparedTexts(
                (*states, *places, np.arange(len(items), dtype=np.int32)), rows[order], len(items)
            )

    kind = item_vectors.LearningTextVectors if chosen["once"] else Apart
    source = kind(bert, layers, hidden, text_of_item, groups, item_vectors.StaleVectorPolicy(0.0, 1, chosen["tokens"]))
    model = TwoTower(TwoTowerConfig(bert.config.hidden_size, (64,), LEVELS, 50, 0.1, ()), name="two_tower")
    optimizer = AdamW([Group([v.value for v in model.trainable_variables], 1e-3), *groups], 0.01, 1.0)
    losses = {"intensity": 1.0, "softmax": 1.0}
    engine = Engine(strategy, CandidateLists(model, source, tuple(losses), False, 0.0), losses, optimizer, 1, 0)
    codes = ItemCodes(np.zeros((len(text_of_item), 0), np.int32), category_codes(opened.items["category"]))
    train = impression_examples(opened.impressions, opened.impressions.split == TRAIN)
    sampler, rng = NegativeSampler.of(popularity(opened), 4), np.random.default_rng(0)  # 4 negatives, as in PLM-NR

    def step(count: int) -> None:
        batch = build(train.select(rng.permutation(len(train))[:count]), opened.timelines, sampler, 50, rng)
        if not chosen["once"]:  # a row of its own for every place in a history or a list
            places = np.concatenate([batch.history.ravel(), batch.candidates.ravel()])
            there = np.concatenate([batch.intensity.ravel() > 0, batch.present.ravel()])
            row = np.maximum(np.cumsum(there) - 1, 0).astype(np.int32)
            history, candidates = row[: batch.history.size], row[batch.history.size :]
            batch = replace(
                batch,
                distinct=batch.distinct[places[there]],
                history=history.reshape(batch.history.shape),
                candidates=candidates.reshape(batch.candidates.shape),
            )
        prepared = source.prepare(batch.distinct, rng)
        _, seen = engine.step([arrays(batch, prepared, codes)], 1, 1, 1.0)
        source.keep([prepared], seen)

    return step


def work(side: str, *arguments: str) -> None:
    """Answer requests to take steps of a size with the seconds of all of them."""
    step = _made(side, *arguments)

    def seconds(size: int, steps: int) -> float:
        started = time.perf_counter()
        for _ in range(steps):
            step(size)
        return time.perf_counter() - started

    answer(seconds)


def _made(side: str, *arguments: str) -> Callable[[int], Any]:
    if side in RECIPES:
        corpus, encoder, threads = arguments
        return recipe(side, Path(corpus), Path(encoder), int(threads))
    encoder, threads = arguments
    return {"interestrec": our_step, "pytorch": their_step}[side](Path(encoder), int(threads))


def _rates(
    workers: list[Worker], sizes: dict[str, tuple[int, ...]], least: int, repeats: int
) -> dict[str, dict[str, Any]]:
    """Median rate of each side at its best size, the sides taking turns."""
    best = {}
    for worker in workers:
        worker.ask(size=sizes[worker.side][0], steps=1)  # compiles
        rates = {size: size / worker.ask(size=size, steps=1) for size in sizes[worker.side]}
        best[worker.side] = max(rates, key=lambda size: rates[size])
    taken: dict[str, list[float]] = {worker.side: [] for worker in workers}
    for repeat in range(1, repeats + 1):
        for worker in workers:
            size = best[worker.side]
            steps = max(1, least // size)
            taken[worker.side].append(size * steps / worker.ask(size=size, steps=steps))
        print(f"repeat {repeat}: { ({k: round(v[-1], 1) for k, v in taken.items()}) }", file=sys.stderr, flush=True)
    for worker in workers:
        worker.close()
    return {
        side: {
            "batch_size": best[side],
            "rate": round(statistics.median(rates), 2),
            "rates": [round(r, 2) for r in rates],
        }
        for side, rates in taken.items()
    }


def step_bench(encoder: Path, threads: int, repeats: int, peer: str) -> None:
    """One JSON line a side and one with the ratio."""
    arguments = (str(encoder), str(threads))
    workers = [
        Worker(__file__, sys.executable, "interestrec", *arguments),
        Worker(__file__, peer, "pytorch", *arguments),
    ]
    found = _rates(workers, {worker.side: _STEP_SIZES for worker in workers}, _SEQUENCES, repeats)
    for side, values in found.items():
        print(json.dumps({"what": "training step", "tool": side, "unit": "sequences/s", **values}))
    ratio = found["interestrec"]["rate"] / found["pytorch"]["rate"]
    print(json.dumps({"what": "training step", "tool": "ratio", "rate": round(ratio, 3)}))


def recipes_bench(corpus: Path, encoder: Path, threads: int, repeats: int) -> None:
    """One JSON line a recipe, with its rate over the plain one's."""
    arguments = (str(corpus), str(encoder), str(threads))
    sizes = {name: _SIZES if changed.get("once") else _SIZES_APART for name, changed in RECIPES.items()}
    found = {}
    for name in RECIPES:  # one after the other: side by side they would not fit into memory
        found |= _rates([Worker(__file__, sys.executable, name, *arguments)], sizes, 1, repeats)
    for name, values in found.items():
        times = round(values["rate"] / found["plain"]["rate"], 2)
        print(json.dumps({"what": "fine-tuning", "recipe": name, "unit": "impressions/s", **values, "times": times}))


def add_parser(benches: Any, encoder: Path) -> None:
    """The subcommand `train`."""
    parser = benches.add_parser("train", help="a training step beside PyTorch, our recipe beside the plain one")
    parser.add_argument("--parts", default="step,recipes", help="step,recipes unless told")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="for recipes: a corpus with impressions")
    parser.add_argument("--repeats", type=int, default=5, help="5 unless told")
    parser.add_argument("--threads", type=int, default=2, help="2 unless told")
    parser.add_argument("--peer-python", default=sys.executable, metavar="FILE", help="has torch and transformers")
    parser.add_argument("--encoder", type=Path, default=encoder, metavar="DIR", help="data/encoders/minilm-l6")


def run(arguments: argparse.Namespace) -> None:
    """Bench what the command line asks for."""
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
