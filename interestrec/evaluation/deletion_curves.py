"""Summary of deletions: mean fall of the first item by order of removal, and whether the orders differ."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.core.small_groups import is_disclosable
from interestrec.evaluation.slices import ALL
from interestrec.io.schemas import BY_ATTENTION, BY_EFFECT, BY_RANDOM
from interestrec.metrics.bootstrap import UserValues, interval, resample

AREA = 0  # in place of a number of removed events: the mean over all numbers of a user
_LONG = 20  # events; histories with more are long
DELETION_ORDERS = {BY_EFFECT: "largest effect", BY_ATTENTION: "largest attention", BY_RANDOM: "random"}
_ORDERS = tuple(DELETION_ORDERS)
_OTHERS = {BY_RANDOM: "random events", BY_ATTENTION: "the events of largest attention"}


def deletion_rows(table: pa.Table, resamples: int, seed: int, min_users: int) -> list[dict[str, Any]]:
    """Return the mean fall of the score per segment, order of removal and number of removed events.

    A row has `segment`, `by`, `removed` (`AREA` = the mean over the numbers of each user, the area under the curve),
    the number of `users`, the mean `score_drop` with its 95 % interval by a bootstrap over users (`ci_low`, `ci_high`),
    the mean `rank`, and for other orders than that by effects how much further the score falls by effects, over the
    same users: `lead`, `lead_low`, `lead_high`.

    Args:
        table: schemas.DELETIONS.
        min_users: minimum number of users of a segment.
    """
    users, user = np.unique(table["user_id"].to_pylist(), return_inverse=True)
    sizes, size = np.unique(table["removed"].to_numpy(), return_inverse=True)
    order = np.array([_ORDERS.index(name) for name in table["by"].to_pylist()], np.int64)
    values = np.full((2, len(_ORDERS), len(users), len(sizes) + 1), np.nan)  # of score and rank, the area last
    for number, name in enumerate(("score_drop", "rank")):
        values[number, order, user, size] = table[name].to_numpy()
    counted = ~np.isnan(values[..., :-1])
    total = np.where(counted, values[..., :-1], 0.0).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        values[..., -1] = total / counted.sum(axis=-1)
    _, first = np.unique(user, return_index=True)
    history, cold = (table[name].to_numpy()[first] for name in ("history", "cold_item"))
    removed = [*sizes.tolist(), AREA]
    return [
        row
        for segment, members in _segments(history, cold, min_users)
        for row in _rows(segment, values[:, :, members], removed, resamples, seed)
    ]


def deletion_sentences(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Say whether the events of the largest effects beat random events and those of attention beyond noise."""
    told = []
    for row in rows:
        if (row["segment"], row["removed"]) != (ALL, AREA) or row["lead"] is None:
            continue
        beyond = row["lead_low"] > 0
        verdict = "further, beyond noise," if beyond else "no further beyond noise"
        figure = f"{row['lead']:+.4f}, 95 % interval {row['lead_low']:+.4f} to {row['lead_high']:+.4f}"
        told.append(
            f"Without the events of the largest effects the score of the first item falls {verdict} than without "
            f"{_OTHERS[row['by']]} ({figure}; {row['users']:,} users, mean over 1 to 10 events)."
        )
    return told


def _segments(history: np.ndarray, cold: np.ndarray, min_users: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and members, bool [users], of all users and of the segments that may be shown."""
    if len(history) < min_users or not len(history):
        return
    yield ALL, np.ones(len(history), dtype=bool)
    long = history > _LONG
    for names, marked in ((("short_history", "long_history"), long), (("warm_item", "cold_item"), cold)):
        shown = is_disclosable(np.array([(~marked).sum(), marked.sum()]), min_users)
        for name, members, is_shown in zip(names, (~marked, marked), shown, strict=True):
            if is_shown and members.any():
                yield name, members


def _rows(
    segment: str, values: np.ndarray, removed: Sequence[int], resamples: int, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one segment.

    Args:
        values: float64 [score and rank, orders, users, numbers], NaN where a history is too short or nothing attends.
    """
    drop, rank = values
    lead = drop[:1] - drop
    columns = np.concatenate([drop, lead]).transpose(1, 0, 2)  # [users, orders twice, numbers]
    known = ~np.isnan(columns)
    packed = np.concatenate([np.where(known, columns, 0.0), known], axis=1).reshape(len(columns), -1)
    (draws,) = resample([UserValues(np.arange(len(columns)), packed)], len(columns), resamples, seed)
    sums, counts = np.split(draws.reshape(resamples, -1, len(removed)), 2, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = (end.reshape(-1, len(removed)) for end in interval((sums / counts).reshape(resamples, -1)))
    for order, name in enumerate(_ORDERS):
        of_lead = len(_ORDERS) + order
        for column, count in enumerate(removed):
            users = int(known[:, order, column].sum())
            if not users:
                continue
            own = known[:, order, column]
            rival = name != BY_EFFECT
            yield {
                "segment": segment,
                "by": name,
                "removed": count,
                "users": users,
                "score_drop": float(drop[order, own, column].mean()),
                "ci_low": float(low[order, column]),
                "ci_high": float(high[order, column]),
                "rank": float(rank[order, own, column].mean()),
                "lead": float(lead[order, own, column].mean()) if rival else None,
                "lead_low": float(low[of_lead, column]) if rival else None,
                "lead_high": float(high[of_lead, column]) if rival else None,
            }
