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
# # Train and compare
#
# All five stages on the small log of notebook 1: the model learns from the texts of posts and from what users did,
# `rank` makes lists by it and by other methods, and `evaluate` says which of them is better, and whether that could be
# chance.

# %%
import os
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import interestrec

WORK = Path(os.environ.get("NOTEBOOK_WORK", "../workspace/notebooks"))
ENCODER = os.environ.get("NOTEBOOK_ENCODER", "../data/encoders/minilm-l6")  # `interestrec fetch minilm-l6`
LOG = WORK / "log"
if not LOG.exists():
    size = ["--users", "150", "--posts", "400"]
    subprocess.run([sys.executable, "../scripts/generate.py", "social", "--to", str(LOG), *size], check=True)

# %% [markdown]
# Small is quick: two epochs, a few systems, two trials for the settings of each. `runtime.tracking` gives the curves
# of the training and all figures of the report to TensorBoard: `tensorboard --logdir
# ../workspace/notebooks/workspace/tracking`.

# %%
settings = interestrec.load_config(
    "../configs/social.yaml",
    [
        f"data.root={LOG}",
        f"encoders.text.source={ENCODER}",
        "finetune.epochs=2",
        "rank.systems=[interestrec, popularity, random, item_knn]",
        "rank.components=[intensity, item_item]",
        "rank.trials=2",
        "rank.deletion_users=0",
        "evaluate.bootstrap=500",
        "runtime.tracking=[tensorboard]",
    ],
    workspace=WORK / "workspace",
)
results = interestrec.run(settings)
{result.artifact.stage: result.built for result in results}

# %% [markdown]
# ## How the training went
#
# `training_log.parquet` has every figure of every step. `valid_…` are measured on the valid split, before training
# (epoch 0) and after each epoch.

# %%
model = next(result.artifact for result in results if result.artifact.kind == "model")
log = pd.read_parquet(model.path / "training_log.parquet")
loss = log[log["name"] == "loss"]
figure, axis = plt.subplots(figsize=(6, 3))
axis.plot(loss["step"], loss["value"])
axis.set(xlabel="step", ylabel="loss")
plt.show()
log[log["name"].str.startswith("valid_")].pivot(index="epoch", columns="name", values="value")

# %% [markdown]
# ## Which system is better?
#
# Each system ranks all posts that a user has not seen, and is measured by what the user did in the test split.
# `ci_low` and `ci_high` are the ends of a 95 % interval over users.

# %%
metrics = interestrec.read_metrics(settings.workspace)
everyone = metrics[(metrics["protocol"] == "catalogue") & (metrics["slice"] == "all")]
ndcg = everyone[everyone["metric"] == "ndcg@10"].set_index("system").sort_values("value")
figure, axis = plt.subplots(figsize=(6, 3))
axis.barh(ndcg.index, ndcg["value"], xerr=[ndcg["value"] - ndcg["ci_low"], ndcg["ci_high"] - ndcg["value"]])
axis.set(xlabel="ndcg@10")
plt.show()

# %% [markdown]
# Intervals that overlap may still differ, since all systems are measured on the same users. The comparison is
# therefore by pairs: the difference, its interval, and a p-value that allows for the number of comparisons.

# %%
comparisons = interestrec.Report.open(settings.workspace).comparisons
pairs = comparisons[
    (comparisons["protocol"] == "catalogue") & (comparisons["slice"] == "all") & (comparisons["metric"] == "ndcg@10")
]
pairs[["system_a", "system_b", "difference", "ci_low", "ci_high", "p_holm"]]

# %% [markdown]
# The page for people, with slices, the audit for leaks and the verdicts, is `report/report.html` in the workspace.

# %%
against_popularity = pairs.set_index("system_b").loc["popularity"]
print(f"steps = {loss['step'].max()}")
print(f"last_loss = {loss['value'].iloc[-1]:.6f}")
print(f"ndcg_interestrec = {ndcg.loc['interestrec', 'value']:.6f}")
print(f"ndcg_popularity = {ndcg.loc['popularity', 'value']:.6f}")
print(f"ndcg_random = {ndcg.loc['random', 'value']:.6f}")
print(f"difference_to_popularity = {against_popularity['difference']:.6f}")
