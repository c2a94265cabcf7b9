"""Texts a second of our encoder and of sentence-transformers, tokenization included; for `scripts/bench.py encode`.

Each side runs in a process of its own that loads the encoder, warms up and then encodes all texts each time it is told
to, so that the two take turns on a machine that may get slower or faster meanwhile and never compete for its cores.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_peer import Worker, answer

_BATCH_SIZES = (16, 32, 64, 128, 256)
_WARM_UP = 256  # texts encoded before anything is timed
_TRIAL = 1024  # texts on which the other side's batch size is chosen


def ours(encoder: Path, longest: int, threads: int) -> Callable[[list[str], int], Any]:
    """What encodes texts with interestrec: float32 [texts, width]."""
    import pyarrow as pa

    from interestrec.encoding.text_vectors import encode
    from interestrec.model.encoders import load_encoder
    from interestrec.text.text_inputs import text_inputs
    from interestrec.text.tokenizer import load_tokenizer
    from interestrec.training import device

    device.prepare("cpu", threads, seed=0)
    bert, tokenizer = load_encoder(encoder), load_tokenizer(encoder)
    ids = (tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id)

    def run(texts: list[str], batch_size: int) -> Any:
        features = pa.table({"title_tokens": tokenizer.encode(texts)})
        return encode(bert, text_inputs(features, [("title", longest)], *ids, longest))

    return run


def theirs(encoder: Path, longest: int, threads: int) -> Callable[[list[str], int], Any]:
    """The same with sentence-transformers."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(str(encoder), device="cpu")
    model.max_seq_length = longest
    return lambda texts, batch_size: model.encode(texts, batch_size=batch_size, show_progress_bar=False)


SIDES = {"interestrec": ours, "sentence-transformers": theirs}


def work(side: str, texts: Path, encoder: Path, longest: int, threads: int) -> None:
    """Answer requests to encode the first `texts` with wall and processor seconds; vectors go to the file `to`."""
    import numpy as np

    every = json.loads(texts.read_text())
    run = SIDES[side](encoder, longest, threads)
    run(every[:_WARM_UP], 32)

    def seconds(texts: int, batch_size: int = 0, to: str | None = None) -> tuple[float, float]:
        started, busy = time.perf_counter(), time.process_time()
        vectors = run(every[:texts], batch_size)
        taken = time.perf_counter() - started, time.process_time() - busy
        if to:
            np.save(to, vectors)
        return taken

    answer(seconds)


def bench(texts: list[str], encoder: Path, longest: int, threads: int, repeats: int, peer: str) -> None:
    """Print one JSON line a side with the median, and one with the ratio and the largest difference of the vectors.

    Args:
        longest: positions a text may take, special tokens included.
        peer: Python interpreter that has sentence-transformers.
    """
    import numpy as np

    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        (place / "texts.json").write_text(json.dumps(texts))
        arguments = (str(place / "texts.json"), str(encoder), str(longest), str(threads))
        us = Worker(__file__, sys.executable, "interestrec", *arguments)
        them = Worker(__file__, peer, "sentence-transformers", *arguments)
        us.ask(texts=min(_WARM_UP, len(texts)))  # both have loaded when the first is timed
        trial = min(_TRIAL, len(texts))
        trials = {size: them.ask(texts=trial, batch_size=size) for size in _BATCH_SIZES}
        best = min(trials, key=lambda size: trials[size])
        taken: dict[str, list[tuple[float, float]]] = {us.side: [], them.side: []}
        for repeat in range(1, repeats + 1):
            taken[us.side].append(us.ask(texts=len(texts), to=str(place / "ours.npy")))
            taken[them.side].append(them.ask(texts=len(texts), batch_size=best, to=str(place / "theirs.npy")))
            last = {side: round(times[-1][0], 3) for side, times in taken.items()}
            print(f"repeat {repeat}: seconds {last}", file=sys.stderr, flush=True)
        us.close()
        them.close()
        ours, theirs = (np.load(place / name, allow_pickle=False) for name in ("ours.npy", "theirs.npy"))
        difference = float(np.abs(ours - theirs).max())
    rates = {side: len(texts) / statistics.median(wall for wall, _ in times) for side, times in taken.items()}
    busy = {side: statistics.median(spent for _, spent in times) for side, times in taken.items()}
    for side, times in taken.items():
        told: dict[str, Any] = {"what": "encode", "tool": side, "texts": len(texts), "threads": threads}
        told |= {"seconds": [round(wall, 3) for wall, _ in times], "texts_a_second": round(rates[side], 1)}
        told |= {"processor_seconds": round(busy[side], 3)} | ({"batch_size": best} if side == them.side else {})
        print(json.dumps(told))
    ratios = {
        "texts_a_second": round(rates[us.side] / rates[them.side], 3),
        "processor_seconds": round(busy[us.side] / busy[them.side], 3),
    }
    print(json.dumps({"what": "encode", "tool": "ratio", **ratios, "largest_difference": difference}))


def read_texts(path: Path, column: int, count: int | None) -> list[str]:
    """A column, counted from 1, of a tab-separated file without a header."""
    with path.open(encoding="utf-8") as source:
        texts = [line.rstrip("\n").split("\t")[column - 1] for line in source]
    return texts[:count]


def add_parser(benches: Any, encoder: Path) -> None:
    """The command line of `encode`."""
    parser = benches.add_parser("encode", help="texts a second, beside sentence-transformers on the CPU")
    parser.add_argument("--texts", type=Path, required=True, metavar="FILE", help="tab-separated, without a header")
    parser.add_argument("--column", type=int, default=4, help="of the texts, from 1; 4 unless told, MIND's titles")
    parser.add_argument("--count", type=int, help="first texts only")
    parser.add_argument("--repeats", type=int, default=5, help="5 unless told")
    parser.add_argument("--longest", type=int, default=256, help="most tokens of a text; 256 unless told")
    parser.add_argument("--threads", type=int, default=2, help="2 unless told")
    parser.add_argument("--peer-python", default=sys.executable, metavar="FILE", help="has sentence-transformers")
    parser.add_argument("--encoder", type=Path, default=encoder, metavar="DIR", help="data/encoders/minilm-l6")


def run(arguments: argparse.Namespace) -> None:
    """Bench what the command line asks for."""
    texts = read_texts(arguments.texts, arguments.column, arguments.count)
    how = (arguments.longest, arguments.threads, arguments.repeats, arguments.peer_python)
    bench(texts, arguments.encoder.resolve(), *how)


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
