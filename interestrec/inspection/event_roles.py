"""Roles of the columns of a table of events: who, what, when, how, how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from interestrec.inspection.column_profile import ColumnProfile
from interestrec.inspection.event_words import event_strength
from interestrec.inspection.role_names import is_id_name, name_score
from interestrec.inspection.sampled_table import SampledTable
from interestrec.inspection.table_joins import TableJoin, can_be_id
from interestrec.inspection.time_guess import TimeGuess

SURE, LIKELY, GUESS = "sure", "likely", "a guess"
_ANSWERED = ("user", "item", "time", "event", "value")  # roles that a question may be about
_MAX_EVENT_TYPES = 30
_MAX_TITLE_WORDS = 12


@dataclass(frozen=True)
class RoleChoice:
    """The column that has a role, how sure that is, and why."""

    column: str
    sureness: str
    why: str
    rivals: tuple[str, ...] = ()  # columns that have the role nearly as well


@dataclass
class EventRoles:
    """The roles of the columns of a table of events."""

    position: int  # of the table
    roles: dict[str, RoleChoice] = field(default_factory=dict)
    times: Mapping[str, TimeGuess] = field(default_factory=dict)
    score: float = 0.0  # how much the table is one of events
    items: TableJoin | None = None  # its items are the rows of another table

    @property
    def time(self) -> TimeGuess | None:
        """How its times are read."""
        choice = self.roles.get("time")
        return self.times[choice.column] if choice else None


def sureness_of(score: float) -> str:
    """Return a word for a score between 0 and about 1.3."""
    return SURE if score >= 0.95 else LIKELY if score >= 0.55 else GUESS


def assign_event_roles(
    position: int,
    table: SampledTable,
    times: Mapping[str, TimeGuess],
    joins: Sequence[TableJoin],
    people: Mapping[str, float],
    answers: Mapping[str, str],
) -> EventRoles:
    """Return the roles of a table's columns if it holds events; without a user and an item the score is 0.

    Args:
        times: columns that can be read as times.
        joins: joins of this table's columns with keys of other tables that describe items.
        people: columns whose values other tables relate to each other, as friends are: share found there.
        answers: column by role, where somebody said so.
    """
    found = EventRoles(position, times=times)
    free = {column.name: column for column in table.columns}

    def give(role: str, choice: RoleChoice | None) -> None:
        if choice is not None and choice.column in free:
            found.roles[role] = choice
            del free[choice.column]

    described: dict[str, TableJoin] = {}  # the strongest join of each column that may be the item
    for join in joins:
        if _is_repeated(free[join.column]):
            described.setdefault(join.column, join)
    for role in _ANSWERED:
        if answers.get(role) in free:
            give(role, RoleChoice(answers[role], SURE, "you said so"))
    if "time" not in found.roles:
        give("time", _time(free, times))
    # Without a name and without a table of items, the user comes first.
    order = ("item", "user") if table.has_header or described else ("user", "item")
    for role in order:
        if role not in found.roles:
            give(role, _item(free, described, table.has_header) if role == "item" else _user(free, people, table))
    give("session", _by_name(free, "session", can_be_id, least=0.9))
    if "item" not in found.roles and "user" in found.roles:
        give("item", _item(free, described, table.has_header, least=0.0))
    if "event" not in found.roles:
        give("event", _event_type(free))
    give("quantity", _by_name(free, "quantity", lambda column: column.is_number and column.whole > 0.95))
    give("invoice", _by_name(free, "invoice", can_be_id))
    if "value" not in found.roles:
        give("value", _value(free, table.has_header))
    if "item" in found.roles:
        found.items = described.get(found.roles["item"].column)
    for role, choice in found.roles.items():
        found.roles[role] = replace(choice, rivals=tuple(name for name in choice.rivals if name in free))
    found.score = _score(table, found)
    return found


def _is_repeated(column: ColumnProfile) -> bool:
    return column.repetition >= 1.05 and not column.is_key


def _score(table: SampledTable, found: EventRoles) -> float:
    who = found.roles.get("user") or found.roles.get("session")
    what = found.roles.get("item")
    if who is None or what is None:
        return 0.0
    sureness = {SURE: 1.0, LIKELY: 0.7, GUESS: 0.3}
    score = sureness[who.sureness] + sureness[what.sureness] + (0.8 if found.items else 0.0)
    score += sum(0.5 for role in ("time", "event", "value", "quantity") if role in found.roles)
    if table.column(what.column).is_key or (table.column(who.column).is_key and not table.column(what.column).is_list):
        score -= 1.0
    # Friends, and keys of other catalogues, are pairs as well.
    names = [max(name_score(name, "social"), 0) for name in table.names]
    return max(score - 2 * max(names, default=0), 0.01)


def _by_name(
    free: Mapping[str, ColumnProfile], role: str, fits: Callable[[ColumnProfile], bool], least: float = 0.7
) -> RoleChoice | None:
    scored = sorted(
        ((name_score(name, role), -place, name) for place, (name, column) in enumerate(free.items()) if fits(column)),
        reverse=True,
    )
    if not scored or scored[0][0] < least:
        return None
    score, _, name = scored[0]
    return RoleChoice(name, sureness_of(score), f"named like {_ROLE_NOUNS[role]}")


_ROLE_NOUNS = {
    "user": "a user",
    "session": "a session",
    "item": "an item",
    "time": "a time",
    "event": "a type of event",
    "value": "a measured value",
    "quantity": "a quantity",
    "invoice": "an order",
    "title": "a title",
    "text": "a text",
    "category": "a category",
    "price": "a price",
    "published": "a publication",
}


def noun_of(role: str) -> str:
    """Return a noun for a role, with its article."""
    return _ROLE_NOUNS[role]


def _time(free: Mapping[str, ColumnProfile], times: Mapping[str, TimeGuess]) -> RoleChoice | None:
    scored = sorted(
        ((_time_score(name), -place, name) for place, name in enumerate(free) if name in times), reverse=True
    )
    if not scored:
        return None
    score, _, name = scored[0]
    guess = times[name]
    why = f"{guess.notation}, {guess.first:%Y-%m-%d} to {guess.last:%Y-%m-%d}"
    return RoleChoice(name, SURE if score > 0 and not guess.doubt else LIKELY, why)


def _time_score(name: str) -> float:
    """Columns such as a date of birth or of publication are times as well, but not of events."""
    other = max(name_score(name, "published"), 0.9 if "birth" in name.lower() else 0.0)
    return name_score(name, "time") - 0.8 * other


def _item(
    free: Mapping[str, ColumnProfile], joins: Mapping[str, TableJoin], has_names: bool, least: float = 0.6
) -> RoleChoice | None:
    scored = []
    for place, (name, column) in enumerate(free.items()):
        wordy = max(name_score(name, "title"), name_score(name, "text"))
        # Without an id, the title itself says which item it is.
        is_title = wordy >= 0.6 and not column.is_list and column.words < _MAX_TITLE_WORDS
        if column.is_key or not (can_be_id(column) or is_title):
            continue
        score = name_score(name, "item") - name_score(name, "invoice")
        score -= 0.0 if is_id_name(name) else 0.5 * wordy
        if name in joins:
            score += joins[name].strength
        if not has_names:
            score += _headerless_score(column, place, 1)
        scored.append((score, -place, name))
    return _best(scored, "item", least if has_names else 0.0, joins)


def _user(free: Mapping[str, ColumnProfile], people: Mapping[str, float], table: SampledTable) -> RoleChoice | None:
    scored = []
    for place, (name, column) in enumerate(free.items()):
        if not can_be_id(column) or column.is_key:
            continue
        score = name_score(name, "user") + (0.1 if is_id_name(name) else 0.0) + people.get(name, 0.0)
        if name_score(name, "session") > name_score(name, "user"):
            score -= 0.5
        if not table.has_header:
            score += _headerless_score(column, place, 0)
        scored.append((score, -place, name))
    return _best(scored, "user", 0.5 if table.has_header else 0.0, {})


def _headerless_score(column: ColumnProfile, place: int, usual_place: int) -> float:
    """Score a column without a name: ids come first, the user before the item, and both are repeated and many."""
    if not _is_repeated(column) or column.distinct < 20:
        return -0.5
    return 0.3 + 0.1 * min(column.distinct / 100, 1.0) - 0.05 * abs(place - usual_place)


def _best(
    scored: list[tuple[float, int, str]], role: str, least: float, joins: Mapping[str, TableJoin]
) -> RoleChoice | None:
    scored.sort(reverse=True)
    if not scored or scored[0][0] < least:
        return None
    score, _, name = scored[0]
    rivals = tuple(other for value, _, other in scored[1:] if value > 0.3 and value > score - 0.15)
    why = [f"named like {noun_of(role)}"] if name_score(name, role) >= 0.6 else []
    if name in joins:
        why.append(f"{joins[name].found:.1%} of its values are in column {joins[name].key} of the items")
    if not why:
        why.append("by its place and its repeated values")
    return RoleChoice(name, sureness_of(score) if not rivals else GUESS, "; ".join(why), rivals)


def _event_type(free: Mapping[str, ColumnProfile]) -> RoleChoice | None:
    scored = []
    for place, (name, column) in enumerate(free.items()):
        few = (
            1 <= column.distinct <= _MAX_EVENT_TYPES
            and column.letters > 0.9
            and column.words < 3
            and not column.is_list
        )
        if not few or column.sql_type == "BOOLEAN":
            continue
        score = name_score(name, "event")
        known = sum(count for value, count in column.frequent if event_strength(value) is not None)
        share = known / max(column.filled, 1)
        if score >= 0.6 or share > 0.6:
            scored.append((score + share, -place, name))
    if not scored:
        return None
    score, _, name = max(scored)
    if score >= 1.5:
        return RoleChoice(name, SURE, "its name; few different words that name actions")
    return RoleChoice(name, LIKELY if score >= 0.9 else GUESS, "few different words")


def _value(free: Mapping[str, ColumnProfile], has_names: bool) -> RoleChoice | None:
    scored = []
    for place, (name, column) in enumerate(free.items()):
        is_key = column.is_key and column.whole > 0.98
        if not column.is_number or is_id_name(name) or column.distinct < 2 or is_key:
            continue
        score = name_score(name, "value")
        if name_score(name, "price") >= 0.7 or name_score(name, "category") >= 0.7:
            score = 0.0
        if not has_names and is_rating(column):
            score = 0.6
        scored.append((score, -place, name))
    best = max(scored, default=None)
    if best is None or best[0] < 0.6:
        return None
    return RoleChoice(
        best[2], sureness_of(best[0]), "named like a measured value" if has_names else "few small numbers"
    )


def is_rating(column: ColumnProfile) -> bool:
    """Whether the numbers look like marks of a scale: few different ones between 0 and 100, in even steps."""
    if column.low is None or column.high is None or column.low < 0 or column.high > 100:
        return False
    return (2 <= column.distinct <= 21 and column.high <= 10) or (
        column.distinct <= 101 and column.high == 100 and column.whole > 0.99
    )
