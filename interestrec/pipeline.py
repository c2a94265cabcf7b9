"""The five stages by name, and all of them in order."""

from collections.abc import Iterator, Sequence

from interestrec.core.choices import pick
from interestrec.core.logs import log_stage
from interestrec.workspace.plan import BuildPlan, plan_of_current
from interestrec.workspace.run import DryRun, RunContext, StageResult


def _preprocess(context: RunContext) -> StageResult:
    from interestrec.stages import preprocess

    return preprocess.run(context)


def _pretrain_adapt(context: RunContext) -> StageResult:
    from interestrec.stages import pretrain_adapt

    return pretrain_adapt.run(context)


def _finetune(context: RunContext) -> StageResult:
    from interestrec.stages import finetune

    return finetune.run(context)


def _rank(context: RunContext) -> StageResult:
    from interestrec.stages import rank

    return rank.run(context)


def _evaluate(context: RunContext) -> StageResult:
    from interestrec.stages import evaluate

    return evaluate.run(context)


# Each imports its stage when called: one stage must not pay for the libraries of another.
STAGES = {
    "preprocess": _preprocess,
    "pretrain-adapt": _pretrain_adapt,
    "finetune": _finetune,
    "rank": _rank,
    "evaluate": _evaluate,
}


# The artifact of each, as `run` builds them.
KINDS = {
    "preprocess": "corpus",
    "pretrain-adapt": "encoder",
    "finetune": "model",
    "rank": "rankings",
    "evaluate": "report",
}


def run_stage(name: str, context: RunContext) -> StageResult:
    """Run one stage by its subcommand's name."""
    with log_stage(name):
        return pick(STAGES, name, "stage")(context)


def cross_validate(context: RunContext, folds: int, by: str) -> StageResult:
    """The finetune stage once a fold."""
    from interestrec.stages import finetune

    return finetune.cross_validate(context, folds, by)


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
        try:
            run_stage(name, context)
        except DryRun as planned:
            first = planned.plan if planned.plan.builds else None
            yield planned.plan


def run_all(context: RunContext) -> Iterator[StageResult]:
    """Run the five stages in order, yielding each result when it is there; what is up to date is skipped.

    What would stop the last one for being misspelt or missing is found before the first.
    """
    from interestrec.stages import evaluate

    evaluate.check_gate(context)
    for name in STAGES:
        yield run_stage(name, context)
