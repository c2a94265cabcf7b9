# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Tune and replay
#
# Two questions about what comes next, on the small log of notebook 1: which settings are better, and how often do the
# fits have to be made again? Both commands can be killed and run again; they go on where they were.

# %%
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

WORK = Path(os.environ.get("NOTEBOOK_WORK", "../workspace/notebooks"))
ENCODER = os.environ.get("NOTEBOOK_ENCODER", "../data/encoders/minilm-l6")  # `interestrec fetch minilm-l6`
LOG = WORK / "log"
if not LOG.exists():
    size = ["--users", "150", "--posts", "400"]
    subprocess.run([sys.executable, "../scripts/generate.py", "social", "--to", str(LOG), *size], check=True)

KEYS = [
    f"data.root={LOG}",
    f"encoders.text.source={ENCODER}",
    "finetune.epochs=1",
    "rank.systems=[interestrec]",
    "rank.components=[item_item, trending, popularity]",
    "rank.estimators=[]",
    "rank.trials=1",
    "rank.deletion_users=0",
]


def interestrec(command, *options):
    """Run a command of interestrec; return the document that it prints."""
    sets = [word for key in KEYS for word in ("--set", key)]
    arguments = [command, "--config", "../configs/social.yaml", "--workspace", str(WORK / "tuned"), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "interestrec", *arguments, *sets, *options], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


# %% [markdown]
# ## Which settings are better?
#
# Twelve trials for each scorer that has settings to search. They are compared on one half of valid, and what wins must
# be better on the other half as well: the best of many trials is best partly by luck. The test split is not read.

# %%
found = interestrec("tune", "--budget", "12trials")
for finding in found["summary"]["findings"]:
    print(finding["sentence"])

# %%
tuning = WORK / "tuned" / "tuning"
trials = pd.read_parquet(tuning / "trials.parquet")
trials.pivot_table(index="system", columns="state", values="trial", aggfunc="count", fill_value=0)

# %% [markdown]
# Trial 0 has the configured settings. Each further bracket of trials learns from those before it.

# %%
of_knn = trials[trials["system"] == "item_knn"]
of_knn[["trial", "rung", "value", "state", "settings"]].sort_values("value", ascending=False).head()

# %% [markdown]
# `tuned.yaml` beside it is a configuration for `interestrec run`, and `report.html` shows the search.
#
# ## How often must the fits be made again?
#
# `replay` goes back to the middle of the log and walks forward three days at a time. `update` lets the first decision
# follow the events of each window, and `frozen` leaves it as it is; `refit` would train again at each window, which
# takes longer.

# %%
replayed = interestrec(
    "replay", "--window", "3d", "--windows", "2", "--policy", "update", "--policy", "frozen", "--start", "0.6"
)
for finding in replayed["summary"]["findings"]:
    print(finding["sentence"])

# %%
curve = pd.read_parquet(WORK / "tuned" / "replay" / "replay.parquet")
curve[curve["metric"] == "ndcg@10"].pivot_table(index="window", columns="policy", values="value")

# %%
systems = json.loads((tuning / "tuning.json").read_text())["systems"]
means = curve[(curve["metric"] == "ndcg@10") & curve["window"].isna()].set_index("policy")["value"]
print(f"trials = {len(trials)}")
print(f"complete_trials = {(trials['state'] == 'complete').sum()}")
print(f"gain_of_item_knn = {systems['item_knn']['blend']['gain']:.6f}")
print(f"ndcg_update = {means['update']:.6f}")
print(f"ndcg_frozen = {means['frozen']:.6f}")
