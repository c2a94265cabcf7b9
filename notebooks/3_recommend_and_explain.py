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
# # Recommend and explain
#
# What `rank` fitted is kept as the artifact `decision`. Lists, similar posts and explanations come from it, without
# training and without TensorFlow. If notebook 2 was run before, nothing is built here.

# %%
import json
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

# %%
overrides = [
    f"data.root={LOG}",
    f"encoders.text.source={ENCODER}",
    "finetune.epochs=2",
    "rank.systems=[interestrec, popularity, random, item_knn]",
    "rank.components=[intensity, item_item]",
    "rank.trials=2",
    "rank.deletion_users=0",
]
settings = interestrec.load_config("../configs/social.yaml", overrides, workspace=WORK / "workspace")
results = interestrec.run(settings, stages=["preprocess", "pretrain-adapt", "finetune", "rank"])
{result.artifact.stage: result.built for result in results}

# %% [markdown]
# The commands of the next cells are those of the terminal, with the same configuration; they print one JSON document a
# line.


# %%
def answers(*words):
    """Run a command of interestrec and return its JSON documents."""
    chosen = [word for override in overrides for word in ("--set", override)]
    options = ["--config", "../configs/social.yaml", "--workspace", str(settings.workspace), *chosen]
    command = [sys.executable, "-m", "interestrec", *words, *options]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in printed.splitlines()]


# %% [markdown]
# ## The list of a user
#
# We ask for the user with the most relevant events. What this user has seen is left out; `why` is the event that did
# most.

# %%
corpus = interestrec.Corpus.open(settings.workspace)
events, items = corpus.events.to_pandas(), corpus.items.to_pandas().set_index("item_id")
relevant = events[events["intensity"] >= settings.data.relevant_at]
user = relevant.groupby("user_id").size().sort_index().idxmax()
(listed,) = answers("recommend", "--user", user, "-k", "5", "--why", "--format", "jsonl")
recommended = pd.DataFrame(listed["items"])
recommended["topic"] = recommended["item_id"].map(items["category"])
recommended

# %% [markdown]
# Are these the topics that the user likes?

# %%
topics = relevant[relevant["user_id"] == user]["item_id"].map(items["category"]).value_counts()
figure, axis = plt.subplots(figsize=(6, 3))
axis.barh(topics.index, topics)
axis.set(xlabel=f"relevant events of {user}")
plt.show()

# %% [markdown]
# ## The list of somebody new
#
# A person who is not in the log is known by the history in the request. Here it is the first post of the list above.

# %%
first = recommended.loc[0, "item_id"]
(for_new,) = answers("recommend", "--history", first, "-k", "5", "--format", "jsonl")
pd.DataFrame(for_new["items"])

# %% [markdown]
# ## Why is the first post there?
#
# The score is a sum over components. Each event of the history is left out in turn, and the whole decision scores
# again.

# %%
(answer,) = answers("explain", "--user", user, "--item", first, "-k", "5", "--json")
explanation = answer["explanation"]
figure, axis = plt.subplots(figsize=(6, 2))
axis.barh(list(explanation["terms"]), list(explanation["terms"].values()))
axis.set(xlabel="part of the score")
plt.show()
pd.DataFrame(explanation["events"])[["told", "score_drop", "rank_without"]].head()

# %% [markdown]
# `smallest_removal` is the fewest events without which the post is not listed; with `kept_without_history` it stays
# even so.

# %%
explanation["smallest_removal"]

# %%
print(f"first_score = {recommended.loc[0, 'score']:.6f}")
print(f"sum_of_terms = {sum(explanation['terms'].values()):.6f}")
print(f"largest_score_drop = {max(event['score_drop'] for event in explanation['events']):.6f}")
print(f"seen_among_listed = {len(set(recommended['item_id']) & set(events[events['user_id'] == user]['item_id']))}")
print(f"events_of_history = {len(explanation['events'])}")
