"""Texts per second of interestrec, also in 8-bit integers, and of sentence-transformers, with tokenization; for
`scripts/bench.py encode`.

Each side runs in its own process, which loads the encoder, warms up, and encodes all texts per request. The sides take
turns, so that they see the same variation of the machine's speed and never compete for its cores.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench_worker import Worker, serve

_BATCH_SIZES = (16, 32, 64, 128, 256)
_WARM_UP = 256  # texts encoded before the measurement
_TRIAL = 1024  # texts to choose the peer's batch size on


def interestrec_encoder(
    encoder: Path, longest: int, threads: int, in_integers: bool = False
) -> Callable[[list[str], int], Any]:
    """Return a function that encodes texts with interestrec; float32 [texts, width]."""
    import pyarrow as pa

    from interestrec.encoding.int8_encoder import Int8Encoder
    from interestrec.encoding.text_vectors import encode
    from interestrec.model.encoders import load_encoder
    from interestrec.text.tokenizer import load_tokenizer
    from interestrec.training import device

    device.prepare("cpu", threads, seed=0)
    network, tokenizer = load_encoder(encoder), load_tokenizer(encoder)
    frozen = Int8Encoder(network) if in_integers else network

    def run(texts: list[str], batch_size: int) -> Any:
        features = pa.table({"title_tokens": tokenizer.encode(texts)})
        return encode(frozen, network.item_inputs(encoder, features, [("title", longest)]))

    return run


def peer_encoder(encoder: Path, longest: int, threads: int) -> Callable[[list[str], int], Any]:
    """Return a function that encodes texts with sentence-transformers; float32 [texts, width]."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(str(encoder), device="cpu")
    model.max_seq_length = longest
    return lambda texts, batch_size: model.encode(texts, batch_size=batch_size, show_progress_bar=False)


INTERESTREC, INT8, PEER = "interestrec", "interestrec onnx-int8", "sentence-transformers"
SIDES = {INTERESTREC: interestrec_encoder, INT8: partial(interestrec_encoder, in_integers=True), PEER: peer_encoder}


def work(side: str, texts: Path, encoder: Path, longest: int, threads: int) -> None:
    """Serve requests to encode the first `texts`: wall and processor seconds; the vectors go to the file `to`."""
    import numpy as np

    all_texts = json.loads(texts.read_text())
    run = SIDES[side](encoder, longest, threads)
    run(all_texts[:_WARM_UP], 32)

    def seconds(texts: int, batch_size: int = 0, to: str | None = None) -> tuple[float, float]:
        wall_start, processor_start = time.perf_counter(), time.process_time()
        vectors = run(all_texts[:texts], batch_size)
        times = time.perf_counter() - wall_start, time.process_time() - processor_start
        if to:
            np.save(to, vectors)
        return times

    serve(seconds)


def bench(texts: list[str], encoder: Path, longest: int, threads: int, repeats: int, peer: str) -> None:
    """Print one JSON line per side with the median, and one per side of ours with its ratios to the peer.

    These also have the largest difference and the smallest and mean cosine of its vectors to those of the peer.

    Args:
        longest: maximum tokens per text, special tokens included.
        peer: Python interpreter with sentence-transformers.
    """
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        (directory / "texts.json").write_text(json.dumps(texts))
        arguments = (str(directory / "texts.json"), str(encoder), str(longest), str(threads))
        workers = {side: Worker(__file__, peer if side == PEER else sys.executable, side, *arguments) for side in SIDES}
        for side in (INTERESTREC, INT8):
            workers[side].request(texts=min(_WARM_UP, len(texts)))  # all sides are loaded before the measurement
        trial = min(_TRIAL, len(texts))
        trials = {size: workers[PEER].request(texts=trial, batch_size=size) for size in _BATCH_SIZES}
        best = min(trials, key=lambda size: trials[size])
        times: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
        outputs = {side: str(directory / f"{number}.npy") for number, side in enumerate(SIDES)}
        for repeat in range(1, repeats + 1):
            for side, worker in workers.items():
                size = best if side == PEER else 0
                times[side].append(worker.request(texts=len(texts), batch_size=size, to=outputs[side]))
            last = {side: [round(value, 3) for value in pairs[-1]] for side, pairs in times.items()}
            print(f"repeat {repeat}: wall and processor seconds {last}", file=sys.stderr, flush=True)
        for worker in workers.values():
            worker.close()
        report(times, outputs, len(texts), threads, best)


def report(
    times: dict[str, list[tuple[float, float]]], outputs: dict[str, str], texts: int, threads: int, batch_size: int
) -> None:
    """Print the lines of `bench` from wall and processor seconds and files of vectors by side."""
    import numpy as np

    rates = {side: texts / statistics.median(wall for wall, _ in pairs) for side, pairs in times.items()}
    processor = {side: statistics.median(seconds for _, seconds in pairs) for side, pairs in times.items()}
    for side, pairs in times.items():
        record: dict[str, Any] = {"what": "encode", "tool": side, "texts": texts, "threads": threads}
        record |= {"seconds": [round(wall, 3) for wall, _ in pairs], "texts_a_second": round(rates[side], 1)}
        record |= {"processor_seconds": round(processor[side], 3)}
        record |= {"batch_size": batch_size} if side == PEER else {}
        print(json.dumps(record))
    vectors = {side: np.load(path, allow_pickle=False) for side, path in outputs.items()}
    unit = {side: found / np.linalg.norm(found, axis=1, keepdims=True) for side, found in vectors.items()}
    for side in (INTERESTREC, INT8):
        cosine = (unit[side] * unit[PEER]).sum(axis=1)
        ratios = {
            "texts_a_second": round(rates[side] / rates[PEER], 3),
            "processor_seconds": round(processor[side] / processor[PEER], 3),
            "largest_difference": float(np.abs(vectors[side] - vectors[PEER]).max()),
            "smallest_cosine": round(float(cosine.min()), 5),
            "mean_cosine": round(float(cosine.mean()), 5),
        }
        print(json.dumps({"what": "encode", "tool": f"{side} to {PEER}", **ratios}))


def read_texts(path: Path, column: int, count: int | None) -> list[str]:
    """Read a column, counted from 1, of a tab-separated file without a header."""
    with path.open(encoding="utf-8") as source:
        texts = [line.rstrip("\n").split("\t")[column - 1] for line in source]
    return texts[:count]


def add_parser(benches: Any, encoder: Path) -> None:
    """Add the subcommand `encode`."""
    parser = benches.add_parser("encode", help="texts per second, compared with sentence-transformers on the CPU")
    parser.add_argument("--texts", type=Path, required=True, metavar="FILE", help="tab-separated, without a header")
    parser.add_argument("--column", type=int, default=4, help="column of the texts, from 1; default 4, MIND's titles")
    parser.add_argument("--count", type=int, help="number of texts, from the first; all by default")
    parser.add_argument("--repeats", type=int, default=5, help="5 by default")
    parser.add_argument("--longest", type=int, default=256, help="maximum tokens per text; 256 by default")
    parser.add_argument("--threads", type=int, default=2, help="2 by default")
    parser.add_argument("--peer-python", default=sys.executable, metavar="FILE", help="with sentence-transformers")
    parser.add_argument("--encoder", type=Path, default=encoder, metavar="DIR", help="data/encoders/minilm-l6")


def run(arguments: argparse.Namespace) -> None:
    """Run the benchmark with the arguments of the command line."""
    texts = read_texts(arguments.texts, arguments.column, arguments.count)
    options = (arguments.longest, arguments.threads, arguments.repeats, arguments.peer_python)
    bench(texts, arguments.encoder.resolve(), *options)


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
