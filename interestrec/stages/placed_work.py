"""Parts of a stage's work that the workers of `runtime.cluster` make."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from interestrec.core.errors import DeviceError
from interestrec.core.progress import log, track
from interestrec.stages.run import RunContext
from interestrec.workspace.artifacts import Recipe
from interestrec.workspace.work_parts import appears, part_digest, take_part

PARTS = "parts"  # directory below the work of a recipe


class PlacedPart(NamedTuple):
    """A part of a stage's work for a worker."""

    arguments: Mapping[str, str | int]  # which part it is
    target: Path | None = None  # directory that it is written to; None where the task has another place for its output


class TaskPlacement(Protocol):
    """The workers of `runtime.cluster`."""

    def workers(self) -> int:
        """Return their number."""

    def results(self, task: str, context: RunContext, parts: Sequence[PlacedPart]) -> Iterator[Mapping[str, Any]]:
        """Make parts in any order, and yield path and digest of each when it is finished."""


def placed_parts(
    context: RunContext, task: str, directory: Path, parts: Mapping[str, Mapping[str, str | int]]
) -> list[Path]:
    """Let workers make the parts that are not there yet; return their directories in the order of `parts`.

    Args:
        directory: of the parts, below the work of the recipe; it is created.
        parts: arguments of the task by the name of the part.

    Raises:
        DeviceError: a worker has written to another file system.
        InterestrecError: see `ClusterPlacement.results`.
    """
    assert context.placement is not None
    directory.mkdir(parents=True, exist_ok=True)
    targets = {directory / name: arguments for name, arguments in parts.items()}
    missing = [PlacedPart(arguments, path) for path, arguments in targets.items() if part_digest(path) is None]
    if len(missing) < len(targets):
        log.info("%s: %d of %d parts are there", task, len(targets) - len(missing), len(targets))
    results = context.placement.results(task, context, missing) if missing else iter(())
    for result in track(results, task, total=len(missing), unit="parts"):
        if not appears(Path(result["path"]), result["digest"]):
            raise DeviceError(
                f"{result['path']}: a worker wrote this part, but it is not here; the workspace must be on a file "
                "system that all machines share"
            )
    return list(targets)


def placed_whole(context: RunContext, task: str, recipe: Recipe, directory: Path) -> None:
    """Let one worker make all files of a version, into a directory."""
    (whole,) = placed_parts(context, task, context.work(recipe) / PARTS, {"whole": {}})
    take_part(whole, directory)
