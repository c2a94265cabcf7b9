"""Paths to values within nested rows: `a.b`, `a[].b` for all entries of a list, `a[0].b` for one, as SQL.

The texts of all entries are joined by a comma.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from interestrec.rawfiles.raw_log import sql_string

_STEP = re.compile(r"(.*?)((?:\[\d*\])*)")
_ALL = "*"


@dataclass(frozen=True)
class ValuePath:
    """The steps to a value: the key of an object, the number of an entry from 0, or `*` for all entries."""

    steps: tuple[tuple[str, str | int], ...]  # ("key", name) or ("entry", number or *)

    @property
    def is_plain(self) -> bool:
        """Whether the path is the name of a column."""
        return len(self.steps) == 1

    @property
    def has_all(self) -> bool:
        """Whether the path leads to the values of all entries of a list."""
        return ("entry", _ALL) in self.steps


def parse_path(text: str) -> ValuePath:
    """Return the path that a text such as `authors[0].name` writes; an empty one leads to the value itself."""
    steps: list[tuple[str, str | int]] = []
    for part in text.split(".") if text else []:
        match = _STEP.fullmatch(part)
        name, entries = (match[1], match[2]) if match else (part, "")
        steps.append(("key", name))
        steps += [("entry", int(number) if number else _ALL) for number in re.findall(r"\[(\d*)\]", entries)]
    return ValuePath(tuple(steps))


def json_path(path: ValuePath) -> str:
    """Return a path as the literal that the JSON functions of the database take."""
    parts = []
    for kind, step in path.steps:
        if kind == "entry":
            parts.append(f"[{step}]")
        else:
            name = str(step).replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'."{name}"')
    return sql_string("$" + "".join(parts))


def json_value(source: str, path: ValuePath) -> str:
    """Return the SQL of a value of JSON as text, null where it is empty; whole numbers lose their fraction.

    Args:
        source: SQL of the JSON.
    """
    literal = json_path(path)
    text = f"json_extract_string({source}, {literal})"
    if path.has_all:
        return f"nullif({_joined(text)}, '')"
    number = f"try_cast({text} AS DOUBLE)"
    return (
        f"nullif(CASE WHEN json_type({source}, {literal}) = 'DOUBLE' AND {number} = floor({number}) "
        f"THEN coalesce(CAST(try_cast({number} AS BIGINT) AS VARCHAR), {text}) ELSE {text} END, '')"
    )


def struct_value(source: str, steps: Sequence[tuple[str, str | int]]) -> str:
    """Return the SQL of a value within structs and lists: of its own type, or joined text where it is of all entries.

    Args:
        source: SQL of the column, or of a value within it.
        steps: of a path, from there on.
    """
    for number, (kind, step) in enumerate(steps):
        if kind == "key":
            source = f"struct_extract({source}, {sql_string(str(step))})"
        elif step == _ALL:
            depth = number
            inner = struct_value(f"x{depth}", steps[number + 1 :])
            return _joined(f"list_transform({source}, lambda x{depth}: CAST({inner} AS VARCHAR))")
        else:
            source = f"list_extract({source}, {int(step) + 1})"
    return source


def _joined(texts: str) -> str:
    return f"array_to_string(list_filter({texts}, lambda t: coalesce(t, '') <> ''), ', ')"
