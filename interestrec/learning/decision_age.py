"""How old a decision may be: what refitting every N windows loses against every window, and the advice from it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from interestrec.evaluation.verdicts import FEW_USERS
from interestrec.learning.replay_scores import HEADLINE_METRIC

Rows = Sequence[Mapping[str, Any]]

EVERY = "every {}"  # name of a policy that refits every N windows


def age_rows(ages: Sequence[int], metrics: Rows, comparisons: Rows) -> list[dict[str, Any]]:
    """Return what each age loses by the headline metric over all windows, as JSON values.

    `loss` is the share of the value at every window that is lost, negative where nothing is, with its 95 % interval,
    None for unbounded ends.

    Args:
        ages: numbers of windows from one refit to the next, 1 first.
        metrics, comparisons: rows of `replay_rows` over policies named by EVERY, against the first.
    """
    values = {row["policy"]: row for row in metrics if row["window"] is None and row["metric"] == HEADLINE_METRIC}
    losses = {row["policy_b"]: row for row in comparisons if row["window"] is None and row["metric"] == HEADLINE_METRIC}
    best = values[EVERY.format(1)]["value"]
    rows = []
    for age in ages:
        name = EVERY.format(age)
        row = {"every": age, "value": values[name]["value"], "loss": None, "ci_low": None, "ci_high": None}
        if age > 1 and best and name in losses:
            row |= {
                "loss": losses[name]["difference"] / best,
                "ci_low": _finite(losses[name]["ci_low"] / best),
                "ci_high": _finite(losses[name]["ci_high"] / best),
            }
        rows.append(row)
    return rows


def chosen_age(rows: Rows, tolerance: float) -> int:
    """Return the largest age whose loss is below the tolerance with 97.5 % confidence, 1 where none is."""
    return max((row["every"] for row in rows if row["ci_high"] is not None and row["ci_high"] < tolerance), default=1)


def age_sentence(rows: Rows, tolerance: float, n_users: int, seconds: Mapping[int, float] | None = None) -> str:
    """Return the advice on how often to refit as a sentence.

    Args:
        rows: of `age_rows`.
        n_users: number of users behind the figures.
        seconds: measured seconds of all fits, by age; None: they are left out.
    """
    if len(rows) < 2:
        return "There is one window, so nothing can be said of how often to refit."
    allowed, first = f"{tolerance:.1%}".replace(".0%", "%").replace("%", " %"), rows[0]
    few = f" With {n_users} users, intervals are unreliable." if n_users < FEW_USERS else ""
    if not first["value"]:
        return f"Refitting at every window has {HEADLINE_METRIC} 0, so nothing can be lost by refitting less often."
    age = chosen_age(rows, tolerance)
    if age > 1:
        row = next(row for row in rows if row["every"] == age)
        cost = ""
        if seconds is not None:
            cost = f", and its fits take {seconds[age]:,.0f} instead of {seconds[1]:,.0f} seconds"
        once = " (the first decision throughout)" if age == rows[-1]["every"] else ""
        return (
            f"Refitting every {age} windows{once} loses less than {allowed} of {HEADLINE_METRIC} "
            f"({_figures(row)}){cost}.{few}"
        )
    row = rows[1]
    if row["ci_low"] is not None and row["ci_low"] > tolerance:
        return (
            f"Refit at every window: every {row['every']} windows already loses more than {allowed} of "
            f"{HEADLINE_METRIC} ({_figures(row)}).{few}"
        )
    return (
        f"The windows cannot tell whether refitting every {row['every']} windows loses less than {allowed} of "
        f"{HEADLINE_METRIC} ({_figures(row)}); replay more windows, or allow a larger replay.tolerance.{few}"
    )


def _figures(row: Mapping[str, Any]) -> str:
    if row["ci_low"] is None or row["ci_high"] is None:
        return f"{_percent(row['loss'])}, no bounded 95 % interval"
    return f"{_percent(row['loss'])}, 95 % interval {_percent(row['ci_low'])} to {_percent(row['ci_high'])}"


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.1f} %"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
