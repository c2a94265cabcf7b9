"""What every stage is given and what it gives back."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interestrec.config.settings import Settings
from interestrec.core.errors import LockedError, PeerLostError
from interestrec.core.progress import log, reporting_to
from interestrec.core.workers import worker_number
from interestrec.evaluation.requirements import MetricBound
from interestrec.io import artifact_files, files
from interestrec.workspace.artifacts import (
    Artifact,
    Recipe,
    exclusive_writer,
    leftovers,
    link,
    open_artifact,
    staged_version,
    up_to_date,
)
from interestrec.workspace.plan import BuildPlan, plan_of_recipe, reasons

if TYPE_CHECKING:
    import pyarrow as pa

_LONGEST_WAIT = 600.0  # seconds, of a worker for what the chief commits
_REASONS = 3  # that a stage begins with; `--dry-run` tells all


@dataclass(frozen=True)
class RankRequest:
    """Whose lists `rank` is asked for: those of the test split, or of a moment; and which part of them."""

    as_of: int | None = None  # microseconds since 1970 UTC; None = the test split
    users: Path | None = None  # file of ids, one a line; None = all
    shard: tuple[int, int] = (1, 1)  # part and parts

    @property
    def kind(self) -> str:
        """Of the artifact."""
        if self.shard[1] > 1:
            return "shard"
        return "rankings" if self.as_of is None else "lists"

    @property
    def inputs(self) -> dict[str, str]:
        """Digests, beside those of artifacts."""
        return {} if self.users is None else {"users": files.sha256_of(self.users)}

    @property
    def lineage(self) -> dict[str, Any]:
        """What a recipe's configuration says of it; nothing where the whole test split is asked for."""
        part = {} if self.shard[1] == 1 else {"shard": f"{self.shard[0]}/{self.shard[1]}"}
        return part if self.as_of is None else {**part, "as_of": self.as_of}


@dataclass(frozen=True)
class GateRequest:
    """What is asked of a report beside what the configuration asks."""

    require: tuple[MetricBound, ...] = ()
    not_worse_than: Path | None = None  # in place of the configuration's; report or workspace


@dataclass(frozen=True)
class RunContext:
    """The settings of a run, where its input artifacts are, and whether to build what is up to date."""

    settings: Settings
    force: bool = False
    start: Path | None = None  # model that finetune starts from
    asking: RankRequest = RankRequest()
    gate: GateRequest = GateRequest()
    seeds: tuple[Path, ...] = ()  # rankings, or workspaces that have them, to evaluate together
    paths: Mapping[str, Path] = field(default_factory=dict)  # artifact kind -> directory, over the workspace's
    dry_run: bool = False  # only say what would be built: `Planned` is raised in place of building

    def open(self, kind: str) -> Artifact:
        """The input artifact of this kind: the one given, else the workspace's current one."""
        return open_artifact(self.paths.get(kind, self.settings.workspace / kind), kind)

    def work(self, recipe: Recipe) -> Path:
        """Where the checkpoints of a recipe's run lie until its artifact is committed."""
        return recipe.work_path(self.settings.workspace)


@dataclass(frozen=True)
class StageResult:
    """What a stage did: the artifact, whether it was built now, and a summary for people and machines."""

    artifact: Artifact
    built: bool
    summary: dict[str, Any]
    notes: tuple[str, ...] = ()  # sentences: what the gate found in order
    failures: tuple[str, ...] = ()  # sentences: what it did not
    metrics: "pa.Table | None" = None  # of a report, with the schema METRICS


class DryRun(Exception):
    """What a stage would do, in a dry run."""

    def __init__(self, plan: BuildPlan) -> None:
        super().__init__(plan)
        self.plan = plan


def produce(
    context: RunContext,
    recipe: Recipe,
    build: Callable[[Path], dict[str, float] | None],
    summarise: Callable[[Path], dict[str, Any]],
    together: bool = False,
) -> StageResult:
    """Build the recipe's artifact unless it is there already; what was left of a run that was cut off is resumed.

    Args:
        build: writes the artifact's files into the directory it is given; what it tells of its speed goes to the
            timing file.
        together: whether the workers of a distributed run build as one. In any case the chief alone commits, and the
            others, whose workspace is the same, wait for it.
        summarise: reads the few figures worth printing from a committed artifact's directory.

    Raises:
        LockedError: another process is at work on the same output.
        Planned: in a dry run.
    """
    workspace = context.settings.workspace
    found = None if context.force else up_to_date(workspace, recipe)
    if context.dry_run:
        raise DryRun(plan_of_recipe(workspace, recipe, builds=found is None))
    if found is not None:
        if leftovers(workspace, recipe):
            with suppress(LockedError), exclusive_writer(workspace, recipe):
                pass
        log.info("%s: up to date", recipe.stage)
        return StageResult(found, False, summarise(found.path))
    if worker_number(context.settings.runtime.distribution) > 0:
        if together:
            with tempfile.TemporaryDirectory() as scratch:
                build(Path(scratch))
        artifact = _awaited(workspace, recipe)
        return StageResult(artifact, False, summarise(artifact.path))
    with exclusive_writer(workspace, recipe) as lock, reporting_to(lock.record_progress):
        built = context.force or not recipe.version_path(workspace).exists()
        if built:
            with _new_version(context, recipe) as (directory, figures):
                figures |= build(directory) or {}
        else:
            link(workspace, recipe)
        artifact = open_artifact(workspace / recipe.kind, recipe.kind)
    return StageResult(artifact, built, summarise(artifact.path))


@contextmanager
def _new_version(context: RunContext, recipe: Recipe) -> Iterator[tuple[Path, dict[str, float]]]:
    """The directory of a version to build, and figures of its speed to fill in; then commit, and remove checkpoints."""
    workspace, work = context.settings.workspace, context.work(recipe)
    if context.force:
        shutil.rmtree(work, ignore_errors=True)
    why = reasons(workspace, recipe)
    more = f" and {len(why) - _REASONS} more" if len(why) > _REASONS else ""
    log.info("%s: building, because %s%s", recipe.stage, "; ".join(why[:_REASONS]), more)
    started = time.monotonic()
    figures: dict[str, float] = {}
    with staged_version(workspace, recipe) as partial:
        yield partial, figures
        timing = {"seconds": time.monotonic() - started, **figures}
        line = {name: round(value, 3) for name, value in timing.items()}
        ended = datetime.now(UTC).isoformat(timespec="seconds")
        files.append_json_line(partial / artifact_files.TIMING, {"stage": recipe.stage, "ended": ended, **line})
    shutil.rmtree(work, ignore_errors=True)


def _awaited(workspace: Path, recipe: Recipe) -> Artifact:
    """The recipe's artifact as soon as the chief has committed it.

    Raises:
        PeerLostError: it does not come.
    """
    started = time.monotonic()
    while time.monotonic() - started < _LONGEST_WAIT:
        if (found := up_to_date(workspace, recipe)) is not None:
            return found
        time.sleep(0.2)
    raise PeerLostError(f"{workspace}: the chief's {recipe.kind} does not come; run the same command on all workers")
