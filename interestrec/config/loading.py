"""Reading a configuration: a file, `--set` overrides, every problem in one pass, and where each value is from."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from interestrec.config.problems import as_typed, explain
from interestrec.config.settings import Settings
from interestrec.config.yaml_positions import MAX_BYTES, MAX_DEPTH, Location, annotate, dotted, read_yaml, text_of
from interestrec.core.errors import ConfigError, InputMissingError, from_os_error

DEFAULT_PATH = Path("interestrec.yaml")
DEFAULT = "default"  # the origin of what is not given
_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

Origins = dict[Location, str]


@dataclass(frozen=True)
class EffectiveSettings:
    """Settings in force, and where each comes from: `news.yaml:41:3`, `--set finetune.epochs=3` or `--workspace`."""

    settings: Settings
    values: dict[str, Any]  # as they were given
    origins: Origins  # of every key and list entry that was given

    def origin(self, where: Location) -> str:
        """Where the setting at a location of the validated settings comes from."""
        return self.origins.get(as_typed(where, self.values), DEFAULT)


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


def load_config(
    name: str | Path | None = None, overrides: Sequence[str] = (), workspace: str | Path | None = None
) -> Settings:
    """Read a configuration, as `--config`, `--set` and `--workspace` of the command line do.

    Args:
        name: a path, or a name in `./` or `./configs/`; None = `./interestrec.yaml`.
        overrides: `dotted.key=value` texts, the value in YAML; they win over the file.
        workspace: wins over the file's `workspace`.

    Raises:
        InputMissingError: there is no such file; the message says how to get one.
        ConfigError: all problems at once, each with file:line:column or the override it came from.

    Example:
        >>> settings = interestrec.load_config("news", ["finetune.epochs=3", "seed=7"])
        >>> settings.finetune.epochs
        3
    """
    path = find_config(None if name is None else str(name))
    return load_settings(path, overrides, None if workspace is None else Path(workspace))


def load_settings(path: Path, overrides: Sequence[str] = (), workspace: Path | None = None) -> Settings:
    """The settings of `load_effective`, which tells of the arguments and errors."""
    return load_effective(path, overrides, workspace).settings


def load_effective(path: Path, overrides: Sequence[str] = (), workspace: Path | None = None) -> EffectiveSettings:
    """Read and validate a configuration file.

    Args:
        path: the YAML file.
        overrides: `dotted.key=value` texts, the value in YAML; they win over the file.
        workspace: wins over the file's `workspace`.

    Raises:
        ConfigError: all problems at once, each with file:line:column or the override it came from.
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


def dump_effective(effective: EffectiveSettings) -> str:
    """All settings as YAML that loads to the same settings, with their hash first and each one's origin behind it."""
    text = annotate(effective.settings.model_dump(mode="json"), effective.origin)
    return f"# hash: {settings_hash(effective.settings)}\n{text}"


def origins_of(effective: EffectiveSettings) -> Any:
    """The settings with each value's origin in place of the value; an empty list or mapping counts as a value."""

    def at(value: Any, where: Location) -> Any:
        if isinstance(value, dict) and value:
            return {key: at(inner, (*where, key)) for key, inner in value.items()}
        if isinstance(value, list) and value:
            return [at(inner, (*where, index)) for index, inner in enumerate(value)]
        return effective.origin(where)

    return at(effective.settings.model_dump(mode="json"), ())


def settings_hash(settings: Settings) -> str:
    """SHA-256 of all settings: equal for equal settings, however they were written."""
    values = json.dumps(settings.model_dump(mode="json"), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(values.encode()).hexdigest()


def settings_schema() -> dict[str, Any]:
    """JSON Schema of a configuration file; rules between keys are told by `load_settings` alone."""
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
    document = read_yaml(text_of(content, place), place)
    if document is None:
        raise ConfigError(f"{path}: the configuration is empty; get one with `interestrec init news`")
    if not isinstance(document.values, dict):
        raise ConfigError(f"{path}:1:1: expected a mapping of sections such as `data:` and `finetune:`")
    return document.values, {where: place(*position) for where, position in document.positions.items()}


def _apply_override(values: dict[str, Any], origins: Origins, override: str) -> None:
    key, equals, text = override.partition("=")
    path = key.split(".")
    if len(path) > MAX_DEPTH:
        raise ConfigError(f"--set {path[0]}.{path[1]}…: more than {MAX_DEPTH} sections within each other")
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
    for old in [known for known in origins if known[: len(where)] == tuple(where)]:
        del origins[old]
    inner = document.positions if document else {}
    origins.update({(*where, *below): f"--set {override}" for below in [(), *inner]})


def _step(target: Any, part: str, above: Sequence[str | int], override: str) -> str | int:
    """The key or the number of the list's entry that a part of an override's key names."""
    if isinstance(target, dict):
        return part
    if isinstance(target, list) and part.isdecimal() and int(part) < len(target):
        return int(part)
    raise ConfigError(f"--set {override}: '{dotted(tuple(above))}' is not a section")
