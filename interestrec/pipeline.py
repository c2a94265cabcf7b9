"""The five stages by name, and all of them in order."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from interestrec.config.settings import Settings
from interestrec.core.choices import pick
from interestrec.core.logs import log_stage
from interestrec.io import encryption
from interestrec.stages.run import DryRun, RunContext, StageResult
from interestrec.workspace.artifacts import STAGE_OF_KIND
from interestrec.workspace.plan import BuildPlan, plan_of_current

# Modules by subcommand, in the order of a run. Each is imported when it runs: one stage must not pay for the libraries
# of another.
STAGES = {
    "preprocess": "interestrec.stages.preprocess",
    "pretrain-adapt": "interestrec.stages.pretrain_adapt",
    "finetune": "interestrec.stages.finetune",
    "rank": "interestrec.stages.rank",
    "evaluate": "interestrec.stages.evaluate",
}

# The artifact that `run` builds with each: the first kind of a stage.
KINDS = {stage: kind for kind, stage in reversed(STAGE_OF_KIND.items())}


def run(settings: Settings, stages: Collection[str] | None = None, force: bool = False) -> list[StageResult]:
    """Run stages in their order; what is up to date is not built again.

    Args:
        settings: as `load_config` reads them.
        stages: names of subcommands, such as `["rank", "evaluate"]`; None = all five.
        force: build even what is up to date.

    Returns:
        One result per stage: the artifact with its directory, whether it was built now, a summary, and for `evaluate`
        the metrics and what the quality gate found.

    Raises:
        ConfigError: there is no such stage.
        InterestrecError: as the stages say.

    Example:
        >>> settings = interestrec.load_config("configs/quickstart.yaml", ["finetune.epochs=1"])
        >>> results = interestrec.run(settings)
        >>> results[-1].summary["impressions"]["interestrec"]["auc"]
    """
    return list(run_all(RunContext(settings, force), stages))


def run_all(context: RunContext, stages: Collection[str] | None = None) -> Iterator[StageResult]:
    """Run stages in their order, yielding each result as soon as it is there; what is up to date is skipped.

    What would stop the last one for being misspelt or missing is found before the first.

    Args:
        stages: as for `run`.
    """
    wanted = set(STAGES if stages is None else stages)
    for name in sorted(wanted):
        pick(STAGES, name, "stage")
    if "evaluate" in wanted:
        import_module(STAGES["evaluate"]).check_gate(context)
    for name in STAGES:
        if name in wanted:
            yield run_stage(name, context)


def run_stage(name: str, context: RunContext) -> StageResult:
    """Run one stage by its subcommand's name."""
    with _at_work(name, context):
        return import_module(pick(STAGES, name, "stage")).run(context)


def cross_validate(context: RunContext, folds: int, by: str) -> StageResult:
    """The finetune stage once per fold."""
    from interestrec.stages import finetune

    with _at_work("finetune", context):
        return finetune.cross_validate(context, folds, by)


def export_vectors(context: RunContext, to: Path | None, of_model: bool) -> dict[str, Any]:
    """Write item vectors for other programs; arguments and result are those of `stages.encode`."""
    from interestrec.stages import encode

    with _at_work("encode", context):
        return encode.run(context, to, of_model)


@contextmanager
def _at_work(name: str, context: RunContext) -> Iterator[None]:
    """Log lines carry the stage's name, and artifacts are read and written with the run's key."""
    with log_stage(name), encryption.key_in_force(context.settings.runtime.encryption_key):
        yield


def plan_of_folds(context: RunContext, folds: int, by: str) -> BuildPlan:
    """What `cross_validate` would do, for a context with `dry_run`."""
    return _plan(partial(cross_validate, context, folds, by))


def plans(names: Sequence[str], context: RunContext) -> Iterator[BuildPlan]:
    """What stages that follow each other would do, of a context with `dry_run`.

    Once one would build, what it builds is not there to look at, so those after it are said to build for its sake.
    """
    first: BuildPlan | None = None
    for name in names:
        if first is not None:
            kind = KINDS[name]
            why = f"{first.stage} would build before it"
            yield BuildPlan(name, kind, True, (why,), plan_of_current(context.settings.workspace, kind))
            continue
        plan = _plan(partial(run_stage, name, context))
        first = plan if plan.builds else None
        yield plan


def _plan(stage: Callable[[], StageResult]) -> BuildPlan:
    try:
        stage()
    except DryRun as planned:
        return planned.plan
    raise ValueError("plans are made of a context with dry_run")
