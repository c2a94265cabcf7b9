"""The five stages by name, and all of them in order."""

from collections.abc import Iterator, Sequence

from interestrec.core.catalogue import pick
from interestrec.core.context import Context, Planned, Result
from interestrec.core.logs import at_work
from interestrec.core.plan import Plan, current


def _preprocess(context: Context) -> Result:
    from interestrec.stages import preprocess

    return preprocess.run(context)


def _pretrain_adapt(context: Context) -> Result:
    from interestrec.stages import pretrain_adapt

    return pretrain_adapt.run(context)


def _finetune(context: Context) -> Result:
    from interestrec.stages import finetune

    return finetune.run(context)


def _rank(context: Context) -> Result:
    from interestrec.stages import rank

    return rank.run(context)


def _evaluate(context: Context) -> Result:
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


def run_stage(name: str, context: Context) -> Result:
    """Run one stage by its subcommand's name."""
    with at_work(name):
        return pick(STAGES, name, "stage")(context)


def cross_validate(context: Context, folds: int, by: str) -> Result:
    """The finetune stage once a fold."""
    from interestrec.stages import finetune

    return finetune.cross_validate(context, folds, by)


def plans(names: Sequence[str], context: Context) -> Iterator[Plan]:
    """What stages that follow each other would do, of a context with `dry_run`.

    Once one would build, what it builds is not there to look at, so those after it are said to build for its sake.
    """
    first: Plan | None = None
    for name in names:
        if first is not None:
            kind = KINDS[name]
            why = f"{first.stage} would build before it"
            yield Plan(name, kind, True, (why,), current(context.settings.workspace, kind))
            continue
        try:
            run_stage(name, context)
        except Planned as planned:
            first = planned.plan if planned.plan.builds else None
            yield planned.plan


def run_all(context: Context) -> Iterator[Result]:
    """Run the five stages in order, yielding each result when it is there; what is up to date is skipped.

    What would stop the last one for being misspelt or missing is found before the first.
    """
    from interestrec.stages import evaluate

    evaluate.check_gate(context)
    for name in STAGES:
        yield run_stage(name, context)
