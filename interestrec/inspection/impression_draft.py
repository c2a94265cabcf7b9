"""The configuration of a log of impressions with list columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interestrec.inspection.column_profile import ColumnProfile
from interestrec.inspection.draft_parts import ConfigurationDraft, DraftPlace
from interestrec.inspection.impression_roles import ImpressionRoles, assign_history_roles
from interestrec.inspection.intensity_guess import put_value_map
from interestrec.inspection.item_roles import assign_item_roles
from interestrec.inspection.model_guess import put_item_fields, put_model
from interestrec.inspection.role_names import is_id_name, name_score
from interestrec.inspection.sampled_table import SampledTable
from interestrec.inspection.time_guess import TimeGuess

_CLICK = "click"


def draft_impressions(
    draft: ConfigurationDraft,
    tables: Sequence[SampledTable],
    position: int,
    found: ImpressionRoles,
    times: Sequence[Mapping[str, TimeGuess]],
    place: DraftPlace,
) -> None:
    """Write the sections for the format `impressions`."""
    table = tables[position]
    draft.put(("data", "format"), "impressions", "sure: rows have lists of the items shown and clicked")
    draft.put(("data", "root"), str(place.root))
    draft.put(("data", "train"), list(table.group.names))
    for role, choice in found.columns.items():
        draft.choose(("data", "columns", role), choice)
    time = found.columns.get("time")
    guess = times[position].get(time.column) if time else None
    _put_history(draft, tables, position)
    title = _put_items(draft, tables, position)
    measured = [
        (name_score(column.name, "value") + 0.2 * column.name.startswith("next"), column)
        for column in table.columns
        if column.is_number and not is_id_name(column.name)
    ]
    score, measure = max(measured, key=lambda pair: pair[0], default=(0.0, None))
    if measure is not None and score >= 0.6:
        draft.put(("data", "columns", "value"), measure.name, "a guess: named like a measured value of the click")
        put_value_map(draft, _CLICK, measure)
        draft.values["preprocess"]["intensity"]["values"][_CLICK]["missing"] = 0.5
    has_times = guess is not None
    method = "global_time" if has_times else "user_random"
    draft.put(
        ("preprocess", "split"), {"method": method, "valid": 0.1, "test": 0.2}, "or `given`, with files per split"
    )
    put_item_fields(draft, {role: [column] for role, column in title.items()}, has_times)
    put_model(draft, list(title.values()), place, has_times)
    draft.findings.append(
        f"{table.group.label} has impressions: items shown in {found.columns['shown'].column} (sure)."
    )


def _put_history(draft: ConfigurationDraft, tables: Sequence[SampledTable], position: int) -> None:
    for other, table in enumerate(tables):
        history = assign_history_roles(table) if other != position else None
        if history is not None and ("data", "columns", "history") not in draft.comments:
            draft.put(("data", "history", "train"), list(table.group.names), "sure: one row of lists per user")
            draft.put(("data", "history", "columns"), dict(history.columns))
            draft.findings.append(f"{table.group.label} has the histories of users (sure).")


def _put_items(draft: ConfigurationDraft, tables: Sequence[SampledTable], position: int) -> dict[str, ColumnProfile]:
    for other, table in enumerate(tables):
        key = next(
            (c.name for c in table.columns if c.is_key and not c.is_list and name_score(c.name, "item") >= 0.6), None
        )
        if other == position or key is None:
            continue
        roles = assign_item_roles(table, key, (), {}, {})
        if not roles.names("title"):
            continue
        draft.put(("data", "items", "files"), list(table.group.names))
        draft.put(("data", "items", "columns", "item"), key)
        for role in ("title", "text"):
            if roles.names(role):
                draft.put(("data", "items", "columns", role), roles.names(role))
        return {role: table.column(roles.names(role)[0]) for role in ("title", "text") if roles.names(role)}
    draft.put(("data", "max_items_without_text"), 1, "no table of items was found: items have no texts")
    return {}
