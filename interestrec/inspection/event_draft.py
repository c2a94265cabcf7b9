"""The configuration of an event log: tables of events, of items and of users by column mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interestrec.core.errors import DataError
from interestrec.inspection.draft_parts import ConfigurationDraft, DraftPlace, DraftQuestion
from interestrec.inspection.entity_draft import put_items, put_layout, put_users, table_label
from interestrec.inspection.event_roles import EventRoles, assign_event_roles, is_rating, noun_of
from interestrec.inspection.intensity_guess import put_value_map, put_weights
from interestrec.inspection.model_guess import put_item_fields, put_model
from interestrec.inspection.role_names import name_score
from interestrec.inspection.sampled_table import SampledTable
from interestrec.inspection.split_guess import guess_split
from interestrec.inspection.table_joins import TableJoin, find_people
from interestrec.inspection.time_guess import TimeGuess
from interestrec.rawfiles.raw_log import RawLog

_LEAST_SCORE = 0.4  # of a table of events
_RIVAL_SCORE = 0.75  # share of the best table's score from which on another one has events of the same items


def draft_events(
    log: RawLog,
    draft: ConfigurationDraft,
    tables: Sequence[SampledTable],
    times: Sequence[Mapping[str, TimeGuess]],
    joins: Sequence[TableJoin],
    place: DraftPlace,
    answers: Mapping[str, str],
) -> None:
    """Write the sections for the format `events`.

    Raises:
        DataError: no table has users and items.
    """
    found = _event_tables(tables, times, joins, find_people(log, tables), answers)
    main = found[0]
    draft.put(("data", "format"), "events")
    draft.put(("data", "root"), str(place.root))
    is_list = len(found) > 1
    for number, roles in enumerate(found):
        where: tuple[str | int, ...] = ("data", "events", number) if is_list else ("data", "events")
        if is_list and number == 0:
            draft.put(("data", "events"), [{} for _ in found])
        _put_event_table(draft, tables[roles.position], roles, where, answers, is_list)
    items = put_items(draft, tables, times, main, answers)
    people = put_users(draft, tables, joins, main)
    _put_preprocess(log, draft, tables, found)
    has_times = all(roles.time is not None for roles in found)
    described, item_roles = items
    columns = {role: [described.column(name) for name in item_roles.names(role)] for role in item_roles.roles}
    put_item_fields(draft, columns, has_times)
    put_model(draft, [*columns.get("title", []), *columns.get("text", [])], place, has_times)
    used = {roles.position for roles in found} | {tables.index(described)} | people
    unused = [other.group.label for n, other in enumerate(tables) if n not in used]
    if unused:
        draft.findings.append(f"Not used: {', '.join(unused)}.")


def _event_tables(
    tables: Sequence[SampledTable],
    times: Sequence[Mapping[str, TimeGuess]],
    joins: Sequence[TableJoin],
    relations: Mapping[int, Mapping[str, float]],
    answers: Mapping[str, str],
) -> list[EventRoles]:
    """Return the tables of events, the best one first; further ones have events of the same items.

    Args:
        relations: by the position of a table, the result of `find_people`.
    """
    scored = []
    for position, table in enumerate(tables):
        to_items = [join for join in joins if join.table == position and _describes_items(tables[join.key_table])]
        chosen = answers if answers.get("events", table.group.label) == table.group.label else {}
        people = {**_people(tables, joins, position), **relations.get(position, {})}
        roles = assign_event_roles(position, table, times[position], to_items, people, chosen)
        if roles.score:
            scored.append(roles)
    scored.sort(key=lambda roles: (-roles.score, -tables[roles.position].rows))
    if "events" in answers:
        scored.sort(key=lambda roles: tables[roles.position].group.label != answers["events"])
    if not scored or scored[0].score < _LEAST_SCORE:
        seen = "; ".join(f"{table.group.label}: {', '.join(table.names[:12])}" for table in tables)
        raise DataError(
            "no file has a column of users and one of items whose values repeat, so none is a log of events; "
            f"name the file of events as well, or write the configuration by `interestrec init shop` (found {seen})"
        )
    main = scored[0]
    found = [main]
    for other in scored[1:]:
        same_items = main.items and other.items and main.items.key_table == other.items.key_table
        if same_items and other.score >= _RIVAL_SCORE * main.score and _same_people(main, other):
            found.append(other)
    return found


def _same_people(one: EventRoles, other: EventRoles) -> bool:
    return "user" in one.roles and "user" in other.roles and one.roles["user"].column == other.roles["user"].column


def _describes_items(table: SampledTable) -> bool:
    """Whether a table with a key has texts, which items have and users rarely."""
    return any(
        max(name_score(column.name, "title"), name_score(column.name, "text")) >= 0.7 or column.words > 2
        for column in table.columns
        if column.letters > 0.5
    ) and not any(name_score(column.name, "attribute") >= 0.9 for column in table.columns if column.distinct <= 3)


def _people(tables: Sequence[SampledTable], joins: Sequence[TableJoin], position: int) -> dict[str, float]:
    """Return the columns whose values are people: in the key of a table without texts, or named so elsewhere."""
    people: dict[str, float] = {}
    for join in joins:
        if join.table == position and not _describes_items(tables[join.key_table]) and join.found > 0.8:
            people[join.column] = max(people.get(join.column, 0.0), 0.5 * join.found)
    return people


def _put_event_table(
    draft: ConfigurationDraft,
    table: SampledTable,
    found: EventRoles,
    where: tuple[str | int, ...],
    answers: Mapping[str, str],
    is_one_of_several: bool,
) -> None:
    draft.put((*where, "files"), list(table.group.names))
    put_layout(draft, table, where)
    for role in ("user", "item"):
        choice = found.roles.get(role)
        if choice is not None and choice.rivals:
            choices = dict.fromkeys((choice.column, *choice.rivals[:3]), "")
            question = DraftQuestion(role, f"which column of {table.group.label} is {noun_of(role)}?", choices)
            draft.ask(question, (*where, "columns", role), answers)
    value = found.roles.get("value")
    if value is not None and "event" in found.roles:
        draft.remark(
            (*where, "columns", "event"),
            f"{value.column} measures something: name it by `value: {value.column}`, and say under "
            "preprocess.intensity.values which type of event it grades.",
        )
    graded = ("value",) if "event" not in found.roles else ()
    for role in ("user", "session", "item", "time", "event", *graded):
        choice = found.roles.get(role)
        if choice is not None:
            draft.choose((*where, "columns", role), choice)
    _put_time(draft, table, found, where, answers)
    kind = event_name(table, found, is_one_of_several)
    if "event" not in found.roles:
        draft.put((*where, "event"), kind, "type of every row")
    conditions = _conditions(table, found)
    if conditions:
        draft.put((*where, "where"), conditions, "a guess: rows below are returns or corrections; they are counted")
    who, what = found.roles.get("user") or found.roles["session"], found.roles["item"]
    draft.findings.append(
        f"{table_label(table)} has the events: user is {who.column} ({who.sureness}), "
        f"item is {what.column} ({what.sureness})."
    )
    if found.time is not None:
        draft.findings.append(
            f"Times are in {found.roles['time'].column} ({found.roles['time'].sureness}): {found.roles['time'].why}."
        )
    else:
        draft.findings.append(f"{table.group.label} has no times (sure).")
    if table.bad_rows:
        draft.findings.append(f"{table.group.label}: {table.bad_rows:,} malformed rows among those looked at.")
        draft.put(("data", "max_bad_rows"), max(100, 10 * table.bad_rows), "malformed rows are left out and counted")


def _put_time(
    draft: ConfigurationDraft,
    table: SampledTable,
    found: EventRoles,
    where: tuple[str | int, ...],
    answers: Mapping[str, str],
) -> None:
    guess = found.time
    if guess is None or not guess.doubt:
        return
    column = found.roles["time"].column
    if not guess.formats:
        draft.remark((*where, "columns", "time"), f"{column}: {guess.doubt}.")
        return
    meanings = {
        text: f"{'the day' if text.index('%d') < text.index('%m') else 'the month'} first" for text in guess.formats
    }
    question = DraftQuestion("date order", f"does a date in {column} begin with the day or the month?", meanings)
    draft.put((*where, "time_format"), draft.ask(question, (*where, "time_format"), answers))


def event_name(table: SampledTable, found: EventRoles, by_file: bool) -> str:
    """Return a type for all events of a table: by what is measured, or by the name of its file."""
    if by_file:
        stem = table.group.paths[0].name.partition(".")[0]
        words = [word for word in stem.replace("-", "_").split("_") if len(word) > 2]
        return (words[-1] if words else stem).lower()
    if "value" in found.roles and is_rating(table.column(found.roles["value"].column)):
        return "rating"
    if "quantity" in found.roles or "invoice" in found.roles:
        return "purchase"
    return "event"


def _conditions(table: SampledTable, found: EventRoles) -> list[dict[str, Any]]:
    """Return conditions that leave out returns: quantities below 0, and prices of invoice lines below 0."""
    if "quantity" not in found.roles or (
        "value" in found.roles and found.roles["value"].column == found.roles["quantity"].column
    ):
        return []
    quantity = table.column(found.roles["quantity"].column)
    conditions: list[dict[str, Any]] = []
    if (quantity.low or 0) < 0:
        conditions.append({"column": quantity.name, "above": 0})
        for column in table.columns:
            if name_score(column.name, "price") >= 0.7 and column.is_number and (column.low or 0) <= 0:
                conditions.append({"column": column.name, "above": 0})
    return conditions


def _put_preprocess(
    log: RawLog, draft: ConfigurationDraft, tables: Sequence[SampledTable], found: Sequence[EventRoles]
) -> None:
    main = found[0]
    table = tables[main.position]
    if "invoice" in main.roles and "event" not in main.roles:
        draft.put(("preprocess", "duplicates"), "keep", "likely: equal lines of an order are separate purchases")
    kinds: list[tuple[str, int]] = []
    for roles in found:
        if "event" in roles.roles:
            column = tables[roles.position].column(roles.roles["event"].column)
            kinds += list(column.frequent)
        else:
            kinds.append((event_name(tables[roles.position], roles, len(found) > 1), tables[roles.position].rows))
    if len(kinds) > 1:
        measured = [
            event_name(tables[roles.position], roles, len(found) > 1)
            for roles in found
            if "value" in roles.roles and "event" not in roles.roles
        ]
        put_weights(draft, kinds, measured, all(tables[roles.position].is_whole for roles in found))
        shown = ", ".join(f"{name} ({count:,})" for name, count in kinds[:8])
        draft.findings.append(f"Types of events: {shown}; their weights are guesses.")
    for roles in found:
        if "value" in roles.roles and "event" not in roles.roles:
            kind = event_name(tables[roles.position], roles, len(found) > 1)
            column = tables[roles.position].column(roles.roles["value"].column)
            put_value_map(draft, kind, column)
            draft.findings.append(
                f"{column.name} measures each {kind}, from {column.low:g} to {column.high:g} (likely)."
            )
    who = (main.roles.get("user") or main.roles["session"]).column
    time = main.roles.get("time")
    if any(roles.time is None for roles in found):
        time = None
    guess = guess_split(log, table, who, time.column if time else None, main.time)
    draft.put(("preprocess", "split"), {"method": guess.method, "valid": 0.1, "test": 0.2}, guess.why)
    draft.findings.append(f"Split: {guess.method}, because {guess.why}.")
