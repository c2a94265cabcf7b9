"""Look-up of a choice by name: losses, formats, baselines, metrics, scorers."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from interestrec.core.errors import ConfigError

T = TypeVar("T")


def pick(catalogue: Mapping[str, T], name: str, kind: str) -> T:
    """The entry `name` of a literal dict of choices.

    Raises:
        ConfigError: the name is not in the catalogue; the message names all choices.
    """
    if name in catalogue:
        return catalogue[name]
    choices = ", ".join(sorted(catalogue))
    raise ConfigError(f"unknown {kind} '{name}'{suggestion(name, catalogue)}; choose from: {choices}")


def suggestion(name: str, choices: Iterable[str]) -> str:
    """`" (did you mean 'x'?)"` for the nearest choice, or an empty string."""
    near = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""
