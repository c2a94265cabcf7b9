"""Roles of the columns of a table of impressions: lists of items that were shown and clicked, and of earlier ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from interestrec.inspection.column_profile import ColumnProfile
from interestrec.inspection.event_roles import RoleChoice
from interestrec.inspection.role_names import is_id_name, name_score, words_of
from interestrec.inspection.sampled_table import SampledTable
from interestrec.inspection.time_guess import TimeGuess

_SHOWN = frozenset(
    "inview shown impressions impression candidates displayed slate exposed viewport recommended angezeigt".split()
)
_CLICKED = frozenset("clicked clicks click chosen selected angeklickt".split())
_LABELS = frozenset("labels label clicks clicked".split())
_HISTORY = frozenset("history hist past previous historie verlauf".split())


@dataclass(frozen=True)
class ImpressionRoles:
    """Columns of a table of impressions."""

    columns: Mapping[str, RoleChoice]


@dataclass(frozen=True)
class HistoryRoles:
    """Columns of a table with one row of lists per user."""

    columns: Mapping[str, str]


def assign_impression_roles(table: SampledTable, times: Mapping[str, TimeGuess]) -> ImpressionRoles | None:
    """Return the roles if a table has a list of items shown and one of those clicked, or of labels; else None."""
    lists = [column for column in table.columns if column.is_list]
    shown = _named(lists, _SHOWN)
    clicked = _named([column for column in lists if column is not shown], _CLICKED)
    labels = _named([column for column in lists if column not in (shown, clicked)], _LABELS)
    if shown is None or (clicked is None and labels is None):
        return None
    user = _best(table, "user")
    if user is None:
        return None
    chosen = {"user": RoleChoice(user, "sure", "named like a user"), "shown": _choice(shown, "items shown")}
    if clicked is not None:
        chosen["clicked"] = _choice(clicked, "items clicked")
    elif labels is not None:
        chosen["labels"] = _choice(labels, "labels")
    key = next((c.name for c in table.columns if c.is_key and is_id_name(c.name) and c.name != user), None)
    if key:
        chosen["impression"] = RoleChoice(key, "likely", "an id of its own in every row")
    time = max(((name_score(name, "time"), name) for name in times), default=(0, ""))
    if time[0]:
        chosen["time"] = RoleChoice(time[1], "sure", times[time[1]].notation)
    history = _named([column for column in lists if column not in (shown, clicked, labels)], _HISTORY)
    if history is not None:
        chosen["history"] = _choice(history, "earlier items")
    return ImpressionRoles(chosen)


def assign_history_roles(table: SampledTable) -> HistoryRoles | None:
    """Return the roles if a table has one row per user and lists of items, and perhaps of times and values."""
    user = _best(table, "user")
    lists = [column for column in table.columns if column.is_list]
    if user is None or not lists or not table.column(user).is_key:
        return None
    items = max(lists, key=lambda column: name_score(column.name, "item") + 0.5 * is_id_name(column.name))
    if not name_score(items.name, "item"):
        return None
    columns = {"user": user, "items": items.name}
    others = [column for column in lists if column is not items]
    timed = [column for column in others if column.is_typed_time]
    times = timed or [column for column in others if name_score(column.name, "time") >= 0.9]
    if times:
        columns["times"] = times[0].name
    measured = [(name_score(c.name, "value"), c.name) for c in others if c not in times]
    score, name = max(measured, default=(0.0, ""))
    if score >= 0.6:
        columns["values"] = name
    return HistoryRoles(columns)


def _named(columns: list[ColumnProfile], words: frozenset[str]) -> ColumnProfile | None:
    return next((column for column in columns if words & set(words_of(column.name))), None)


def _choice(column: ColumnProfile, what: str) -> RoleChoice:
    return RoleChoice(column.name, "sure", f"a list, named like {what}")


def _best(table: SampledTable, role: str) -> str | None:
    scored = [(name_score(c.name, role) + 0.1 * is_id_name(c.name), c.name) for c in table.columns if not c.is_list]
    best = max(scored, default=(0.0, ""))
    return best[1] if best[0] >= 0.9 else None
