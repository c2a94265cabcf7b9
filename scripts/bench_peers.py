#!/usr/bin/env python3
"""Other libraries' own implementations on the same split, tuned in the same time, in one report with ours.

    scripts/bench_peers.py --config shop --to workspace/peers --seconds 120
    scripts/bench_peers.py --config quickstart --to workspace/peers --models rectools_ease,implicit_bpr --seconds 60

The command needs the corpus and the rankings of a log of events (`interestrec run`; for an earlier test window
`--set preprocess.split.window=2`). Each library is installed by pip into an environment of its own in `--to`; pip's
environment variables apply, such as PIP_INDEX_URL, and `--python lenskit=FILE` names the interpreter of one. There
`bench_peer_models.py` gets the relevant events of train, tunes each model by ndcg@10 over the whole catalogue on valid
until `--seconds` have passed, fits it again on train and valid, and lists the catalogue for the test users. Seen items
are left out as in our lists; users whom a model does not know get the most popular items.

The lists are added to a copy of the artifact `rankings` in `--to`, so that `interestrec evaluate` measures them as it
measures ours. A peer has no lists of cold items and no intensities. One JSON line per model goes to standard output.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interestrec.config.loading import load_config
from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files, schemas
from interestrec.scorers import queries
from interestrec.scoring.ranking_tables import grouped_writer
from interestrec.workspace.artifacts import Artifact, Recipe, open_artifact, staged_version

_WORKER = Path(__file__).with_name("bench_peer_models.py")
# What pip installs for each library; the names of its models begin with it.
PACKAGES = {"rectools": ["rectools[torch]"], "implicit": ["implicit"], "lenskit": ["lenskit"]}
MODELS = (
    *("rectools_sasrec", "rectools_esasrec", "rectools_ease", "rectools_ials"),
    *("implicit_item_knn", "implicit_bpr", "lenskit_item_knn", "lenskit_ials"),
)


def export(corpus: Corpus, to: Path, top_k: int, exclude_seen: bool) -> None:
    """Write events and requests of both phases, and the truth of valid, by the corpus's numbers of users and items."""
    for phase, split in (("valid", queries.VALID), ("test", queries.TEST)):
        events = queries.positive_events(corpus, split)
        order = np.lexsort((np.arange(len(events.time)), events.time, events.user))
        columns = {"user": events.user, "item": events.item, "time": events.time}
        _write(to / f"{phase}_events.npz", {name: values[order] for name, values in columns.items()})
        requests = queries.catalogue_requests(corpus, split)
        owner = ragged.owner(requests.offsets)
        seen = {"user": requests.user[owner], "item": requests.item} if exclude_seen else {"user": [], "item": []}
        _write(to / f"{phase}_seen.npz", seen)
        _write(to / f"{phase}_users.npz", {"user": requests.user})
        if phase == "valid":
            truth = queries.request_truth(corpus, requests, split)
            kept = corpus.relevant(truth.label) & ~(truth.seen & exclude_seen)
            _write(to / "truth.npz", {"user": requests.user[truth.request[kept]], "item": truth.item[kept]})
    sizes = {"n_users": corpus.users.num_rows, "n_items": corpus.items.num_rows, "top_k": top_k}
    (to / "sizes.json").write_text(json.dumps(sizes))


def _write(path: Path, columns: dict[str, Any]) -> None:
    np.savez(path, **{name: np.asarray(values, dtype=np.int64) for name, values in columns.items()})


def environment(library: str, to: Path, python: str) -> Path:
    """Return the interpreter of a library's environment, which is made if it does not exist."""
    directory = to / f"venv-{library}"
    interpreter = directory / "bin" / "python"
    done = directory / "installed"
    if not done.exists():
        subprocess.run([python, "-m", "venv", str(directory)], check=True)
        packages = [*PACKAGES[library], "pandas"]  # arrays are exchanged as .npz: pyarrow would ask for another NumPy
        subprocess.run([str(interpreter), "-m", "pip", "install", "-q", *packages], check=True, stdout=sys.stderr)
        done.touch()
    return interpreter


def merge(rankings: Artifact, corpus: Corpus, to: Path, peers: dict[str, dict[str, Any]]) -> None:
    """Commit a copy of the rankings in the workspace `to` that has the lists of the peers as well.

    Args:
        peers: the outcome of each model's worker; its lists are `lists-MODEL.npz` in `to`.
    """
    lists = {name: to / f"lists-{name}.npz" for name in peers}
    recipe = Recipe(
        kind="rankings",
        inputs={**rankings.manifest["inputs"], **{name: files.sha256_of(path) for name, path in lists.items()}},
        config=rankings.manifest["config"],
        seed=rankings.manifest["seed"],
    )
    schema = pq.read_schema(rankings.path / artifact_files.CATALOGUE)
    left_out = {artifact_files.MANIFEST, artifact_files.TIMING, artifact_files.CATALOGUE, artifact_files.SYSTEMS}
    shutil.rmtree(recipe.version_path(to), ignore_errors=True)
    with staged_version(to, recipe) as directory:
        for path in rankings.path.iterdir():
            if path.name not in left_out:
                shutil.copyfile(path, directory / path.name)
        with grouped_writer(directory / artifact_files.CATALOGUE, schema) as write:
            ours = files.read_parquet(rankings.path / artifact_files.CATALOGUE)
            for name in ours["system"].unique().to_pylist():
                write(name, ours.filter(pa.compute.equal(ours["system"].cast(pa.string()), name)).cast(schema))
            for name, path in lists.items():
                write(name, _catalogue_rows(name, path, corpus, schema))
        systems = files.read_json(rankings.path / artifact_files.SYSTEMS)
        systems["systems"] |= {name: {"settings": peer["settings"], "peer": peer} for name, peer in peers.items()}
        files.write_json(directory / artifact_files.SYSTEMS, systems)


def _catalogue_rows(name: str, path: Path, corpus: Corpus, schema: pa.Schema) -> pa.Table:
    """Return lists (user, item, score, rank) as rows of the catalogue table; a peer predicts no intensity."""
    with np.load(path, allow_pickle=False) as arrays:
        lists = {column: pa.array(values) for column, values in arrays.items()}
    rows = len(lists["user"])
    columns = {
        "system": pa.array([name] * rows).dictionary_encode(),
        "user_id": corpus.users["user_id"].take(lists["user"]),
        "item_id": corpus.items["item_id"].take(lists["item"]),
        "rank": lists["rank"],
        "score": lists["score"],
        "predicted": pa.array(np.full(rows, np.nan, np.float32)),
    }
    empty = {column: pa.nulls(rows, pa.float32()) for column in schema.names if column not in columns}
    return pa.table({**columns, **empty}).select(schema.names).cast(schema)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of interestrec; repeatable")
    parser.add_argument("--workspace", type=Path, metavar="DIR", help="replaces the workspace of the configuration")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="environments, lists and the report")
    parser.add_argument("--seconds", type=float, default=120, help="to tune each model; 120 by default")
    parser.add_argument("--models", default=",".join(MODELS), metavar="A,B", help=f"of {', '.join(MODELS)}")
    parser.add_argument(
        "--python", action="append", default=[], metavar="LIBRARY=FILE", help="interpreter of a library"
    )
    arguments = parser.parse_args()
    models, to = arguments.models.split(","), arguments.to.resolve()
    if unknown := set(models) - set(MODELS):
        sys.exit(f"--models {', '.join(sorted(unknown))}: choose from {', '.join(MODELS)}")
    settings = load_config(arguments.config, arguments.set, arguments.workspace)
    artifact, rankings = (open_artifact(settings.workspace / kind, kind) for kind in ("corpus", "rankings"))
    rankings.require_input(artifact)
    corpus = Corpus(artifact.path, settings.data.relevant_at)
    if (np.diff(corpus.impressions.offsets) > 1).any():
        sys.exit("the peers list the catalogue; this log has impressions with several candidates")
    to.mkdir(parents=True, exist_ok=True)
    export(corpus, to, settings.rank.top_k, settings.rank.rules.seen == "out")
    pythons = dict(choice.split("=", 1) for choice in arguments.python)
    peers = {}
    for name in models:
        library = name.partition("_")[0]
        interpreter = environment(library, to, pythons.get(library, sys.executable))
        command = [str(interpreter), str(_WORKER), name, str(to), str(arguments.seconds)]
        outcome = to / f"{name}.json"
        outcome.unlink(missing_ok=True)
        subprocess.run(command, check=False, stdout=sys.stderr)
        if not outcome.exists():  # its status tells nothing: the trainer of RecTools ends with 0 on a signal
            print(f"{name} failed; it is left out", file=sys.stderr)
            continue
        peers[name] = json.loads(outcome.read_text())
    merge(rankings, corpus, to, peers)
    command = [sys.executable, "-m", "interestrec", "evaluate", "--config", arguments.config, "--workspace", str(to)]
    command += ["--corpus", str(artifact.path), *(word for key in arguments.set for word in ("--set", key))]
    subprocess.run(command, check=True, stdout=sys.stderr)
    rows = {
        row["system"]: row
        for row in json.loads((to / "report" / artifact_files.METRICS_JSON).read_text())
        if (row["protocol"], row["slice"], row["metric"]) == ("catalogue", "all", "ndcg@10")
    }
    for name in (schemas.OURS, *peers):
        print(json.dumps({"model": name, "ndcg@10": rows[name]["value"], **peers.get(name, {})}))


if __name__ == "__main__":
    main()
