"""What is wrong with a configuration, in sentences: where, what would do, and whose key it is."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from interestrec.config.settings import Settings
from interestrec.config.yaml_positions import Location, dotted
from interestrec.core.choices import suggestion
from interestrec.corpus.item_settings import FIELD_KINDS
from interestrec.formats.readers import READERS

_COMMAND = {  # the first subcommand that reads a section
    "data": "preprocess",
    "items": "preprocess",
    "preprocess": "preprocess",
    "encoders": "pretrain-adapt",
    "pretrain_adapt": "pretrain-adapt",
    "finetune": "finetune",
    "rank": "rank",
    "evaluate": "evaluate",
}
_MOST_OWNERS = 3
_KEY_FIRST = re.compile(r"([a-z_]+(?:\.\w+)*): ")


def explain(error: ValidationError, values: Any, origins: Mapping[Location, str], source: str) -> list[str]:
    """A line a problem, each beginning with its origin.

    Args:
        values: what was validated.
        origins: where each key of `values` comes from, such as `news.yaml:41:3`.
        source: stands for what has no origin.
    """
    return [_sentence(problem, values, origins, source) for problem in error.errors()]


def _sentence(problem: ErrorDetails, values: Any, origins: Mapping[Location, str], source: str) -> str:
    kind, given, location = problem["type"], problem.get("input"), _without_key_mark(problem["loc"])
    where, message = _named(as_typed(_without_tag(location), values), problem)
    origin = next((origins[where[:n]] for n in range(len(where), 0, -1) if where[:n] in origins), source)
    key = dotted(where)
    if kind == "extra_forbidden":
        section, choices = dotted(where[:-1]) or "the top level", _keys_at(location[:-1])
        name = str(where[-1])
        takes = f"{section} takes: {', '.join(choices)}"
        return f"{origin}: unknown key '{key}'{suggestion(name, choices)}; {_owned(name, where[:-1])}{takes}"
    if kind == "missing":
        return f"{origin}: '{key}' is missing; add it"
    if kind.startswith("union_tag"):
        near = suggestion(str(given.get("format")), READERS) if isinstance(given, dict) else ""
        return f"{origin}: '{key}' must be one of {', '.join(READERS)}{near}"
    near = suggestion(given, _expected(problem)) if isinstance(given, str) else ""
    return f"{origin}: {f'{key}: ' if key else ''}{message[0].lower()}{message[1:]}{near}"


def _named(where: Location, problem: ErrorDetails) -> tuple[Location, str]:
    """What a problem is about, and its message: one of several keys begins with the key's location and a colon."""
    if problem["type"].startswith("union_tag"):
        return (*where, "format"), ""
    message = problem["msg"].removeprefix("Value error, ")
    named = _KEY_FIRST.match(message) if problem["type"] == "value_error" else None
    if named is None:
        return where, message
    below = (int(part) if part.isdecimal() else part for part in named[1].split("."))
    return (*where, *below), message[named.end() :]


def _expected(problem: ErrorDetails) -> list[str]:
    """The values that would do, where there are few."""
    if problem["type"] == "bool_parsing":
        return ["true", "false"]
    if problem["type"] == "literal_error":
        return re.findall(r"'([^']*)'", problem["ctx"]["expected"])
    return []


def as_typed(where: Location, values: Any) -> Location:
    """A location as the file has it: one table of events may be written without the list that it becomes."""
    written: list[str | int] = []
    for part in where:
        if isinstance(values, dict) and part == 0:  # keys are text
            continue
        written.append(part)
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            values = None
    return tuple(written)


def _owned(name: str, here: Location) -> str:
    """Which other sections take a key of this name; empty when none does."""
    section = tuple(part for part in here if isinstance(part, str))
    owners = [where for where in _places(Settings, ()) if where[-1] == name and where[:-1] != section]
    if not owners:
        return ""
    told = [f"{dotted(where)}{_read_by(where)}" for where in owners[:_MOST_OWNERS]]
    return f"'{name}' belongs to {' or '.join(told)}; "


def _read_by(where: Location) -> str:
    command = _COMMAND.get(str(where[0]))
    return f" (`interestrec {command}`)" if command else ""


def _places(section: type[BaseModel], where: Location) -> Iterator[Location]:
    """Every key of the configuration, once, however many formats have it."""
    seen: set[Location] = set()
    for name, field in section.model_fields.items():
        yield (*where, name)
        for inner in _sections_in(field.annotation):
            for place in _places(inner, (*where, name)):
                if place not in seen:
                    seen.add(place)
                    yield place


def _tagged(where: tuple[int | str, ...]) -> tuple[int, type[BaseModel]] | None:
    """pydantic puts the chosen format after `data` and the chosen kind after an item's field; the file does not have
    it there. Where it is, and the section that it chose."""
    if len(where) > 1 and where[0] == "data" and where[1] in READERS:
        return 1, READERS[str(where[1])].section
    if len(where) > 3 and where[:2] == ("items", "fields") and where[3] in FIELD_KINDS:
        return 3, FIELD_KINDS[str(where[3])]
    return None


def _without_tag(where: tuple[int | str, ...]) -> Location:
    found = _tagged(where)
    return tuple(where) if found is None else (*where[: found[0]], *where[found[0] + 1 :])


def _without_key_mark(where: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """pydantic marks what is wrong with a key itself."""
    return where[:-1] if where and where[-1] == "[key]" else where


def _keys_at(where: tuple[int | str, ...]) -> list[str]:
    """The keys that the section at a pydantic location takes."""
    section: type[BaseModel] = Settings
    found = _tagged(where)
    if found is not None:
        section, where = found[1], where[found[0] + 1 :]
    for part in where:
        if part in section.model_fields:
            inner = _sections_in(section.model_fields[str(part)].annotation)
            section = inner[0] if len(inner) == 1 else section
    return sorted(section.model_fields)


def _sections_in(annotation: Any) -> list[type[BaseModel]]:
    """The settings classes that an annotation such as `list[Condition]` or `ValueMap | None` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections_in(part)]
