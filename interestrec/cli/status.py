"""Status: determines the states of the artifacts of a workspace and its running jobs."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from interestrec.core.errors import InterestrecError
from interestrec.io.locks import LockHolder, lock_holder
from interestrec.pipeline import KINDS, STAGES, build_plans
from interestrec.stages.run import RunContext
from interestrec.workspace.artifacts import LOCKS, STAGE_OF_KIND
from interestrec.workspace.plan import BuildPlan, current_version

_STEP = "step-"


@dataclass(frozen=True)
class ArtifactStatus:
    """The state of the artifact of one stage."""

    stage: str
    state: str  # fresh, stale, missing, broken or running
    about: tuple[str, ...]  # reasons for being stale or broken, and running jobs
    built: str | None  # ISO 8601, UTC
    seconds: float | None
    bytes: int
    version: Path | None
    running: tuple[LockHolder, ...]
    unfinished: int | None  # step of the newest checkpoint of an interrupted run


def status(context: RunContext) -> list[ArtifactStatus]:
    """Return the states of the five stages in order, without writes and without locks."""
    states: list[ArtifactStatus] = []
    workspace = context.settings.workspace
    try:
        for plan in build_plans(list(STAGES), replace(context, dry_run=True)):
            states.append(_of_plan(workspace, plan))
    except InterestrecError as error:  # belongs to the first stage without a plan; the later stages depend on it
        about = (str(error),)
        for stage in list(STAGES)[len(states) :]:
            plan = BuildPlan(stage, KINDS[stage], True, about, current_version(workspace, KINDS[stage]))
            states.append(_of_plan(workspace, plan, broken=True))
            about = (f"depends on {plan.stage}, which is broken",) if about == (str(error),) else about
    return states


def _of_plan(workspace: Path, plan: BuildPlan, broken: bool = False) -> ArtifactStatus:
    version = plan.version
    outputs = sorted(path for path in (workspace / LOCKS).glob("*") if _stage_of(path.name) == plan.stage)
    running = tuple(holder for path in outputs if (holder := lock_holder(path)) is not None)
    state = "broken" if broken else "missing" if version is None else "stale" if plan.builds else "fresh"
    return ArtifactStatus(
        stage=plan.stage,
        state="running" if running else state,
        about=(*(f"{holder}: {holder.doing or 'running'}" for holder in running), *plan.reasons),
        built=version.ended if version else None,
        seconds=version.seconds if version else None,
        bytes=version.bytes if version else 0,
        version=version.path if version else None,
        running=running,
        unfinished=None if running else _unfinished(workspace / "work" / plan.stage),
    )


def _stage_of(output: str) -> str | None:
    return STAGE_OF_KIND.get(output.partition("-")[0])


def _unfinished(work: Path) -> int | None:
    steps = [path.name.removeprefix(_STEP) for path in work.rglob(f"{_STEP}*")]
    return max((int(step) for step in steps if step.isdecimal()), default=None)


def as_values(workspace: Path, found: list[ArtifactStatus]) -> dict[str, Any]:
    """Return the states as JSON values."""
    stages = [{**asdict(one), "version": str(one.version) if one.version else None} for one in found]
    return {"workspace": str(workspace), "stages": stages}


def as_text(found: list[ArtifactStatus]) -> str:
    """Return the states as text: one line per stage, with reasons indented below it."""
    lines = []
    for one in found:
        took = f"{one.seconds:,.0f} s" if one.seconds is not None else ""
        size = f"{one.bytes / 1e6:,.1f} MB" if one.version else ""
        lines.append(f"{one.stage:14} {one.state:8} {one.built or '-':25} {took:>9} {size:>12}".rstrip())
        lines += [f"    {reason}" for reason in one.about]
        if one.unfinished is not None:
            lines.append(
                f"    an interrupted run has a checkpoint of step {one.unfinished}; a run with the same settings and "
                "inputs resumes there"
            )
    return "\n".join(lines)
