"""Roles of the columns that describe items or users: title, text, category, price, publication, attributes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from interestrec.inspection.column_profile import ColumnProfile
from interestrec.inspection.event_roles import RoleChoice, noun_of, sureness_of
from interestrec.inspection.role_names import is_id_name, name_score, words_of
from interestrec.inspection.sampled_table import SampledTable
from interestrec.inspection.time_guess import TimeGuess

_MAX_ATTRIBUTE_VALUES = 60
_MAX_DESCRIPTIVE = 4  # columns of words that make a text


@dataclass
class ItemRoles:
    """The columns that describe items."""

    item: str
    roles: dict[str, list[RoleChoice]] = field(default_factory=dict)
    separator: str | None = None  # of the levels of the category

    def names(self, role: str) -> list[str]:
        """Return the columns of a role."""
        return [choice.column for choice in self.roles.get(role, [])]


def assign_item_roles(
    table: SampledTable, item: str, taken: Collection[str], times: Mapping[str, TimeGuess], answers: Mapping[str, str]
) -> ItemRoles:
    """Return the roles of the columns that describe items, in a table of items or in the rows of events.

    Args:
        item: column with the id of the item.
        taken: columns that have another role, as the columns of events do.
        times: columns that can be read as times.
        answers: column by role, where somebody said so.
    """
    found = ItemRoles(item)
    free = {c.name: c for c in table.columns if c.name != item and c.name not in taken and c.filled}
    _give_texts(found, free, item, bool(taken), answers)
    price = _scored(free, "price", _has_digits)
    if price:
        _give(found, free, "price", price[:1])
    published = [
        (score, name)
        for score, name in _scored(free, "published", lambda c: c.name in times or _is_year(c))
        if score >= 0.6
    ]
    if published:
        _give(found, free, "published", published[:1])
    category = _scored(free, "category", lambda c: not c.is_number and c.links < 0.5 and c.distinct < 0.9 * c.filled)
    if category:
        found.separator = _separator(free[category[0][1]])
        _give(found, free, "category", category[:1])
    if not found.names("text"):
        _give_descriptive_words(found, free)
    return found


def _give_descriptive_words(found: ItemRoles, free: dict[str, ColumnProfile]) -> None:
    """Without a longer text, make one of the columns with the most different words, such as country and material."""
    words = [
        (column.distinct, name)
        for name, column in free.items()
        if _is_text(column) and not column.is_list and not column.is_typed_time and not is_id_name(name)
        if column.letters > 0.9 and column.words < 6 and 3 <= column.distinct <= 0.5 * column.filled
    ]
    names = [name for _, name in sorted(words, reverse=True)[:_MAX_DESCRIPTIVE]]
    if names:
        found.roles["text"] = [RoleChoice(name, "a guess", "words that describe the item") for name in names]


def _give_texts(
    found: ItemRoles, free: dict[str, ColumnProfile], item: str, by_events: bool, answers: Mapping[str, str]
) -> None:
    """Choose the title and the longer text; without any that is named like one, take the column with most words.

    A title that several items share gets a second column.
    """
    if answers.get("title") in free:
        _give(found, free, "title", [(1.3, answers["title"])])
    about = set(words_of(item))
    titles = _scored(free, "title", _is_text)
    # `artist_name` next to `label_name`: what shares a word with the item is its title.
    titles.sort(key=lambda pair: -(pair[0] + 0.2 * bool(about & set(words_of(pair[1])) - {"id"})))
    if not found.roles and titles:
        is_unique = free[titles[0][1]].distinct > 0.95 * free[titles[0][1]].filled
        second = sorted(titles[1:], key=lambda pair: -free[pair[1]].distinct)[:1]
        _give(found, free, "title", titles[:1] if is_unique or by_events else titles[:1] + second)
    texts = _scored(free, "text", lambda c: _is_text(c) and (c.words >= 3 or c.is_list))
    if not found.roles and texts and free[texts[0][1]].words < 12:
        _give(found, free, "title", texts[:1])
    elif texts:
        _give(found, free, "text", texts[:2])
    makers = _scored(free, "maker", _is_text)
    if not found.roles and makers:
        category = _scored(free, "category", lambda c: not c.is_number)
        found.roles["title"] = [
            RoleChoice(name, "a guess", "no column is named like a title") for _, name in makers[:1] + category[:1]
        ]
        del free[makers[0][1]]
    if not found.roles:
        wordy = [(column.words, name) for name, column in free.items() if _is_text(column) and column.words >= 1.5]
        if wordy:
            name = max(wordy)[1]
            found.roles["title"] = [RoleChoice(name, "a guess", "the column with the most words")]
            del free[name]


def _is_text(column: ColumnProfile) -> bool:
    return column.letters > 0.5 and column.links < 0.5 and column.distinct > 1


def _has_digits(column: ColumnProfile) -> bool:
    """Whether the values are numbers, perhaps with a currency, as `$1.99` and `12,99 €` are."""
    return bool(column.frequent) and all(any(c.isdigit() for c in value) for value, _ in column.frequent)


def _is_year(column: ColumnProfile) -> bool:
    return column.whole > 0.98 and (column.low or 0) >= 1800 and (column.high or 0) <= 2100


def _scored(
    free: Mapping[str, ColumnProfile], role: str, fits: Callable[[ColumnProfile], bool]
) -> list[tuple[float, str]]:
    """Return columns that are named like a role and fit it, best first."""
    scored = [
        (name_score(name, role) - 0.3 * (is_id_name(name) and column.is_number), -place, name)
        for place, (name, column) in enumerate(free.items())
        if fits(column)
    ]
    return [(score, name) for score, _, name in sorted(scored, reverse=True) if score >= 0.5]


def _give(found: ItemRoles, free: dict[str, ColumnProfile], role: str, scored: list[tuple[float, str]]) -> None:
    choices = []
    for score, name in scored:
        choices.append(RoleChoice(name, sureness_of(score), f"named like {noun_of(role)}"))
        del free[name]
    found.roles[role] = choices


def _separator(column: ColumnProfile) -> str | None:
    """Return the text between the levels of categories; None for `/` or without levels."""
    values = [value for value, _ in column.frequent]
    for separator in (" > ", ">", "|", "::", " / ", "."):
        if sum(separator in value.strip(separator) for value in values) > 0.5 * len(values):
            return separator
    return None


def attribute_columns(table: SampledTable, user: str) -> list[str]:
    """Return the columns of a table of users that a report may slice by: few different values, or numbers."""
    reserved = {"user", "user_id", "valid_part"}
    chosen = []
    for column in table.columns:
        if column.name == user or column.name.lower() in reserved or column.is_list or column.is_key:
            continue
        few = 2 <= column.distinct <= _MAX_ATTRIBUTE_VALUES
        if few or (name_score(column.name, "attribute") >= 0.9 and column.distinct <= 1000):
            chosen.append(column.name)
    return chosen[:8]
