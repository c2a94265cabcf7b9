"""The five stages by name, and all of them in order."""

from collections.abc import Iterator

from interestrec.core.catalogue import pick
from interestrec.core.context import Context, Result


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


def run_stage(name: str, context: Context) -> Result:
    """Run one stage by its subcommand's name."""
    return pick(STAGES, name, "stage")(context)


def cross_validate(context: Context, folds: int, by: str) -> Result:
    """The finetune stage once a fold."""
    from interestrec.stages import finetune

    return finetune.cross_validate(context, folds, by)


def run_all(context: Context) -> Iterator[Result]:
    """Run the five stages in order, yielding each result when it is there; what is up to date is skipped.

    What would stop the last one for being misspelt or missing is found before the first.
    """
    from interestrec.stages import evaluate

    evaluate.check_gate(context)
    for name in STAGES:
        yield run_stage(name, context)
