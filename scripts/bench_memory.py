"""Memory of training by the length of the log, for `scripts/bench.py memory`: what `finetune` holds of each event.

For each of `--events` a shop's log is generated and made a corpus, and a process of its own prepares training with
given vectors, draws the order of an epoch and builds batches. Its figures are the peaks of its resident memory and of
the anonymous part of it: pages of mapped files count in the former alone, and the system takes them back where memory
is short. With several logs, `bytes_an_event` is the difference of the last from the first per event, to which what does
not grow with the log adds nothing, and `of_100_million_gib` is the line through both.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any

_SCRIPTS = Path(__file__).resolve().parent
_WIDTH, _BATCHES = 64, 100
_SECONDS_BETWEEN_SAMPLES = 0.02

_SHOP = """version: 1
workspace: {root}/workspace
data:
  format: events
  root: {root}
  events:
    files: [events/*.parquet]
    columns: {{user: user, item: item, time: time}}
    event: purchase
  items: {{files: [items.parquet], columns: {{item: item, title: [title], category: category, price: price}}}}
items: {{fields: [{{name: title, max_tokens: 16}}]}}
preprocess: {{duplicates: keep, split: {{method: global_time, valid: 0.1, test: 0.2}}}}
encoders: {{text: {{source: {encoder}}}}}
"""


def add_parser(benches: Any, encoder: Path) -> None:
    """Add the subcommand `memory`."""
    parser = benches.add_parser("memory", help="memory of training by the length of the log")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="directory of logs and corpora")
    parser.add_argument("--events", default="5000000,12000000", help="5000000,12000000 by default")
    parser.add_argument("--users", type=int, default=400_000, help="400,000 by default")
    parser.add_argument("--items", type=int, default=50_000, help="50,000 by default")
    parser.add_argument("--encoder", type=Path, default=encoder, metavar="DIR", help="data/encoders/minilm-l6")


def run(arguments: argparse.Namespace) -> None:
    """Print one JSON line per log, and one with the growth from the first to the last."""
    measured = []
    for events in (int(part) for part in arguments.events.split(",")):
        root = arguments.to.resolve() / f"memory-{events}"
        corpus, config = root / "workspace" / "corpus", root / "shop.yaml"
        if not corpus.exists():
            sizes = {"events": events, "users": arguments.users, "items": arguments.items}
            command = [part for name, size in sizes.items() for part in (f"--{name}", str(size))]
            subprocess.run([sys.executable, _SCRIPTS / "generate.py", "events", "--to", root, *command], check=True)
            config.write_text(_SHOP.format(root=root, encoder=arguments.encoder.resolve()))
            command = [sys.executable, "-m", "interestrec", "preprocess", "--config", str(config)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        command = [sys.executable, __file__, str(corpus), str(config)]
        figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        measured.append(figures)
        print(json.dumps({"what": "memory of training", **figures}), flush=True)
    first, last = measured[0], measured[-1]
    if len(measured) > 1:
        growth: dict[str, float] = {}
        for part in ("anonymous", "resident"):
            each = (last[f"{part}_gib"] - first[f"{part}_gib"]) * 2**30 / (last["events"] - first["events"])
            whole = last[f"{part}_gib"] + each * (100_000_000 - last["events"]) / 2**30
            growth |= {f"{part}_bytes_an_event": round(each, 1), f"{part}_of_100_million_gib": round(whole, 2)}
        print(json.dumps({"what": "memory of training", **growth}))


class _Peaks:
    """The highest values of the process's memory, sampled by a thread."""

    def __init__(self) -> None:
        self.kib = {"VmRSS": 0, "RssAnon": 0}
        threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        while True:
            for line in Path("/proc/self/status").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in self.kib:
                    self.kib[name] = max(self.kib[name], int(value.split()[0]))
            time.sleep(_SECONDS_BETWEEN_SAMPLES)


def measure(path: Path, config: Path) -> dict[str, Any]:
    """Prepare training on a corpus and build batches of its first epoch."""
    import numpy as np

    from interestrec.config.loading import load_settings
    from interestrec.corpus.item_attributes import fit_attributes
    from interestrec.corpus.store import Corpus
    from interestrec.corpus.user_features import fit_user_features
    from interestrec.encoding.item_encoders import ModalVectors
    from interestrec.model.modality import Modality
    from interestrec.scoring.training_judge import training_judge
    from interestrec.training import device
    from interestrec.training.batches import BatchLimits, batch_offsets
    from interestrec.training.execution import ExecutionSettings
    from interestrec.training.negative_sampler import NegativeSampler
    from interestrec.training.preparation import prepare
    from interestrec.training.training_inputs import TrainingInputs

    peaks, settings, seed = _Peaks(), load_settings(config), 0
    strategy = device.prepare("cpu", 2, seed)
    corpus = Corpus(path, None)
    vectors = np.random.default_rng(0).normal(size=(corpus.items.num_rows, _WIDTH)).astype(np.float32)
    users = fit_user_features(corpus, settings.users.features, None)
    inputs = TrainingInputs(
        settings=settings.finetune,
        seed=seed,
        corpus=corpus,
        texts=None,
        others=ModalVectors((Modality("given", _WIDTH),), vectors),
        attributes=fit_attributes(corpus, settings.items.attributes, None),
        user_features=users,
        judge=training_judge(corpus, settings.rank, users.packed, seed),
    )
    setup = prepare(inputs, ExecutionSettings(strategy))
    train, longest = setup.examples.train, settings.finetune.max_history
    order = np.random.default_rng(seed).permutation(len(train))
    offsets = batch_offsets(train, corpus.timelines, order, BatchLimits(settings.finetune.batch_size), longest)
    sampler = NegativeSampler.from_popularity(setup.popularity, setup.most_negatives, setup.most_negatives)
    batches = setup.builder.iterate(train, sampler, order, offsets, [seed])
    built = sum(len(batch) for batch in islice(batches, _BATCHES))
    return {
        "events": len(corpus.timelines.item),
        "examples": len(train),
        "built": built,
        "anonymous_gib": round(peaks.kib["RssAnon"] / 2**20, 3),
        "resident_gib": round(peaks.kib["VmRSS"] / 2**20, 3),
    }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), Path(sys.argv[2]))))
