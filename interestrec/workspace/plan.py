"""What a stage would do and why: for `--dry-run`, `interestrec status`, and the line a stage begins with."""

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

_LONGEST = 60  # characters of a value that are shown
_NAMED = 2  # source files that changed; the others are counted


@dataclass(frozen=True)
class VersionState:
    """A version on disk: where, how large, and what its timing file tells."""

    path: Path
    bytes: int
    ended: str | None  # ISO 8601, UTC
    seconds: float | None  # that the stage took


@dataclass(frozen=True)
class BuildPlan:
    """What a stage would do."""

    stage: str
    kind: str
    builds: bool
    reasons: tuple[str, ...]  # why it builds; none when it is up to date
    version: VersionState | None  # the one that is current

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        found = asdict(self)
        return {**found, "version": {**found["version"], "path": str(self.version.path)} if self.version else None}

    def __str__(self) -> str:
        state = "would build" if self.builds else "up to date"
        found = [f"{self.stage}: {state}", *(f"    {reason}" for reason in self.reasons)]
        if self.version is not None:
            took = f", took {self.version.seconds:,.0f} s" if self.version.seconds is not None else ""
            found.append(f"    current version: {self.version.bytes / 1e6:,.1f} MB{took}")
        return "\n".join(found)


def plan_of_recipe(workspace: Path, recipe: Recipe, builds: bool) -> BuildPlan:
    """The plan of a recipe, with what differs from the version that is current."""
    return BuildPlan(
        recipe.stage,
        recipe.kind,
        builds,
        reasons(workspace, recipe) if builds else (),
        plan_of_current(workspace, recipe.kind),
    )


def plan_of_current(workspace: Path, kind: str) -> VersionState | None:
    """The version that is linked, None when there is none."""
    link = workspace / kind
    if not link.exists():
        return None
    directory = link.resolve()
    size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    timing = files.read_json_lines(directory / artifact_files.TIMING)
    last = timing[-1] if timing else {}
    return VersionState(directory, size, last.get("ended"), last.get("seconds"))


def reasons(workspace: Path, recipe: Recipe) -> tuple[str, ...]:
    """What differs between a recipe and the version that is current, a phrase each."""
    before: Any = None
    with suppress(InterestrecError):
        before = files.read_json(workspace / recipe.kind / artifact_files.MANIFEST)
    if not isinstance(before, dict):
        return ("no version exists yet",)
    found = [
        *_differences("input", before.get("inputs", {}), dict(recipe.inputs), values=False),
        *_differences("", _flat(before.get("config", {})), _flat(recipe.config), values=True),
    ]
    other = {"seed": recipe.seed, "schema_version": SCHEMA_VERSION, "package_version": __version__}
    found += _differences("", {name: before.get(name) for name in other}, other, values=True)
    found += _code_differences(before.get("code", {}), recipe.code)
    return tuple(found) or ("--force",)


def _differences(what: str, before: Mapping[str, Any], now: Mapping[str, Any], values: bool) -> Iterator[str]:
    """A phrase for each key that is new, gone or has another value."""
    for name in sorted(before.keys() | now.keys()):
        called = f"{what} {name}".strip()
        if name not in before:
            yield f"{called} is new"
        elif name not in now:
            yield f"{called} is gone"
        elif before[name] != now[name]:
            yield f"{called} changed" + (f" from {_short(before[name])} to {_short(now[name])}" if values else "")


def _code_differences(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """One phrase for all source files that were edited, added or removed."""
    if bool(before) != bool(now):  # one of the two versions is of an installed release
        yield "the code is now that of " + ("a source checkout" if now else "an installed release")
        return
    changed = [path for path in sorted(before.keys() | now.keys()) if before.get(path) != now.get(path)]
    if not changed:
        return
    more = len(changed) - _NAMED
    counted = f" and {more} more source file{'s' if more > 1 else ''}" if more > 0 else ""
    separator = ", " if counted else " and "
    yield f"the code of {separator.join(changed[:_NAMED])}{counted} changed since"


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves of nested mappings by dotted key."""
    if not isinstance(values, Mapping) or not values:
        return {prefix: values} if prefix else {}
    found: dict[str, Any] = {}
    for key, value in values.items():
        found.update(_flat(value, f"{prefix}.{key}" if prefix else str(key)))
    return found


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
