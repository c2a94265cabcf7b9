"""The five stages by name, and all of them in order."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interestrec.config.settings import Settings
from interestrec.core.choices import pick
from interestrec.core.logs import log_stage
from interestrec.core.progress import log
from interestrec.io import encryption
from interestrec.stages.run import DryRun, GateRequest, RunContext, StageResult, TrialRequest
from interestrec.tracking.trackers import require_installed
from interestrec.workspace.artifacts import STAGE_OF_KIND
from interestrec.workspace.plan import BuildPlan, current_version

if TYPE_CHECKING:
    from interestrec.answering.answer_service import AnswerService
    from interestrec.learning.budget import Budget

# Modules by subcommand, in the order of a run. A module is imported when its stage runs, so that no stage loads the
# libraries of another.
STAGES = {
    "preprocess": "interestrec.stages.preprocess",
    "pretrain-adapt": "interestrec.stages.pretrain_adapt",
    "finetune": "interestrec.stages.finetune",
    "rank": "interestrec.stages.rank",
    "evaluate": "interestrec.stages.evaluate",
}

_BEFORE_TRIALS = ("preprocess", "pretrain-adapt", "finetune")

# The artifact that `run` builds with each stage: the stage's first kind.
KINDS = {stage: kind for kind, stage in reversed(STAGE_OF_KIND.items()) if stage in STAGES}


def run(settings: Settings, stages: Collection[str] | None = None, force: bool = False) -> list[StageResult]:
    """Run stages in their order; artifacts that are up to date are not built again.

    Args:
        settings: the result of `load_config`.
        stages: names of subcommands, such as `["rank", "evaluate"]`; None = all five.
        force: whether to build artifacts that are up to date, too.

    Returns:
        One result per stage: the artifact with its directory, whether it was built in this run, a summary, and for
        `evaluate` the metrics and the findings of the quality gate.

    Raises:
        ConfigError: a stage does not exist.
        InterestrecError: a stage failed.

    Example:
        >>> settings = interestrec.load_config("configs/quickstart.yaml", ["finetune.epochs=1"])
        >>> results = interestrec.run(settings)
        >>> results[-1].summary["impressions"]["interestrec"]["auc"]
    """
    return list(run_all(RunContext(settings, force), stages))


def run_all(context: RunContext, stages: Collection[str] | None = None) -> Iterator[StageResult]:
    """Run stages in their order and yield each result when it is complete; artifacts that are up to date are skipped.

    The quality gate of `evaluate` is checked before the first stage, so that a mistake in it does not fail a long run.

    Args:
        stages: see `run`.
    """
    selected = set(STAGES if stages is None else stages)
    for name in sorted(selected):
        pick(STAGES, name, "stage")
    if "evaluate" in selected:
        import_module(STAGES["evaluate"]).check_gate(context)
    with _placed(context) as of_run:
        for name in STAGES:
            if name in selected:
                yield run_stage(name, of_run)


def run_windows(context: RunContext, windows: int, stages: Collection[str] | None = None) -> Iterator[StageResult]:
    """Run stages in several test windows, from the earliest to the last, and yield each result; then evaluate together.

    The last window is that of `run_all`, so that the links of the workspace lead to its artifacts in the end. The
    quality gate is that of the last window; its findings are on the last result, of kind `windows`.

    Args:
        windows: number of windows, of which 1 is the last.
        stages: names of the stages that may build, `evaluate` among them; None = all five. The artifacts of the others
            must exist.

    Raises:
        ConfigError: the split has no earlier windows.
        InputMissingError: an artifact of a stage that may not build is missing.
    """
    from interestrec.stages import evaluate_windows

    settings = [context.settings.at_window(window) for window in range(1, windows + 1)]
    evaluate = import_module(STAGES["evaluate"])
    evaluate.check_gate(context)
    earlier = evaluate.earlier_report(context)  # opened before the workspace's link moves to the reports of windows
    last_gate = replace(context.gate, not_worse_than=earlier.path if earlier else None)
    artifacts: dict[int, evaluate_windows.WindowArtifacts] = {}
    for window in range(windows, 0, -1):
        log.info("window %d of %d", window, windows)
        results: dict[str, StageResult] = {}
        gate = last_gate if window == 1 else GateRequest()
        for name in STAGES:
            existing = stages is not None and name not in stages
            force = context.force and not existing
            of_window = replace(context, settings=settings[window - 1], gate=gate, existing=existing, force=force)
            results[name] = run_stage(name, of_window)
            yield replace(results[name], notes=(), failures=())
        kinds = {kind: results[stage].artifact for stage, kind in KINDS.items()}
        artifacts[window] = evaluate_windows.WindowArtifacts(kinds["corpus"], kinds["rankings"], kinds["report"])
    gated = results["evaluate"]
    with _stage_scope("evaluate", context):
        together = evaluate_windows.run(context, dict(sorted(artifacts.items())))
    yield replace(together, notes=gated.notes, failures=gated.failures)


def run_stage(name: str, context: RunContext) -> StageResult:
    """Run one stage by the name of its subcommand.

    Raises:
        ConfigError: the package of a tracker is missing.
    """
    require_installed(context.settings.runtime.tracking)  # before inputs are hashed
    with _stage_scope(name, context), _placed(context) as of_run:
        return import_module(pick(STAGES, name, "stage")).run(of_run)


def tune(context: RunContext, budget: "Budget") -> StageResult:
    """Search settings by trials; the artifacts of the configured settings are built first if need be.

    The current model of the workspace stays that of the configured settings. See `stages.tune.run`.
    """
    from interestrec.stages import tune as tune_stage

    tune_stage.check_search(context.settings)
    finetune = import_module(STAGES["finetune"])
    built = {stage: run_stage(stage, replace(context, force=False)).artifact for stage in _BEFORE_TRIALS}
    pinned = replace(context, paths={artifact.kind: artifact.path for artifact in built.values()})

    def train(settings: Settings, request: TrialRequest) -> StageResult:
        trial = replace(pinned, settings=settings, trial=request, force=False)
        with _stage_scope("finetune", trial):
            return finetune.run(trial)

    with _stage_scope("tune", context):
        return tune_stage.run(pinned, budget, train)


def cross_validate(context: RunContext, folds: int, by: str) -> StageResult:
    """Run the finetune stage once per fold; arguments are those of `stages.finetune.cross_validate`."""
    from interestrec.stages import finetune

    with _stage_scope("finetune", context):
        return finetune.cross_validate(context, folds, by)


def export_vectors(context: RunContext, to: Path | None, from_model: bool) -> dict[str, Any]:
    """Export item vectors; arguments and result are those of `stages.encode.run`."""
    from interestrec.stages import encode

    with _stage_scope("encode", context), _placed(context) as of_run:
        return encode.run(of_run, to, from_model)


def convert_log(context: RunContext, to: Path, layout: str, by_split: bool) -> dict[str, Any]:
    """Write events as files of another tool; arguments and result are those of `stages.convert.run`."""
    from interestrec.stages import convert

    with _stage_scope("convert", context):
        return convert.run(context, to, layout, by_split)


def export_model(context: RunContext, to: Path, runtime: str, int8: bool) -> dict[str, Any]:
    """Export the model to another runtime; arguments and result are those of `stages.export.run`."""
    from interestrec.stages import export

    with _stage_scope("export", context):
        return export.run(context, to, runtime, int8)


def update_decision(
    context: RunContext, events: Path | None, items: Path | None, feedback: bool = False
) -> StageResult:
    """Let the decision follow new events; arguments and result are those of `stages.update.run`."""
    from interestrec.stages import update

    with _stage_scope("update", context):
        return update.run(context, events, items, feedback)


def replay(context: RunContext, jobs: int) -> StageResult:
    """Replay policies over the windows of history; arguments and result are those of `stages.replay.run`."""
    from interestrec.stages import replay as replay_stage

    with _stage_scope("replay", context):
        return replay_stage.run(context, jobs)


@contextmanager
def open_answers(
    context: RunContext,
    k: int,
    exclude_kinds: tuple[str, ...] | None,
    conditions: tuple[str, ...],
    why: bool = False,
) -> "Iterator[AnswerService]":
    """Open the workspace's decision for answers; arguments are those of `stages.recommend.open_answers`."""
    from interestrec.stages import recommend

    with _stage_scope("recommend", context):
        yield recommend.open_answers(context, k, exclude_kinds, conditions, why)


def serve(context: RunContext, arguments: Sequence[str]) -> None:
    """Answer over HTTP until the process is told to end; see `stages.serve.run`."""
    from interestrec.stages import serve as serve_stage

    with _stage_scope("serve", context):
        serve_stage.run(context, arguments)


def explain(context: RunContext, user: str, item: str, k: int, with_words: bool) -> dict[str, Any]:
    """Explain an item's place in the list of a user, of length k; see `stages.explain.run`."""
    from interestrec.stages import explain as explain_stage
    from interestrec.stages import recommend

    with _stage_scope("explain", context):
        service = recommend.open_answers(context, k, None, ())
        return explain_stage.run(context, service, user, item, with_words)


@contextmanager
def _placed(context: RunContext) -> Iterator[RunContext]:
    """Yield the context with the workers of `runtime.cluster`, if it names any and they are not in it already."""
    runtime = context.settings.runtime
    if runtime.cluster is None or context.placement is not None or context.dry_run:
        yield context
        return
    from interestrec.cluster.cluster_placement import ClusterPlacement

    placement = ClusterPlacement(runtime)
    try:
        yield replace(context, placement=placement)
    finally:
        placement.close()


@contextmanager
def _stage_scope(name: str, context: RunContext) -> Iterator[None]:
    """Put the stage's name into log lines, and read and write artifacts with the run's key."""
    with log_stage(name), encryption.key_in_force(context.settings.runtime.encryption_key):
        yield


def folds_plan(context: RunContext, folds: int, by: str) -> BuildPlan:
    """Return the plan of `cross_validate`, for a context with `dry_run`."""
    return _plan(partial(cross_validate, context, folds, by))


def build_plans(names: Sequence[str], context: RunContext) -> Iterator[BuildPlan]:
    """Yield the plans of consecutive stages, for a context with `dry_run`.

    Stages after the first one that would build have no inputs to compare yet; their plans give that stage as reason.
    """
    first: BuildPlan | None = None
    for name in names:
        if first is not None:
            kind = KINDS[name]
            why = f"{first.stage} would build before it"
            yield BuildPlan(name, kind, True, (why,), current_version(context.settings.workspace, kind))
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
