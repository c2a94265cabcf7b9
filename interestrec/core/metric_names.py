"""Names of the metrics that a report can be asked for; `metrics/` says what they are."""

import re

from interestrec.core.catalogue import suggestion

OF_LISTS = ("auc", "mrr", "rr")
AT_K = ("ndcg", "hit", "recall", "map")  # each with a number behind an @
OF_INTENSITY = ("rmse", "logloss", "mae", "brier", "ece", "spearman")


def known(name: str) -> str:
    """The name itself, for the settings' validation.

    Raises:
        ValueError: there is no such metric.
    """
    if name in (*OF_LISTS, *OF_INTENSITY) or re.fullmatch(rf"({'|'.join(AT_K)})@[1-9]\d*", name):
        return name
    k = name.partition("@")[2]
    like = [f"{kind}@{k if k.isdecimal() and int(k) else 10}" for kind in AT_K]
    choices = ", ".join((*OF_LISTS, *(f"{kind}@k" for kind in AT_K), *OF_INTENSITY))
    near = suggestion(name, [*OF_LISTS, *OF_INTENSITY, *like])
    raise ValueError(f"unknown metric '{name}'{near}; choose from: {choices}, k a number as in ndcg@10")
