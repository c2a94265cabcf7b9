"""The schema of every table of a report; see io/schemas.py for the rules of versions."""

import pyarrow as pa

from interestrec.io.schemas import WORD, required

METRICS = pa.schema(
    [
        required("system", pa.string()),
        required("protocol", pa.string()),
        required("slice", pa.string()),
        required("metric", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("ci_low", pa.float64()),
        pa.field("ci_high", pa.float64()),
        required("n", pa.int64()),
        required("dropped", pa.int64()),
        pa.field("seed_sd", pa.float64()),  # standard deviation between seeds; null for one seed
    ]
)

COMPARISONS = pa.schema(
    [
        required("protocol", pa.string()),
        required("slice", pa.string()),
        required("metric", pa.string()),
        required("system_a", pa.string()),
        required("system_b", pa.string()),
        required("difference", pa.float64()),
        required("ci_low", pa.float64()),
        required("ci_high", pa.float64()),
        required("p", pa.float64()),
        required("p_holm", pa.float64()),
    ]
)

# The same rows of several test windows: `window` is null for the mean over windows, counted back from the last, which
# is 1. `window_sd` is the standard deviation between windows.
_WINDOW = pa.field("window", pa.int32())
WINDOW_METRICS = pa.schema([_WINDOW, *METRICS, pa.field("window_sd", pa.float64())])
WINDOW_COMPARISONS = pa.schema([_WINDOW, *COMPARISONS])

# A replay: by policy over all windows (`window` null), and by window from 1 in order of time.
REPLAY = pa.schema(
    [
        _WINDOW,
        required("policy", pa.string()),
        required("metric", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("ci_low", pa.float64()),
        pa.field("ci_high", pa.float64()),
        required("n", pa.int64()),  # lists
    ]
)
REPLAY_COMPARISONS = pa.schema(
    [
        _WINDOW,
        required("metric", pa.string()),
        required("policy_a", pa.string()),
        required("policy_b", pa.string()),
        required("difference", pa.float64()),
        required("ci_low", pa.float64()),
        required("ci_high", pa.float64()),
        required("p", pa.float64()),
        required("p_holm", pa.float64()),
    ]
)
# What the steps of a replay took, as measured. A step is `learn` or `answer`; steps that policies share are in each.
REPLAY_COSTS = pa.schema(
    [
        required("window", pa.int32()),
        required("policy", pa.string()),
        required("step", pa.string()),
        required("seconds", pa.float64()),
        required("memory", pa.int64()),  # bytes, the most that one of its processes used
        required("attempts", pa.int64()),  # above 1: it was interrupted, and the seconds are those of the last attempt
    ]
)
# The metrics of each user's list in one window, which a replay keeps until it is complete.
REPLAY_SCORES = pa.schema(
    [
        required("user", pa.int64()),
        *(required(name, pa.float64()) for name in ("ndcg@10", "recall@10", "hit@10")),
    ]
)

# Difference between the best and the worst slice of users per system; a family is `activity` or a user attribute.
GAPS = pa.schema(
    [
        required("system", pa.string()),
        required("protocol", pa.string()),
        required("family", pa.string()),
        required("metric", pa.string()),
        required("best", pa.string()),  # name of the slice
        required("worst", pa.string()),
        required("best_value", pa.float64()),
        required("worst_value", pa.float64()),
        required("gap", pa.float64()),  # never below 0
        pa.field("ci_low", pa.float64()),
        pa.field("ci_high", pa.float64()),
    ]
)

# Shares between 0 and 1 per top-level category; the category is null for items without one.
EXPOSURE = pa.schema(
    [
        required("system", pa.string()),
        pa.field("category", pa.string()),
        required("exposure", pa.float64()),  # share of the positions in all lists
        required("catalogue", pa.float64()),  # share of the items
        required("train_events", pa.float64()),  # share of the positive train events
    ]
)

PER_USER = pa.schema(
    [
        required("system", WORD),
        required("protocol", WORD),
        required("user_id", pa.string()),
        required("metric", WORD),
        required("value", pa.float64()),
        required("n", pa.int64()),
    ]
)

# Of the tasks of a model.
TASK_METRICS = pa.schema(
    [
        required("task", pa.string()),
        required("metric", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("ci_low", pa.float64()),
        pa.field("ci_high", pa.float64()),
        required("n", pa.int64()),  # events
        required("users", pa.int64()),
    ]
)

# Trials of `tune`; a rung is a number of epochs, or of percent of the users that a scorer is fitted on.
TRIALS = pa.schema(
    [
        required("system", pa.string()),  # "model" or a scorer
        required("trial", pa.int32()),  # 0 = the configured settings
        required("bracket", pa.int32()),
        required("rung", pa.int32()),  # the last one that it reached
        required("metric", pa.string()),
        pa.field("value", pa.float64()),  # on valid_select, on that rung; null where it could not be measured
        required("state", pa.string()),  # complete, halved or failed
        required("seconds", pa.float64()),  # of all rungs
        required("settings", pa.string()),  # JSON, values by dotted key
        required("best", pa.bool_()),  # whether it is the best complete trial of its system
    ]
)

# The metric on valid_select by rung, and of the model by epoch; 0 = before training.
CURVES = pa.schema(
    [
        required("system", pa.string()),
        required("trial", pa.int32()),
        required("rung", pa.int32()),
        required("value", pa.float64()),
    ]
)
