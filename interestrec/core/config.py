"""Reading a configuration: YAML with positions, `--set` overrides, every problem in one pass."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from interestrec.core.catalogue import suggestion
from interestrec.core.data_settings import DATA_FORMATS
from interestrec.core.errors import ConfigError, InputMissingError, from_os_error
from interestrec.core.item_settings import FIELD_KINDS
from interestrec.core.settings import Settings

DEFAULT_PATH = Path("interestrec.yaml")
_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

Location = tuple[str | int, ...]
Positions = dict[Location, tuple[int, int]]


class _Loader(yaml.SafeLoader):
    """YAML 1.1 but for floats: `2e-5` is a number, as in YAML 1.2."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.\d*|\.\d+|\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def find_config(name: str | None) -> Path:
    """The configuration file for `--config NAME`: a path, else a name in `./` or `./configs/`.

    Raises:
        InputMissingError: there is none; the message says how to get one.
    """
    if name is None:
        if DEFAULT_PATH.is_file():
            return DEFAULT_PATH
        raise InputMissingError(f"no --config given and no ./{DEFAULT_PATH} here; get one with `interestrec init news`")
    candidates = [Path(name), Path("configs") / name, Path(f"{name}.yaml"), Path("configs") / f"{name}.yaml"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise InputMissingError(f"{name}: no such configuration here or in ./configs; get one with `interestrec init news`")


def load_settings(path: Path, overrides: Sequence[str] = (), workspace: Path | None = None) -> Settings:
    """Read and validate a configuration file.

    Args:
        path: the YAML file.
        overrides: `dotted.key=value` texts, the value in YAML; they win over the file.
        workspace: wins over the file's `workspace`.

    Raises:
        ConfigError: all problems at once, each with file:line:column or the override it came from.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise from_os_error(error, path) from error
    values, positions = _parse(text, str(path))
    origins: dict[Location, str] = {where: f"{path}:{line}:{column}" for where, (line, column) in positions.items()}
    for override in overrides:
        _apply_override(values, origins, override)
    if workspace is not None:
        values["workspace"] = str(workspace)
        origins["workspace",] = "--workspace"
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(error, origins, str(path)))) from None


def dump_settings(settings: Settings) -> str:
    """All settings, defaults included, as YAML that loads to the same settings."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def settings_schema() -> dict[str, Any]:
    """JSON Schema of a configuration file; rules between keys are told by `load_settings` alone."""
    schema = Settings.model_json_schema()
    return {"$schema": _SCHEMA_DIALECT, **schema, "title": "Configuration of interestrec"}


def _parse(text: str, source: str) -> tuple[dict[str, Any], Positions]:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            raise ConfigError(f"{source}: the configuration is empty; get one with `interestrec init news`")
        positions: Positions = {}
        _locate(root, (), positions, source)
        values = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise ConfigError(f"{where}: not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not valid YAML: {error}") from error
    finally:
        loader.dispose()
    if not isinstance(values, dict):
        raise ConfigError(f"{source}:1:1: expected a mapping of sections such as `data:` and `finetune:`")
    return values, positions


def _locate(node: yaml.Node, where: Location, positions: Positions, source: str) -> None:
    """Record line and column (from 1) of every key and list entry; refuse a key given twice."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            here = (*where, key.value)
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            if key.value in seen:
                raise ConfigError(f"{source}:{line}:{column}: the key '{_dotted(here)}' is given twice; keep one")
            seen.add(key.value)
            positions[here] = (line, column)
            _locate(value, here, positions, source)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            positions[(*where, index)] = (value.start_mark.line + 1, value.start_mark.column + 1)
            _locate(value, (*where, index), positions, source)


def _apply_override(values: dict[str, Any], origins: dict[Location, str], override: str) -> None:
    key, equals, text = override.partition("=")
    path = key.split(".")
    if not equals or not all(path):
        raise ConfigError(f"--set {override}: expected KEY=VALUE such as finetune.epochs=3")
    loader = _Loader(text)
    try:
        value = loader.get_single_data()
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: the value is not valid YAML") from error
    finally:
        loader.dispose()
    target: Any = values
    for depth, part in enumerate(path[:-1]):
        if isinstance(target, dict):
            target = target.setdefault(part, {})
        elif isinstance(target, list) and part.isdigit() and int(part) < len(target):
            target = target[int(part)]
        else:
            raise ConfigError(f"--set {override}: '{'.'.join(path[: depth + 1])}' is not a section")
        origins.setdefault(tuple(_index(p) for p in path[: depth + 1]), f"--set {override}")
    last: str | int = path[-1]
    if isinstance(target, list) and path[-1].isdigit() and int(path[-1]) < len(target):
        last = int(path[-1])
    elif not isinstance(target, dict):
        raise ConfigError(f"--set {override}: '{'.'.join(path[:-1])}' is not a section")
    target[last] = value
    origins[tuple(_index(p) for p in path)] = f"--set {override}"


def _index(part: str) -> str | int:
    return int(part) if part.isdigit() else part


def _explain(error: ValidationError, origins: Mapping[Location, str], source: str) -> list[str]:
    lines = []
    for problem in error.errors():
        where = _without_tag(problem["loc"])
        origin = next((origins[where[:n]] for n in range(len(where), 0, -1) if where[:n] in origins), source)
        key = _dotted(where)
        if problem["type"] == "extra_forbidden":
            section, choices = _dotted(where[:-1]) or "the top level", _keys_at(problem["loc"][:-1])
            lines.append(
                f"{origin}: unknown key '{key}'{suggestion(str(where[-1]), choices)}; "
                f"{section} takes: {', '.join(choices)}"
            )
        elif problem["type"] == "missing":
            lines.append(f"{origin}: '{key}' is missing; add it")
        elif problem["type"].startswith("union_tag"):
            lines.append(f"{origin}: '{key}.format' must be one of {', '.join(DATA_FORMATS)}")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{origin}: {f'{key}: ' if key else ''}{message[0].lower()}{message[1:]}")
    return lines


def _tagged(where: tuple[int | str, ...]) -> tuple[int, type[BaseModel]] | None:
    """pydantic puts the chosen format after `data` and the chosen kind after an item's field; the file does not have
    it there. Where it is, and the section that it chose."""
    if len(where) > 1 and where[0] == "data" and where[1] in DATA_FORMATS:
        return 1, DATA_FORMATS[str(where[1])]
    if len(where) > 3 and where[:2] == ("items", "fields") and where[3] in FIELD_KINDS:
        return 3, FIELD_KINDS[str(where[3])]
    return None


def _without_tag(where: tuple[int | str, ...]) -> Location:
    found = _tagged(where)
    return tuple(where) if found is None else (*where[: found[0]], *where[found[0] + 1 :])


def _keys_at(where: tuple[int | str, ...]) -> list[str]:
    """The keys that the section at a pydantic location takes."""
    section: type[BaseModel] = Settings
    found = _tagged(where)
    if found is not None:
        section, where = found[1], where[found[0] + 1 :]
    for part in where:
        if part in section.model_fields:
            section = _section_in(section.model_fields[str(part)].annotation) or section
    return sorted(section.model_fields)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The one settings class that an annotation such as `list[Condition]` or `ValueMap | None` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [section for part in get_args(annotation) if (section := _section_in(part))]
    return found[0] if len(found) == 1 else None


def _dotted(where: Location) -> str:
    return ".".join(str(part) for part in where)
