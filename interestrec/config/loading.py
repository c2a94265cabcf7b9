"""Load a configuration from a file and `--set` overrides, report all problems at once, and track value origins."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from interestrec.config.problems import explain, written_location
from interestrec.config.settings import Settings
from interestrec.config.yaml_positions import (
    MAX_BYTES,
    MAX_DEPTH,
    Location,
    annotate,
    decode_text,
    dotted_key,
    read_yaml,
)
from interestrec.core.errors import ConfigError, InputMissingError, from_os_error

DEFAULT_PATH = Path("interestrec.yaml")
DEFAULT = "default"  # origin of values that neither the file nor an override sets
_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

Origins = dict[Location, str]


@dataclass(frozen=True)
class EffectiveSettings:
    """The effective settings and their origins: `news.yaml:41:3`, `--set finetune.epochs=3` or `--workspace`."""

    settings: Settings
    values: dict[str, Any]  # before validation
    origins: Origins  # origins of all keys and list entries in `values`

    def origin(self, where: Location) -> str:
        """Return the origin of the value at a location of the validated settings."""
        return self.origins.get(written_location(where, self.values), DEFAULT)


def find_config(name: str | None) -> Path:
    """Return the configuration file for `--config NAME`: a path, else a name in `./` or `./configs/`.

    Raises:
        InputMissingError: there is no such file; the message says how to get one.
    """
    if name is None:
        if DEFAULT_PATH.is_file():
            return DEFAULT_PATH
        raise InputMissingError(
            f"no --config given, and ./{DEFAULT_PATH} does not exist; create one with `interestrec init news`"
        )
    candidates = [Path(name), Path("configs") / name, Path(f"{name}.yaml"), Path("configs") / f"{name}.yaml"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise InputMissingError(f"{name}: no such configuration in . or ./configs; create one with `interestrec init news`")


def load_config(
    name: str | Path | None = None, overrides: Sequence[str] = (), workspace: str | Path | None = None
) -> Settings:
    """Load a configuration in the same way as `--config`, `--set` and `--workspace` of the command line.

    Args:
        name: a path, or a name in `./` or `./configs/`; None = `./interestrec.yaml`.
        overrides: `dotted.key=value` texts with the value in YAML; they take precedence over the file.
        workspace: takes precedence over the file's `workspace`.

    Raises:
        InputMissingError: there is no such file; the message says how to get one.
        ConfigError: lists all problems, each with file:line:column or its override.

    Example:
        >>> settings = interestrec.load_config("news", ["finetune.epochs=3", "seed=7"])
        >>> settings.finetune.epochs
        3
    """
    path = find_config(None if name is None else str(name))
    return load_settings(path, overrides, None if workspace is None else Path(workspace))


def load_settings(path: Path, overrides: Sequence[str] = (), workspace: Path | None = None) -> Settings:
    """Return the settings of `load_effective`; arguments and errors are the same."""
    return load_effective(path, overrides, workspace).settings


def load_effective(path: Path, overrides: Sequence[str] = (), workspace: Path | None = None) -> EffectiveSettings:
    """Read and validate a configuration file.

    Args:
        path: the YAML file.
        overrides: `dotted.key=value` texts with the value in YAML; they take precedence over the file.
        workspace: takes precedence over the file's `workspace`.

    Raises:
        ConfigError: lists all problems, each with file:line:column or its override.
    """
    values, origins = _read_file(path)
    for override in overrides:
        _apply_override(values, origins, override)
    if workspace is not None:
        values["workspace"] = str(workspace)
        origins["workspace",] = "--workspace"
    try:
        return EffectiveSettings(Settings.model_validate(values), values, origins)
    except ValidationError as error:
        raise ConfigError("\n".join(explain(error, values, origins, f"{path}:1:1"))) from None


def changed_settings(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Return the settings with other values, by dotted key.

    Raises:
        ConfigError: they do not go with the others.
    """
    document = settings.model_dump(mode="json")
    for key, value in values.items():
        *above, last = key.split(".")
        target = document
        for part in above:
            target = target[part]
        target[last] = value
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{', '.join(values)}: {error.errors()[0]['msg']}") from None


def changed_yaml(settings: Settings, values: Mapping[str, Any]) -> str:
    """Return a configuration as YAML with other values, by dotted key; keys with their default are left out.

    Raises:
        ConfigError: see `changed_settings`.
    """
    changed = changed_settings(settings, values).model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(changed, sort_keys=False, allow_unicode=True, width=120)


def dump_effective(effective: EffectiveSettings) -> str:
    """Return all settings as YAML that loads to equal settings: the hash first, each value followed by its origin."""
    text = annotate(effective.settings.model_dump(mode="json"), effective.origin)
    return f"# hash: {settings_hash(effective.settings)}\n{text}"


def setting_origins(effective: EffectiveSettings) -> Any:
    """Return the settings with every value replaced by its origin; an empty list or mapping counts as a value."""

    def at(value: Any, where: Location) -> Any:
        if isinstance(value, dict) and value:
            return {key: at(inner, (*where, key)) for key, inner in value.items()}
        if isinstance(value, list) and value:
            return [at(inner, (*where, index)) for index, inner in enumerate(value)]
        return effective.origin(where)

    return at(effective.settings.model_dump(mode="json"), ())


def settings_hash(settings: Settings) -> str:
    """Return the SHA-256 of all settings; it does not depend on how they are written."""
    values = json.dumps(settings.model_dump(mode="json"), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(values.encode()).hexdigest()


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema of a configuration file; only `load_settings` checks rules between keys."""
    schema = Settings.model_json_schema()
    return {"$schema": _SCHEMA_DIALECT, **schema, "title": "Configuration of interestrec"}


def _read_file(path: Path) -> tuple[dict[str, Any], Origins]:
    def place(line: int, column: int) -> str:
        return f"{path}:{line}:{column}"

    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise from_os_error(error, path) from error
    document = read_yaml(decode_text(content, place), place)
    if document is None:
        raise ConfigError(f"{path}: the configuration is empty; create one with `interestrec init news`")
    if not isinstance(document.values, dict):
        raise ConfigError(f"{path}:1:1: expected a mapping of sections such as `data:` and `finetune:`")
    return document.values, {where: place(*position) for where, position in document.positions.items()}


def _apply_override(values: dict[str, Any], origins: Origins, override: str) -> None:
    key, equals, text = override.partition("=")
    path = key.split(".")
    if len(path) > MAX_DEPTH:
        raise ConfigError(f"--set {path[0]}.{path[1]}…: more than {MAX_DEPTH} nested sections")
    if not equals or not all(path):
        raise ConfigError(f"--set {override}: expected KEY=VALUE such as finetune.epochs=3")
    document = read_yaml(text, lambda line, column: f"--set {override}")
    where: list[str | int] = []
    target: Any = values
    for part in path[:-1]:
        where.append(_step(target, part, where, override))
        target = target.setdefault(part, {}) if isinstance(target, dict) else target[where[-1]]
        origins.setdefault(tuple(where), f"--set {override}")
    where.append(_step(target, path[-1], where, override))
    target[where[-1]] = document.values if document else None
    for location in [known for known in origins if known[: len(where)] == tuple(where)]:
        del origins[location]
    inner = document.positions if document else {}
    origins.update({(*where, *below): f"--set {override}" for below in [(), *inner]})


def _step(target: Any, part: str, above: Sequence[str | int], override: str) -> str | int:
    """Return the key or the list index that a part of an override's key refers to."""
    if isinstance(target, dict):
        return part
    if isinstance(target, list) and part.isdecimal() and int(part) < len(target):
        return int(part)
    raise ConfigError(f"--set {override}: '{dotted_key(tuple(above))}' is not a section")
