"""Plans of stages, with reasons: for `--dry-run`, `interestrec status`, and the first log line of a stage."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interestrec import __version__
from interestrec.core.errors import InterestrecError
from interestrec.io import artifact_files, files
from interestrec.io.schemas import SCHEMA_VERSION
from interestrec.workspace.artifacts import Recipe

_MAX_CHARACTERS = 60  # of a value in a reason
_MAX_FILES_NAMED = 2  # changed source files in a reason; the others are counted


@dataclass(frozen=True)
class VersionState:
    """A version on disk: its path, size, and the last entry of its timing file."""

    path: Path
    bytes: int
    ended: str | None  # ISO 8601, UTC
    seconds: float | None  # duration of the stage


@dataclass(frozen=True)
class BuildPlan:
    """Whether a stage would build its artifact, and why."""

    stage: str
    kind: str
    builds: bool
    reasons: tuple[str, ...]  # why the stage builds; empty when the artifact is up to date
    version: VersionState | None  # the current version

    @property
    def values(self) -> dict[str, Any]:
        """The plan as values for JSON."""
        values = asdict(self)
        return {**values, "version": {**values["version"], "path": str(self.version.path)} if self.version else None}

    def __str__(self) -> str:
        state = "would build" if self.builds else "up to date"
        lines = [f"{self.stage}: {state}", *(f"    {reason}" for reason in self.reasons)]
        if self.version is not None:
            took = f", took {self.version.seconds:,.0f} s" if self.version.seconds is not None else ""
            lines.append(f"    current version: {self.version.bytes / 1e6:,.1f} MB{took}")
        return "\n".join(lines)


def recipe_plan(workspace: Path, recipe: Recipe, builds: bool) -> BuildPlan:
    """Return the plan of a recipe, with its differences from the current version."""
    return BuildPlan(
        recipe.stage,
        recipe.kind,
        builds,
        reasons(workspace, recipe) if builds else (),
        current_version(workspace, recipe.kind),
    )


def current_version(workspace: Path, kind: str) -> VersionState | None:
    """Return the state of the linked version of a kind, None when there is none."""
    link = workspace / kind
    if not link.exists():
        return None
    directory = link.resolve()
    size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    timing = files.read_json_lines(directory / artifact_files.TIMING)
    last = timing[-1] if timing else {}
    return VersionState(directory, size, last.get("ended"), last.get("seconds"))


def reasons(workspace: Path, recipe: Recipe) -> tuple[str, ...]:
    """Return the differences between a recipe and the current version, one phrase each."""
    before: Any = None
    with suppress(InterestrecError):
        before = files.read_json(workspace / recipe.kind / artifact_files.MANIFEST)
    if not isinstance(before, dict):
        return ("no version exists yet",)
    phrases = [
        *_differences("input", before.get("inputs", {}), dict(recipe.inputs), values=False),
        *_differences("", flat_config(before.get("config", {})), flat_config(recipe.config), values=True),
    ]
    other = {"seed": recipe.seed, "schema_version": SCHEMA_VERSION, "package_version": __version__}
    phrases += _differences("", {name: before.get(name) for name in other}, other, values=True)
    phrases += _code_differences(before.get("code", {}), recipe.code)
    return tuple(phrases) or ("--force",)


def _differences(kind: str, before: Mapping[str, Any], now: Mapping[str, Any], values: bool) -> Iterator[str]:
    """Yield one phrase per key that is new, was removed or has another value."""
    for name in sorted(before.keys() | now.keys()):
        label = f"{kind} {name}".strip()
        if name not in before:
            yield f"{label} is new"
        elif name not in now:
            yield f"{label} is gone"
        elif before[name] != now[name]:
            yield f"{label} changed" + (f" from {_short(before[name])} to {_short(now[name])}" if values else "")


def _code_differences(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Yield one phrase for all source files that were edited, added or removed."""
    if bool(before) != bool(now):  # one of the two versions was built by an installed release
        yield "the code is now that of " + ("a source checkout" if now else "an installed release")
        return
    changed = [path for path in sorted(before.keys() | now.keys()) if before.get(path) != now.get(path)]
    if not changed:
        return
    more = len(changed) - _MAX_FILES_NAMED
    rest = f" and {more} more source file{'s' if more > 1 else ''}" if more > 0 else ""
    separator = ", " if rest else " and "
    yield f"the code of {separator.join(changed[:_MAX_FILES_NAMED])}{rest} changed since"


def flat_config(values: Any, prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by dotted key."""
    if not isinstance(values, Mapping) or not values:
        return {prefix: values} if prefix else {}
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        leaves.update(flat_config(value, f"{prefix}.{key}" if prefix else str(key)))
    return leaves


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"
