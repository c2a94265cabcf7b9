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
# # Look at a corpus
#
# `preprocess` turns raw logs into a corpus: items with texts, users, and what each user did, graded by strength. This
# notebook makes a small log of a social product, builds its corpus and looks at it. Nothing is trained.

# %%
import os
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt

import interestrec

WORK = Path(os.environ.get("NOTEBOOK_WORK", "../workspace/notebooks"))
ENCODER = os.environ.get("NOTEBOOK_ENCODER", "../data/encoders/minilm-l6")  # `interestrec fetch minilm-l6`
LOG = WORK / "log"
if not LOG.exists():
    size = ["--users", "150", "--posts", "400"]
    subprocess.run([sys.executable, "../scripts/generate.py", "social", "--to", str(LOG), *size], check=True)
print((LOG / "events.csv").read_text()[:300])

# %% [markdown]
# A row is an event: a user viewed a post for some seconds, skipped it, liked it or disliked it. The template `social`
# says how strong each of them is. Any of its keys can be replaced, here the paths.

# %%
settings = interestrec.load_config(
    "../configs/social.yaml",
    [f"data.root={LOG}", f"encoders.text.source={ENCODER}"],
    workspace=WORK / "workspace",
)
(result,) = interestrec.run(settings, stages=["preprocess"])
result.built, result.artifact.path.name

# %% [markdown]
# A second run builds nothing, because neither the log nor a setting has changed. `Corpus` reads the tables.

# %%
corpus = interestrec.Corpus.open(settings.workspace)
items, events = corpus.items.to_pandas(), corpus.events.to_pandas()
items[["item_id", "title", "text", "category"]].head()

# %%
events.head()

# %% [markdown]
# ## How strong is interest?
#
# The intensity of an event lies between 0 and 1. Skips and dislikes are 0, a view counts by its time per word, a like
# or a comment more. From `data.relevant_at` on, an event counts as relevant in metrics.

# %%
figure, axis = plt.subplots(figsize=(6, 3))
axis.hist(events["intensity"], bins=40)
axis.axvline(settings.data.relevant_at, color="black", linestyle="--")
axis.set(xlabel="intensity", ylabel="events", title="Relevant events are right of the line")
plt.show()

# %% [markdown]
# ## Which split is an event in?
#
# The template splits by time: the model learns from `train`, choices are made on `valid`, and `test` tells how good
# they are.

# %%
by_split = events.groupby("split", observed=True).agg(
    events=("intensity", "size"), first=("time", "min"), last=("time", "max"), mean_intensity=("intensity", "mean")
)
by_split

# %% [markdown]
# ## What is popular, and how long are histories?

# %%
relevant = events[events["intensity"] >= settings.data.relevant_at]
per_item, per_user = relevant["item_id"].value_counts(), relevant["user_id"].value_counts()
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
left.plot(per_item.to_numpy())
left.set(xlabel="posts, the most popular first", ylabel="relevant events")
right.hist(per_user, bins=20)
right.set(xlabel="relevant events of a user", ylabel="users")
plt.show()

# %% [markdown]
# `corpus/quality.json` counts what cleaning removed and why; `interestrec describe` and `interestrec inspect` show the
# same on the command line.

# %%
print(f"items = {len(items)}")
print(f"users = {events['user_id'].nunique()}")
print(f"events = {len(events)}")
print(f"relevant_share = {len(relevant) / len(events):.6f}")
print(f"test_events = {by_split.loc['test', 'events']}")
print(f"most_popular_events = {per_item.iloc[0]}")
