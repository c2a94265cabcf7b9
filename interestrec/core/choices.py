"""Choices: look-up by name in registries such as those of losses, formats, metrics and scorers."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from interestrec.core.errors import ConfigError

T = TypeVar("T")
_MOST_COMPARED = 100_000  # choices; more, such as the ids of users, would take seconds


def pick(registry: Mapping[str, T], name: str, kind: str) -> T:
    """Return the entry `name` of a registry.

    Raises:
        ConfigError: the registry has no such entry; the message lists all names.
    """
    if name in registry:
        return registry[name]
    choices = ", ".join(sorted(registry))
    raise ConfigError(f"unknown {kind} '{name}'{suggestion(name, registry)}; choose from: {choices}")


def suggestion(name: str, choices: Iterable[str]) -> str:
    """Return `" (did you mean 'x'?)"` for the most similar choice, or an empty string if none is similar."""
    match = most_similar(name, choices)
    return "" if match is None else f" (did you mean '{match}'?)"


def most_similar(name: str, choices: Iterable[str]) -> str | None:
    """Return the choice that is most similar to a name; None if none is, or if there are too many to compare."""
    names = list(choices)
    return None if len(names) > _MOST_COMPARED else next(iter(difflib.get_close_matches(name, names, 1, 0.6)), None)
