"""`tune` beside the search of `rank.trials`, at equal time, for `scripts/bench.py tune`.

    scripts/bench.py tune --to workspace/tune --data /mnt/sets --sets online_retail,ml_latest_small --seeds 5

For each set and seed the model is trained once. Then `rank` is run with the configured settings (`rank.trials: 1`) and
with a search of `rank.trials: 8`; what the second takes longer is the time that `tune` gets, and its configuration is
run, too. All three are measured on the test split, which no choice has seen. Differences of ndcg@10 of `interestrec`
are paired by user, means over the seeds; intervals are over users. One JSON line per set goes to standard output.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench_quality import SETS

_ROOT = Path(__file__).resolve().parent.parent
_METRIC, _OURS, _RESAMPLES = "ndcg@10", "interestrec", 2000
# Systems without a space take the same time in every run, so the longest of them is left out.
_COMMON = ("finetune.epochs=1", "rank.deletion_users=0", "rank.ablation=none", "rank.systems=[interestrec]")
_COMPONENTS = "intensity,item_item,collaborative,ease,session_knn,covisit,popularity,trending,personal_trend,content,"
_COMPONENTS += "tfidf,bias"


def add_parser(benches: Any) -> None:
    """Add the arguments."""
    parser = benches.add_parser("tune", help="tune beside the search of rank.trials at equal time")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="directory of the workspaces")
    parser.add_argument("--data", type=Path, metavar="DIR", help="directory of the data sets")
    parser.add_argument("--sets", default="online_retail,ml_latest_small", help="names of scripts/bench_quality.py")
    parser.add_argument("--seeds", type=int, default=5, help="5 by default")
    parser.add_argument("--components", default=_COMPONENTS, help=f"{_COMPONENTS} by default")


def run(arguments: argparse.Namespace) -> None:
    """Run every set with every seed."""
    for data_set in SETS:
        root = data_set.root(arguments.data)
        if data_set.name not in arguments.sets.split(",") or root is None:
            continue
        keys = [f"data.root={root}", *data_set.overrides, *_COMMON, f"rank.components=[{arguments.components}]"]
        config, runs = str(_ROOT / data_set.config), []
        for seed in range(1, arguments.seeds + 1):
            of_seed = [*keys, f"seed={seed}"]
            runs.append(_seed(config, of_seed, arguments.to / f"{data_set.name}-{seed}"))
            print(json.dumps({"set": data_set.name, "seed": seed, **runs[-1]["told"]}), flush=True)
        print(json.dumps({"set": data_set.name, "seeds": len(runs), **_together(runs)}), flush=True)


def _seed(config: str, keys: list[str], workspace: Path) -> dict[str, Any]:
    """Return the values by user of each way, and seconds."""
    for stage in ("preprocess", "pretrain-adapt", "finetune"):
        _interestrec(stage, config, keys, workspace)
    values, seconds = {}, {}
    for name, trials in (("configured", 1), ("trials 8", 8)):
        chosen = [*keys, f"rank.trials={trials}"]
        seconds[name] = _interestrec("rank", config, chosen, workspace)
        values[name] = _report(config, chosen, workspace)
    budget = max(round(seconds["trials 8"] - seconds["configured"]), 1)
    seconds["tune"] = _interestrec("tune", config, keys, workspace, "--budget", f"{budget}s")
    tuned = str(workspace / "tuning" / "tuned.yaml")
    for stage in ("finetune", "rank"):
        seconds[f"tuned {stage}"] = _interestrec(stage, tuned, [], workspace)
    values["tune"] = _report(tuned, [], workspace)
    systems = json.loads((workspace / "tuning" / "tuning.json").read_text())["systems"]
    told = {
        "budget": budget,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "trials": {name: one["trials"] for name, one in systems.items()},
        "taken": [name for name, one in systems.items() if one["confirmed"]],
        "optimism": {name: round(one["optimism"], 4) for name, one in systems.items()},
        _METRIC: {name: round(float(found.mean()), 4) for name, found in values.items()},
    }
    return {"values": values, "told": told}


def _interestrec(stage: str, config: str, keys: list[str], workspace: Path, *options: str) -> float:
    """Run a command; return its seconds. A failure ends the benchmark."""
    command = [sys.executable, "-m", "interestrec", stage, "--quiet", "--config", config, "--workspace", str(workspace)]
    started = time.monotonic()
    outcome = subprocess.run([*command, *(word for key in keys for word in ("--set", key)), *options], cwd=_ROOT)
    if outcome.returncode:
        sys.exit(f"{stage} in {workspace} ended with exit status {outcome.returncode}")
    return time.monotonic() - started


def _report(config: str, keys: list[str], workspace: Path) -> Any:
    """Evaluate, and return the metric of our lists by user, a pandas Series."""
    import pyarrow.parquet as pq

    _interestrec("evaluate", config, keys, workspace)
    table = pq.read_table(workspace / "report" / "per_user.parquet").to_pandas()
    ours = (table["system"] == _OURS) & (table["protocol"] == "catalogue") & (table["metric"] == _METRIC)
    return table[ours].set_index("user_id")["value"].astype(float)


def _together(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return differences by user, each the mean over seeds, with intervals over users."""
    import numpy as np
    import pandas as pd

    from interestrec.metrics.bootstrap import UserValues, interval, resample

    names = list(runs[0]["values"])
    means = pd.DataFrame(
        {name: pd.concat([run["values"][name] for run in runs], axis=1).mean(axis=1) for name in names}
    )
    means = means.dropna()
    pairs = [("tune", "trials 8"), ("tune", "configured"), ("trials 8", "configured")]
    columns = np.stack([means[a] - means[b] for a, b in pairs], axis=1)
    (draws,) = resample([UserValues(np.arange(len(columns)), columns)], len(columns), _RESAMPLES, seed=1)
    low, high = interval(draws / len(columns))
    return {
        "users": len(columns),
        _METRIC: {name: round(float(means[name].mean()), 4) for name in names},
        "differences": {
            f"{a} - {b}": [round(float(value), 4) for value in (columns[:, n].mean(), low[n], high[n])]
            for n, (a, b) in enumerate(pairs)
        },
    }
