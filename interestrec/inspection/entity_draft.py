"""The configuration of the tables that describe the items and the users of an event log."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from interestrec.inspection.draft_parts import ConfigurationDraft, DraftQuestion
from interestrec.inspection.event_roles import EventRoles
from interestrec.inspection.item_roles import ItemRoles, assign_item_roles, attribute_columns
from interestrec.inspection.role_names import name_score
from interestrec.inspection.sampled_table import SampledTable
from interestrec.inspection.table_joins import TableJoin
from interestrec.inspection.time_guess import TimeGuess

_EMPTY_TEXTS = 0.05  # default of data.max_items_without_text


def table_label(table: SampledTable) -> str:
    """Return the name of a table with its number of rows, for findings."""
    return f"{table.group.label} ({table.rows:,} rows{'' if table.is_whole else ' looked at'})"


def put_layout(draft: ConfigurationDraft, table: SampledTable, where: tuple[str | int, ...]) -> None:
    """Write the keys of a text file's layout that its suffix does not tell."""
    for key, value in table.layout.items():
        comment = "columns are named by their numbers from 1" if key == "header" else None
        draft.put((*where, key), value, comment)
        if key == "header" and not table.is_header_sure:
            draft.comments[*where, key] = "a guess: the first row looks like data; remove this line if it has the names"


def put_items(
    draft: ConfigurationDraft,
    tables: Sequence[SampledTable],
    times: Sequence[Mapping[str, TimeGuess]],
    main: EventRoles,
    answers: Mapping[str, str],
) -> tuple[SampledTable, ItemRoles]:
    """Write the table of items: one of its own, or the rows of events."""
    join = main.items
    if join is not None:
        table, key, taken = tables[join.key_table], join.key, []
        draft.findings.append(
            f"{table_label(table)} describes the items: {join.found:.1%} of the items of the events are in its "
            f"column {join.key} ({'sure' if join.found > 0.9 else 'likely'})."
        )
        guesses = times[join.key_table]
    else:
        table, key = tables[main.position], main.roles["item"].column
        taken = [choice.column for choice in main.roles.values()]
        guesses = times[main.position]
        draft.findings.append(f"No other file describes the items, so {table.group.label} does so itself (likely).")
    roles = assign_item_roles(table, key, taken, guesses, answers)
    draft.put(("data", "items", "files"), list(table.group.names))
    put_layout(draft, table, ("data", "items"))
    draft.put(
        ("data", "items", "columns", "item"), key, f"{join.found:.1%} of the items of the events" if join else None
    )
    _put_item_columns(draft, table, roles, main, answers)
    return table, roles


def _put_item_columns(
    draft: ConfigurationDraft,
    table: SampledTable,
    roles: ItemRoles,
    main: EventRoles,
    answers: Mapping[str, str],
) -> None:
    where = ("data", "items", "columns")
    if not roles.names("title") and not roles.names("text"):
        category = roles.names("category")
        title = category or [roles.item]
        others = _wordy(table, {*title, *(choice.column for choice in main.roles.values())})
        question = DraftQuestion(
            "title", f"which column of {table.group.label} says what an item is?", {title[0]: "", **others}
        )
        says_itself = name_score(title[0], "title") >= 0.6 or not others
        name = title[0] if says_itself else draft.ask(question, (*where, "title"), answers)
        draft.put((*where, "title"), [name], "a guess: no column is named like a title")
    for role in ("title", "text"):
        choices = roles.roles.get(role, [])
        if choices:
            names = [choice.column for choice in choices]
            draft.put((*where, role), names, f"{choices[0].sureness}: {choices[0].why}")
    for role in ("category", "price", "published"):
        for choice in roles.roles.get(role, []):
            draft.choose((*where, role), choice)
    if roles.separator:
        draft.put((*where, "category_separator"), roles.separator)
    empty = [1 - table.column(name).filled_share for name in (roles.names("title") + roles.names("text"))[:1]]
    if empty and empty[0] > 0.5 * _EMPTY_TEXTS:
        draft.put(
            ("data", "max_items_without_text"),
            min(1.0, round(empty[0] * 1.5 + 0.05, 2)),
            f"{empty[0]:.1%} of the rows have no title",
        )


def _wordy(table: SampledTable, taken: Collection[str]) -> dict[str, str]:
    return {c.name: "" for c in table.columns if c.letters > 0.5 and c.name not in taken and not c.is_list}


def put_users(
    draft: ConfigurationDraft, tables: Sequence[SampledTable], joins: Sequence[TableJoin], main: EventRoles
) -> set[int]:
    """Write the table of users, where one has the users of the events as its key; return its position."""
    user = main.roles.get("user")
    item_table = main.items.key_table if main.items else None
    for join in joins:
        if user is None or join.table != main.position or join.column != user.column or join.key_table == item_table:
            continue
        table = tables[join.key_table]
        attributes = attribute_columns(table, join.key)
        if join.found < 0.5 or not attributes:
            continue
        draft.put(("data", "users", "files"), list(table.group.names))
        put_layout(draft, table, ("data", "users"))
        draft.put(("data", "users", "columns"), {"user": join.key}, f"{join.found:.1%} of the users of the events")
        draft.put(("data", "users", "attributes"), attributes, "the report can be sliced by these")
        draft.findings.append(f"{table_label(table)} describes users: {', '.join(attributes)} (likely).")
        return {join.key_table}
    return set()
