"""Stage commands: run one stage or all stages."""

from interestrec.cli.console import session
from interestrec.cli.options import (
    AsOf,
    By,
    Config,
    Corpus,
    DryRun,
    Encoder,
    Folds,
    Force,
    Json,
    Log,
    Model,
    NotWorseThan,
    On,
    Overrides,
    Quiet,
    Rankings,
    Require,
    Seeds,
    Shard,
    Start,
    Users,
    Verbose,
    Windows,
    Workspace,
    context,
    gate_request,
    rank_request,
    require_windows_alone,
    seed_rankings,
)


def preprocess(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Force = False,
    dry_run: DryRun = False,
    on: On = None,
) -> None:
    """Stage 1: clean, grade, split and tokenize raw logs.

    Writes the artifact `corpus` of the workspace.
    """
    with session("preprocess", as_json, quiet, log) as output:
        from interestrec import pipeline

        run_context = context(config, overrides, workspace, force, dry_run=dry_run, on=on)
        if dry_run:
            output.plans(pipeline.build_plans(["preprocess"], run_context))
        else:
            output.result(pipeline.run_stage("preprocess", run_context))


def pretrain_adapt(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Stage 2: adapt the text encoder to your texts.

    Writes the artifact `encoder`: trained further on the texts of the corpus, trained from scratch
    (pretrain_adapt.scratch=true), or unchanged (pretrain_adapt.steps=0).
    """
    with session("pretrain-adapt", as_json, quiet, log) as output:
        from interestrec import pipeline

        run_context = context(config, overrides, workspace, force, dry_run=dry_run, corpus=corpus)
        if dry_run:
            output.plans(pipeline.build_plans(["pretrain-adapt"], run_context))
        else:
            output.result(pipeline.run_stage("pretrain-adapt", run_context))


def finetune(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    encoder: Encoder = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Force = False,
    dry_run: DryRun = False,
    start: Start = None,
    folds: Folds = None,
    by: By = "users",
) -> None:
    """Stage 3: train the interest intensity model.

    Writes the artifact `model`, or with --folds the artifact `folds`.
    """
    with session("finetune", as_json, quiet, log) as output:
        from interestrec import pipeline

        run_context = context(
            config, overrides, workspace, force, dry_run=dry_run, corpus=corpus, encoder=encoder, start=start
        )
        if folds is not None and dry_run:
            output.plans([pipeline.folds_plan(run_context, folds, by)])
        elif folds is not None:
            output.result(pipeline.cross_validate(run_context, folds, by))
        elif dry_run:
            output.plans(pipeline.build_plans(["finetune"], run_context))
        else:
            output.result(pipeline.run_stage("finetune", run_context))


def rank(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    encoder: Encoder = None,
    model: Model = None,
    as_of: AsOf = None,
    users: Users = None,
    shard: Shard = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Force = False,
    dry_run: DryRun = False,
    on: On = None,
) -> None:
    """Stage 4: rank items by our system and the baselines.

    Writes the artifact `rankings` for the test split, or with --as-of the artifact `lists`.
    """
    with session("rank", as_json, quiet, log) as output:
        from interestrec import pipeline

        request = rank_request(as_of, users, shard)
        run_context = context(
            config,
            overrides,
            workspace,
            force,
            dry_run=dry_run,
            on=on,
            rank_request=request,
            corpus=corpus,
            encoder=encoder,
            model=model,
        )
        if dry_run:
            output.plans(pipeline.build_plans(["rank"], run_context))
        else:
            output.result(pipeline.run_stage("rank", run_context))


def evaluate(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    rankings: Rankings = None,
    seeds: Seeds = None,
    windows: Windows = None,
    require: Require = None,
    not_worse_than: NotWorseThan = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log: Log = "text",
    force: Force = False,
    dry_run: DryRun = False,
    on: On = None,
) -> None:
    """Stage 5: compute metrics and write a report.

    Writes the artifact `report`, or with --windows the artifact `windows` from the rankings that `run --windows` made.
    The exit status is 1 if a requirement does not hold.

    Example: interestrec evaluate --config shop --windows 4
    """
    with session("evaluate", as_json, quiet, log, verbose) as output:
        from interestrec import pipeline

        require_windows_alone(windows, dry_run=dry_run, corpus=corpus, rankings=rankings, seeds=seeds)
        rankings_of_seeds = seed_rankings(seeds, rankings)
        gate = gate_request(require, not_worse_than)
        run_context = context(
            config,
            overrides,
            workspace,
            force,
            dry_run=dry_run,
            on=on,
            gate=gate,
            seeds=rankings_of_seeds,
            corpus=corpus,
            rankings=rankings,
        )
        if dry_run:
            output.plans(pipeline.build_plans(["evaluate"], run_context))
        elif windows is not None:
            *_, together = pipeline.run_windows(run_context, windows, ["evaluate"])
            output.result(together)
        else:
            output.result(pipeline.run_stage("evaluate", run_context))


def run(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    windows: Windows = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log: Log = "text",
    force: Force = False,
    dry_run: DryRun = False,
    on: On = None,
) -> None:
    """Run all five stages, skipping what is up to date.

    With --windows the log is split at several times, each window with its own train and valid before its test; the
    artifact `windows` has the mean over windows and their spread.

    Example: interestrec run --config shop --windows 4
    """
    with session("run", as_json, quiet, log, verbose) as output:
        from interestrec import pipeline

        require_windows_alone(windows, dry_run=dry_run)
        run_context = context(config, overrides, workspace, force, dry_run=dry_run, on=on)
        if dry_run:
            output.plans(pipeline.build_plans(list(pipeline.STAGES), run_context))
        elif windows is not None:
            output.results(pipeline.run_windows(run_context, windows))
        else:
            output.results(pipeline.run_all(run_context))
