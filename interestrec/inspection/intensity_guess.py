"""Intensities: weights of event types and maps of measured values, as a commented guess."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import log1p

from interestrec.inspection.column_profile import ColumnProfile
from interestrec.inspection.draft_parts import ConfigurationDraft
from interestrec.inspection.event_roles import is_rating
from interestrec.inspection.event_words import event_strength

_INTENSITY = ("preprocess", "intensity")
_RELEVANT = ("data", "relevant_at")
_UNKNOWN_WEIGHT = 0.5


def put_value_map(draft: ConfigurationDraft, event: str, column: ColumnProfile) -> None:
    """Map the values of an event type to intensities: marks linearly, anything else by its logarithm."""
    low, high = column.low or 0.0, column.high or 1.0
    span = f"{low:g} to {high:g}"
    if is_rating(column):
        bottom = 1.0 if low >= 1 else 0.0
        top = _top_of_scale(high)
        relevant = round((_good_mark(bottom, top) - bottom) / (top - bottom), 2)
        draft.put(
            (*_INTENSITY, "values", event),
            {"map": "linear", "low": _plain(bottom), "high": _plain(top)},
            f"marks from {span} in the rows looked at: {bottom:g} = 0, {top:g} = 1",
        )
        draft.put(_RELEVANT, relevant, f"a guess: a mark of {_good_mark(bottom, top):g} or more counts as relevant")
        return
    if low < 0:
        draft.remark(
            (*_INTENSITY,),
            f"The values of {column.name} go from {span}; below 0 they cannot be graded, so they do not count.",
        )
        return
    draft.put(
        (*_INTENSITY, "values", event),
        {"map": "log", "missing": 0.5} if column.filled < column.rows else {"map": "log"},
        f"{span}: log(1 + value) / log(1 + 99 % quantile); or map: quantile",
    )
    relevant = log1p(max(column.middle or 0.0, 0.0)) / log1p(max(column.top or 1.0, 1e-9))
    relevant = round(min(0.5, max(0.05, relevant)), 2)
    draft.put(
        _RELEVANT,
        relevant,
        f"a guess: a value of {column.middle or 0:g}, as half of the events have, counts as relevant",
    )


def _top_of_scale(high: float) -> float:
    return next(top for top in (1, 2, 3, 4, 5, 6, 7, 10, 20, 100, high) if high <= top)


def _good_mark(bottom: float, top: float) -> float:
    """Return the mark from which on people usually call something good: 4 of 5, 7 of 10."""
    return {5.0: 4.0, 10.0: 7.0, 100.0: 70.0}.get(float(top), bottom + round(0.7 * (top - bottom), 1))


def _plain(number: float) -> float | int:
    return int(number) if number == int(number) else number


def put_weights(
    draft: ConfigurationDraft, kinds: Sequence[tuple[str, int]], measured: Collection[str], is_whole: bool
) -> None:
    """Weight event types by what their names usually mean; the counts stand beside them.

    Args:
        measured: types whose values grade them already.
    """
    weights, negative = {}, {}
    for name, count in kinds:
        strength = event_strength(name)
        told = f"{count:,} rows{'' if is_whole else ' of those looked at'}"
        if strength is not None and strength < 0:
            negative[name] = "zero"
            draft.comments[*_INTENSITY, "negative", name] = f"a guess: says no; {told}"
        else:
            weights[name] = 1.0 if name in measured else _UNKNOWN_WEIGHT if strength is None else strength
            meaning = "its meaning is unknown" if strength is None else "a guess by its name"
            meaning = "graded by its value" if name in measured else meaning
            draft.comments[*_INTENSITY, "weights", name] = f"{meaning}; {told}"
    draft.put((*_INTENSITY, "weights"), weights)
    draft.remark((*_INTENSITY, "weights"), "How much interest each event shows, from 0 to 1: please correct the order.")
    if negative:
        draft.put((*_INTENSITY, "negative"), negative)
    if measured and len(weights) > 1:
        draft.put((*_INTENSITY, "combine"), "max", "several events of a user and an item become the strongest one")
    positive = sorted(set(weights.values()))
    if len(positive) > 1 and "relevant_at" not in draft.values.get("data", {}):
        draft.put(
            _RELEVANT,
            positive[0],
            "a guess: every event counts as relevant; raise it to the weight of the events that do",
        )
