"""The frame of every stage: its context, its result, and the production of its artifact."""

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
from interestrec.core.errors import InputMissingError, LockedError, PeerLostError
from interestrec.core.progress import log, reporting_to
from interestrec.core.workers import worker_number
from interestrec.evaluation.requirements import MetricBound
from interestrec.io import artifact_files, files
from interestrec.tracking.artifact_figures import artifact_figures
from interestrec.tracking.run_tracking import RunTracking
from interestrec.tracking.tracker import TrackedRun
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
from interestrec.workspace.plan import BuildPlan, flat_config, reasons, recipe_plan

if TYPE_CHECKING:
    import pyarrow as pa

    from interestrec.encoding.item_encoders import ItemEncoders
    from interestrec.stages.placed_work import TaskPlacement

_TURN = 1.0  # seconds between attempts while another process writes
_MAX_WAIT = 600.0  # seconds that a worker waits for the chief's artifact
_MAX_REASONS = 3  # reasons in the log line of a stage; `--dry-run` shows all


@dataclass(frozen=True)
class RankRequest:
    """The lists that `rank` makes: for the test split or for a point in time, and which part of the users."""

    as_of: int | None = None  # microseconds since 1970 UTC; None = the test split
    users: Path | None = None  # file with one id per line; None = all
    shard: tuple[int, int] = (1, 1)  # number of the part, number of parts

    @property
    def kind(self) -> str:
        """Kind of the artifact."""
        if self.shard[1] > 1:
            return "shard"
        return "rankings" if self.as_of is None else "lists"

    @property
    def inputs(self) -> dict[str, str]:
        """Input digests in addition to those of artifacts."""
        return {} if self.users is None else {"users": files.sha256_of(self.users)}

    @property
    def lineage(self) -> dict[str, Any]:
        """The request in a recipe's configuration; empty for the whole test split."""
        part = {} if self.shard[1] == 1 else {"shard": f"{self.shard[0]}/{self.shard[1]}"}
        return part if self.as_of is None else {**part, "as_of": self.as_of}


@dataclass(frozen=True)
class TrialRequest:
    """A trial of settings: its artifact is built beside the workspace's current one, which stays linked."""

    work: Path  # directory of the checkpoints of all trials
    epochs: int | None = None  # after which a training that has more pauses; None = it does not pause


@dataclass(frozen=True)
class GateRequest:
    """Requirements of the command line on a report, in addition to those of the configuration."""

    require: tuple[MetricBound, ...] = ()
    not_worse_than: Path | None = None  # a report or workspace; replaces that of the configuration


@dataclass(frozen=True)
class RunContext:
    """The settings of a run, the paths of its input artifacts, and whether to build what is up to date."""

    settings: Settings
    force: bool = False
    start: Path | None = None  # model that finetune starts from
    rank_request: RankRequest = RankRequest()
    gate: GateRequest = GateRequest()
    seeds: tuple[Path, ...] = ()  # rankings, or their workspaces, to average over
    paths: Mapping[str, Path] = field(default_factory=dict)  # artifact kind -> directory; replaces the workspace's
    dry_run: bool = False  # raise `DryRun` with the plan instead of building
    trial: TrialRequest | None = None  # None = the artifacts become the workspace's current ones
    existing: bool = False  # link the version that exists and refuse to build one
    placement: "TaskPlacement | None" = None  # None = this process does all

    def open(self, kind: str) -> Artifact:
        """Open the input artifact of this kind: the one in `paths`, else the workspace's current one."""
        return open_artifact(self.paths.get(kind, self.settings.workspace / kind), kind)

    def work(self, recipe: Recipe) -> Path:
        """Return the directory of a run's checkpoints, which exists until its artifact is committed."""
        return recipe.work_path(self.settings.workspace) if self.trial is None else self.trial.work / recipe.digest

    def tracking(self, recipe: Recipe) -> RunTracking:
        """Return what logs the figures of an artifact's run by `runtime.tracking`; nothing on workers but the chief.

        Raises:
            ConfigError: the package of a tracker is missing.
        """
        runtime = self.settings.runtime
        names = () if worker_number(runtime.distribution) > 0 else runtime.tracking
        return RunTracking(
            TrackedRun(recipe.stage, recipe.kind, recipe.digest),
            names,
            runtime.tracking_directory or self.settings.workspace / "tracking",
            {key: str(value) for key, value in {"seed": recipe.seed, **flat_config(recipe.config)}.items()},
            self.force,
        )


@dataclass(frozen=True)
class StageResult:
    """The result of a stage: the artifact, whether it was built in this run, and a summary."""

    artifact: Artifact
    built: bool
    summary: dict[str, Any]
    notes: tuple[str, ...] = ()  # sentences on the requirements that hold
    failures: tuple[str, ...] = ()  # sentences on the requirements that do not hold
    metrics: "pa.Table | None" = None  # report_schemas.METRICS, for a report


def item_encoders(settings: Settings, artifact: Path | None) -> "ItemEncoders":
    """Return the encoders of a configuration with their files in an `encoder` artifact; None: in their sources."""
    from interestrec.encoding.item_encoders import ItemEncoders

    runtime, root = settings.runtime, settings.data.root
    return ItemEncoders(
        settings.encoders, settings.items, artifact, settings.workspace, runtime.precision, root, runtime.encoder
    )


def produce_in_turn(
    context: RunContext,
    recipe: Recipe,
    build: Callable[[Path], dict[str, float] | None],
    summarise: Callable[[Path], dict[str, Any]],
) -> StageResult:
    """Produce the recipe's artifact, after waiting for another process that writes the same output; see `produce`."""
    while True:
        try:
            return produce(context, recipe, build, summarise)
        except LockedError as error:
            log.info("%s: waiting, because %s", recipe.stage, error)
        time.sleep(_TURN)


class DryRun(Exception):
    """Raised in a dry run instead of building; carries the plan of the stage."""

    def __init__(self, plan: BuildPlan) -> None:
        super().__init__(plan)
        self.plan = plan


def produce(
    context: RunContext,
    recipe: Recipe,
    build: Callable[[Path], dict[str, float] | None],
    summarise: Callable[[Path], dict[str, Any]],
    all_workers: bool = False,
    tracking: RunTracking | None = None,
) -> StageResult:
    """Build the recipe's artifact unless it exists, and complete what trackers have of its run.

    An interrupted run resumes from its checkpoints.

    Args:
        build: writes the artifact's files into a directory; the figures that it returns go to the timing file.
        all_workers: whether all workers of a distributed run build together. In any case only the chief commits, and
            the other workers, which share its workspace, wait for the artifact.
        summarise: reads the summary from a committed artifact's directory.
        tracking: what `build` logs its figures with; None if it logs none.

    Raises:
        ConfigError: the package of a tracker is missing.
        LockedError: another process writes the same output.
        PeerLostError: the chief did not commit the artifact in time.
        DryRun: the context is that of a dry run.
        InputMissingError: the version does not exist, and the context is one of existing versions.
    """
    workspace, tracking = context.settings.workspace, tracking or context.tracking(recipe)
    try:
        result = _made_elsewhere(context, recipe, build, summarise, all_workers)
        if result is None:
            with exclusive_writer(workspace, recipe) as lock, reporting_to(lock.record_progress):
                built = context.force or not recipe.version_path(workspace).exists()
                if built:
                    with _new_version(context, recipe) as (directory, figures):
                        figures |= build(directory) or {}
                else:
                    link(workspace, recipe)
                place = workspace / recipe.kind if recipe.linked else recipe.version_path(workspace)
                artifact = open_artifact(place, recipe.kind)
            result = StageResult(artifact, built, summarise(artifact.path))
        with_counts = context.settings.evaluate.min_users == 1
        path, summary = result.artifact.path, result.summary
        tracking.record(lambda: artifact_figures(path, recipe.kind, summary, with_counts))
    finally:
        tracking.close()
    return result


def _made_elsewhere(
    context: RunContext,
    recipe: Recipe,
    build: Callable[[Path], dict[str, float] | None],
    summarise: Callable[[Path], dict[str, Any]],
    all_workers: bool,
) -> StageResult | None:
    """Return the result of `produce` where the artifact is there or the chief makes it; None: this process makes it."""
    workspace = context.settings.workspace
    found = None if context.force else up_to_date(workspace, recipe)
    if context.dry_run:
        raise DryRun(recipe_plan(workspace, recipe, builds=found is None))
    if found is not None:
        if leftovers(workspace, recipe):
            with suppress(LockedError), exclusive_writer(workspace, recipe):
                pass
        log.info("%s: up to date", recipe.stage)
        return StageResult(found, False, summarise(found.path))
    if context.existing and not recipe.version_path(workspace).exists():
        window = context.settings.preprocess.split.window
        raise InputMissingError(
            f"{workspace}: no {recipe.kind} of window {window} with these settings; use `interestrec run --windows N`"
        )
    if worker_number(context.settings.runtime.distribution) == 0:
        return None
    if all_workers:
        with tempfile.TemporaryDirectory() as scratch:
            build(Path(scratch))
    artifact = _wait_for_artifact(workspace, recipe)
    return StageResult(artifact, False, summarise(artifact.path))


@contextmanager
def _new_version(context: RunContext, recipe: Recipe) -> Iterator[tuple[Path, dict[str, float]]]:
    """Stage a new version: yield its directory and a dict for timing figures, then commit and remove checkpoints."""
    workspace, work = context.settings.workspace, context.work(recipe)
    if context.force:
        shutil.rmtree(work, ignore_errors=True)
    why = reasons(workspace, recipe)
    remainder = f" and {len(why) - _MAX_REASONS} more" if len(why) > _MAX_REASONS else ""
    log.info("%s: building, because %s%s", recipe.stage, "; ".join(why[:_MAX_REASONS]), remainder)
    started = time.monotonic()
    figures: dict[str, float] = {}
    with staged_version(workspace, recipe) as partial:
        yield partial, figures
        timing = {"seconds": time.monotonic() - started, **figures}
        line = {name: round(value, 3) for name, value in timing.items()}
        ended = datetime.now(UTC).isoformat(timespec="seconds")
        files.append_json_line(partial / artifact_files.TIMING, {"stage": recipe.stage, "ended": ended, **line})
    shutil.rmtree(work, ignore_errors=True)


def _wait_for_artifact(workspace: Path, recipe: Recipe) -> Artifact:
    """Wait until the chief has committed the recipe's artifact.

    Raises:
        PeerLostError: the wait timed out.
    """
    started = time.monotonic()
    while time.monotonic() - started < _MAX_WAIT:
        if (found := up_to_date(workspace, recipe)) is not None:
            return found
        time.sleep(0.2)
    raise PeerLostError(
        f"{workspace}: timed out waiting for the chief's {recipe.kind}; run the same command on all workers"
    )
