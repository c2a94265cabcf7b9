"""The key `kind` of a section with several forms: which form an entry means, and what is wrong with it."""

from collections.abc import Iterable, Mapping
from typing import Any

from interestrec.core.choices import most_similar, suggestion
from interestrec.core.section import Section


def misspelt_kind(entry: Mapping[str, Any], kinds: Mapping[str, type[Section]]) -> str | None:
    """Return the unknown key of an entry that resembles `kind`; None if no key does."""
    known = {key for section in kinds.values() for key in section.model_fields}
    return most_similar("kind", entry.keys() - known)


def require_kind(kind: Any, kinds: Mapping[str, type[Section]]) -> None:
    """Check the kind of an entry.

    Raises:
        ValueError: it is unknown; the message names the known ones.
    """
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"kind: unknown kind '{kind}'{spelling_hint(kind, kinds)}; choose from {', '.join(kinds)}")


def spelling_hint(value: Any, choices: Iterable[str]) -> str:
    """Return `suggestion` for a text, and nothing for other values."""
    return suggestion(value, choices) if isinstance(value, str) else ""
