"""Names of the metrics that a report can be asked for; `metrics/` says what they are."""

import re

from interestrec.core.choices import suggestion

LIST_METRICS = ("auc", "mrr", "rr")
CUTOFF_METRICS = ("ndcg", "hit", "recall", "map")  # each with a number behind an @
INTENSITY_METRICS = ("rmse", "logloss", "mae", "brier", "ece", "spearman")


def is_known_metric(name: str) -> str:
    """The name itself, for the settings' validation.

    Raises:
        ValueError: there is no such metric.
    """
    if name in (*LIST_METRICS, *INTENSITY_METRICS) or re.fullmatch(rf"({'|'.join(CUTOFF_METRICS)})@[1-9]\d*", name):
        return name
    k = name.partition("@")[2]
    like = [f"{kind}@{k if k.isdecimal() and int(k) else 10}" for kind in CUTOFF_METRICS]
    choices = ", ".join((*LIST_METRICS, *(f"{kind}@k" for kind in CUTOFF_METRICS), *INTENSITY_METRICS))
    near = suggestion(name, [*LIST_METRICS, *INTENSITY_METRICS, *like])
    raise ValueError(f"unknown metric '{name}'{near}; choose from: {choices}, k a number as in ndcg@10")
