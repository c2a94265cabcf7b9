"""Sentences on problems in a configuration: the position, the valid choices, and the section that owns a key."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from interestrec.config.settings import Settings
from interestrec.config.yaml_positions import Location, dotted_key
from interestrec.core.choices import most_similar, suggestion
from interestrec.core.section import written_key
from interestrec.corpus.item_settings import FIELD_KINDS
from interestrec.corpus.user_settings import USER_FIELD_KINDS
from interestrec.encoding.encoder_settings import ENCODER_KINDS
from interestrec.formats.readers import READERS

_COMMAND = {  # the first subcommand that reads a section
    "data": "preprocess",
    "items": "preprocess",
    "users": "finetune",
    "preprocess": "preprocess",
    "encoders": "pretrain-adapt",
    "pretrain_adapt": "pretrain-adapt",
    "finetune": "finetune",
    "rank": "rank",
    "evaluate": "evaluate",
}
_MAX_OWNERS = 3
_KEY_FIRST = re.compile(r"([a-z_]+(?:\.\w+)*): ")


def explain(error: ValidationError, values: Any, origins: Mapping[Location, str], source: str) -> list[str]:
    """Return one line per problem, beginning with its origin.

    Args:
        values: the values before validation.
        origins: the origin of each key of `values`, such as `news.yaml:41:3`.
        source: origin of problems that concern no key of `values`.
    """
    return [_sentence(problem, values, origins, source) for problem in error.errors()]


def _sentence(problem: ErrorDetails, values: Any, origins: Mapping[Location, str], source: str) -> str:
    kind, value, location = problem["type"], problem.get("input"), _without_key_mark(problem["loc"])
    where, message = _location_and_message(written_location(_without_tag(location), values), problem)
    origin = next((origins[where[:n]] for n in range(len(where), 0, -1) if where[:n] in origins), source)
    key = dotted_key(where)
    if kind == "extra_forbidden":
        section, choices = dotted_key(where[:-1]) or "the top level", _keys_at(location[:-1])
        name = str(where[-1])
        section_hint = f"{section} takes: {', '.join(choices)}"
        owner_hint = _ownership_hint(name, where[:-1])
        return f"{origin}: unknown key '{key}'{suggestion(name, choices)}; {owner_hint}{section_hint}"
    if kind == "missing":
        return f"{origin}: '{key}' is missing; add it"
    if kind.startswith("union_tag"):
        formats = f"must be one of {', '.join(READERS)}"
        if where[-1] != "format":
            return f"{origin}: unknown key '{key}'{suggestion(str(where[-1]), ['format'])}; 'data.format' {formats}"
        hint = suggestion(str(value.get("format")), READERS) if isinstance(value, dict) else ""
        return f"{origin}: '{key}' {formats}{hint}"
    hint = suggestion(value, _expected(problem)) if isinstance(value, str) else ""
    return f"{origin}: {f'{key}: ' if key else ''}{message[0].lower()}{message[1:]}{hint}"


def _location_and_message(where: Location, problem: ErrorDetails) -> tuple[Location, str]:
    """Return the location and the message of a problem; a rule between keys puts the location before its message."""
    if problem["type"].startswith("union_tag"):
        return (*where, _format_key(problem["input"])), ""
    message = problem["msg"].removeprefix("Value error, ")
    key = _KEY_FIRST.match(message) if problem["type"] == "value_error" else None
    if key is None:
        return where, message
    below = (int(part) if part.isdecimal() else part for part in key[1].split("."))
    return (*where, *below), message[key.end() :]


def _format_key(data: Any) -> str:
    """Return the key of `data` that selects the format, misspelt if the section has an unknown key like it only."""
    if not isinstance(data, dict) or "format" in data:
        return "format"
    known = {key for reader in READERS.values() for key in _section_keys(reader.section)}
    return most_similar("format", data.keys() - known) or "format"


def _expected(problem: ErrorDetails) -> list[str]:
    """Return the valid values if they are few."""
    if problem["type"] == "bool_parsing":
        return ["true", "false"]
    if problem["type"] == "literal_error":
        return re.findall(r"'([^']*)'", problem["ctx"]["expected"])
    return []


def written_location(where: Location, values: Any) -> Location:
    """Return a location as the file has it; a single table of events may be written without its list."""
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


def _ownership_hint(name: str, location: Location) -> str:
    """Return a hint on other sections that have a key of this name; empty if there are none."""
    section = tuple(part for part in location if isinstance(part, str))
    owners = [where for where in _key_locations(Settings, ()) if where[-1] == name and where[:-1] != section]
    if not owners:
        return ""
    descriptions = [f"{dotted_key(where)}{_command_hint(where)}" for where in owners[:_MAX_OWNERS]]
    return f"'{name}' belongs to {' or '.join(descriptions)}; "


def _command_hint(where: Location) -> str:
    command = _COMMAND.get(str(where[0]))
    return f" (`interestrec {command}`)" if command else ""


def _key_locations(section: type[BaseModel], where: Location) -> Iterator[Location]:
    """Yield every key of the configuration once, even if several formats have it."""
    seen: set[Location] = set()
    for name, field in section.model_fields.items():
        key = (*where, written_key(section, name))
        yield key
        for inner in _sections_in(field.annotation):
            for inner_location in _key_locations(inner, key):
                if inner_location not in seen:
                    seen.add(inner_location)
                    yield inner_location


def _tag_position(where: tuple[int | str, ...]) -> tuple[int, type[BaseModel]] | None:
    """Return the position of a tag in a pydantic location and the section that it selects; None without a tag.

    pydantic inserts the selected format after `data` and the selected kind after a field or an encoder; the file has
    neither.
    """
    if len(where) > 1 and where[0] == "data" and where[1] in READERS:
        return 1, READERS[str(where[1])].section
    for table, kinds in {"items": FIELD_KINDS, "users": USER_FIELD_KINDS}.items():
        if len(where) > 3 and where[:2] == (table, "fields") and where[3] in kinds:
            return 3, kinds[str(where[3])]
    if len(where) > 2 and where[0] == "encoders" and where[2] in ENCODER_KINDS:
        return 2, ENCODER_KINDS[str(where[2])]
    return None


def _without_tag(where: tuple[int | str, ...]) -> Location:
    found = _tag_position(where)
    return tuple(where) if found is None else (*where[: found[0]], *where[found[0] + 1 :])


def _without_key_mark(where: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Remove the mark that pydantic adds to problems of a key itself."""
    return where[:-1] if where and where[-1] == "[key]" else where


def _keys_at(where: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the section at a pydantic location."""
    section: type[BaseModel] = Settings
    found = _tag_position(where)
    if found is not None:
        section, where = found[1], where[found[0] + 1 :]
    for part in where:
        if part in section.model_fields:
            inner = _sections_in(section.model_fields[str(part)].annotation)
            section = inner[0] if len(inner) == 1 else section
    return _section_keys(section)


def _section_keys(section: type[BaseModel]) -> list[str]:
    return sorted(written_key(section, name) for name in section.model_fields)


def _sections_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the settings classes in an annotation such as `list[Condition]` or `ValueMap | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections_in(part)]
