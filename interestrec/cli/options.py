"""Shared options of commands, and the settings, requests and corpus that they specify."""

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from interestrec.corpus.store import Corpus as CorpusArtifact
    from interestrec.stages.run import GateRequest, RankRequest, RunContext


def path_option(name: str, meaning: str) -> typer.models.OptionInfo:
    """Return an option that takes a directory."""
    return typer.Option(name, metavar="DIR", help=meaning)


_CONFIG_HELP = "Configuration: a path, or a name in ./ or ./configs/ [default: ./interestrec.yaml]"
_SET_HELP = "Override a configuration key, e.g. finetune.epochs=3; repeatable"
Config = Annotated[
    str | None,
    typer.Option("--config", "-c", metavar="FILE", help=_CONFIG_HELP),
]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=_SET_HELP)]
Workspace = Annotated[Path | None, path_option("--workspace", "Workspace to use instead of the configured one")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, also on failure")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing unless the command fails")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Also print the tables of all metrics")]
Log = Annotated[
    Literal["text", "json"],
    typer.Option("--log", envvar="INTERESTREC_LOG", help="Format of log lines on standard error"),
]
Force = Annotated[bool, typer.Option("--force", help="Build even if up to date")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done and why, and do nothing")]
Start = Annotated[Path | None, path_option("--from", "Model to start from, e.g. yesterday's")]
Folds = Annotated[
    int | None,
    typer.Option("--folds", metavar="N", help="Cross-validate on N folds of train; keeps no model"),
]
By = Annotated[str, typer.Option("--by", metavar="users|time", help="What each fold holds out")]
Corpus = Annotated[Path | None, path_option("--corpus", "Corpus to use instead of the workspace's")]
Encoder = Annotated[Path | None, path_option("--encoder", "Encoder to use instead of the workspace's")]
Model = Annotated[Path | None, path_option("--model", "Model to use instead of the workspace's")]
Rankings = Annotated[Path | None, path_option("--rankings", "Rankings to use instead of the workspace's")]

_USERS_HELP = "User IDs to rank for: a file with one ID per line; needs --as-of [default: all]"
_AS_OF_HELP = "Make lists for this time (ISO 8601, or now) instead of ranking the test split"
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="TIME", help=_AS_OF_HELP)]
Users = Annotated[str | None, typer.Option("--users", metavar="all|FILE", help=_USERS_HELP)]
Shard = Annotated[str | None, typer.Option("--shard", metavar="I/N", help="Rank only part I of N, e.g. 3/16")]

_REQUIRE_HELP = (
    "Requirement on interestrec, [protocol:][slice/]metric followed by >=, >, <= or < and a number; exit status 1 if "
    "it does not hold; without a protocol, the metric over impressions, else over the catalogue; repeatable"
)
Require = Annotated[list[str] | None, typer.Option("--require", metavar="BOUND", help=_REQUIRE_HELP)]
NotWorseThan = Annotated[
    Path | None,
    path_option("--not-worse-than", "Earlier report, or its workspace; status 1 if quality fell beyond noise"),
]
Seeds = Annotated[
    list[Path] | None,
    path_option("--seeds", "Rankings of one seed, or their workspace; repeat it to report the mean over seeds"),
]
Windows = Annotated[
    int | None,
    typer.Option("--windows", metavar="N", min=2, help="Do so in the last N test windows, and evaluate them together"),
]

_ON_HELP = "Scheduler of Dask whose workers make parts of the work, e.g. tcp://host:8786; see docs/scaling.md"
On = Annotated[str | None, typer.Option("--on", metavar="ADDRESS", help=_ON_HELP)]


def gate_request(require: list[str] | None, not_worse_than: Path | None) -> "GateRequest":
    """Return the requirements on a report that the options specify.

    Raises:
        UsageError: a requirement cannot be parsed.
    """
    from interestrec.core.errors import ConfigError, UsageError
    from interestrec.evaluation.requirements import parse_bound
    from interestrec.stages.run import GateRequest

    try:
        return GateRequest(tuple(map(parse_bound, require or [])), not_worse_than)
    except ConfigError as error:
        raise UsageError(f"--require {error}") from None


def seed_rankings(seeds: list[Path] | None, rankings: Path | None) -> tuple[Path, ...]:
    """Return the rankings of `--seeds` that are evaluated together; empty without this option.

    Raises:
        UsageError: only one is specified, or --rankings is specified as well.
    """
    from interestrec.core.errors import UsageError

    if seeds and rankings is not None:
        raise UsageError("--rankings and --seeds exclude each other; use only one of them")
    if seeds and len(seeds) < 2:
        raise UsageError(f"--seeds {seeds[0]}: a mean needs at least two seeds; repeat the option for each")
    return tuple(seeds or ())


def require_windows_alone(windows: int | None, **others: object) -> None:
    """Refuse options that determine the artifacts or the plan of a single window, by their names.

    Raises:
        UsageError: --windows is specified together with one of them.
    """
    from interestrec.core.errors import UsageError

    for name, value in others.items():
        if windows is not None and value:
            option = f"--{name.replace('_', '-')}"
            advice = "for a single window, use --set preprocess.split.window=N"
            raise UsageError(f"--windows and {option} exclude each other; {advice}")


def rank_request(as_of: str | None, users: str | None, shard: str | None) -> "RankRequest":
    """Return the request that the options of `rank` specify.

    Raises:
        UsageError: a value cannot be parsed, or --users is used without --as-of.
    """
    from datetime import UTC, datetime

    from interestrec.core.errors import UsageError
    from interestrec.stages.run import RankRequest

    timestamp = None  # microseconds since 1970 UTC
    if as_of is not None:
        try:
            time = datetime.now(UTC) if as_of == "now" else datetime.fromisoformat(as_of)
        except ValueError:
            raise UsageError(f"--as-of {as_of}: expected now, or a time such as 2026-11-24T03:00:00+00:00") from None
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        timestamp = round(time.timestamp() * 1_000_000)
    if users is not None and timestamp is None:
        raise UsageError("--users needs --as-of: without it, rank makes lists for the users of the test split")
    part, parts = 1, 1
    if shard is not None:
        numbers = shard.split("/")
        if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
            raise UsageError(f"--shard {shard}: expected the part and the number of parts, such as 3/16")
        part, parts = map(int, numbers)
        if not 1 <= part <= parts:
            raise UsageError(f"--shard {shard}: the part must be between 1 and {parts}")
    return RankRequest(timestamp, None if users in (None, "all") else Path(users), (part, parts))


def context(
    config: str | None,
    overrides: list[str] | None,
    workspace: Path | None,
    force: bool,
    start: Path | None = None,
    rank_request: "RankRequest | None" = None,
    gate: "GateRequest | None" = None,
    seeds: tuple[Path, ...] = (),
    dry_run: bool = False,
    on: str | None = None,
    **paths: Path | None,
) -> "RunContext":
    """Return the run context: effective settings, requests and the paths of input artifacts.

    Args:
        on: address of a scheduler, which takes the place of `runtime.cluster`.
    """
    from interestrec.config.loading import load_config
    from interestrec.stages.run import GateRequest, RankRequest, RunContext

    placed = [] if on is None else [f'runtime.cluster={{"address": {json.dumps(on)}}}']
    settings = load_config(config, [*(overrides or []), *placed], workspace)
    artifacts = {kind: path for kind, path in paths.items() if path is not None}
    return RunContext(
        settings, force, start, rank_request or RankRequest(), gate or GateRequest(), seeds, artifacts, dry_run
    )


class OpenedCorpus(NamedTuple):
    """A corpus that is opened for reading, and the conversion of ids and privacy limit that apply to it."""

    corpus: "CorpusArtifact"
    named: "Callable[[str], str]"  # maps a user id of the command line to that of the corpus
    min_users: int  # minimum number of users behind a figure that may be disclosed


@contextmanager
def open_corpus(
    config: str | None, overrides: list[str] | None, workspace: Path | None, corpus: Path | None
) -> "Iterator[OpenedCorpus]":
    """Open the corpus of the configuration, or `corpus`.

    A `corpus` without a configuration is read with the settings of its build, and ids are those of the corpus.
    """
    from interestrec.corpus.identities import user_id_mapper
    from interestrec.corpus.store import Corpus as CorpusArtifact
    from interestrec.io.encryption import key_in_force
    from interestrec.io.keys import read_key

    if corpus is not None and not (config or overrides or workspace):
        yield OpenedCorpus(CorpusArtifact.open(corpus), str, 1)
        return
    run_context = context(config, overrides, workspace, force=False, corpus=corpus)
    settings, artifact = run_context.settings, run_context.open("corpus")
    key = read_key(settings.preprocess.pseudonym_key, "preprocess.pseudonym_key")
    to_corpus_id = user_id_mapper(key, artifact.manifest["config"])
    opened = CorpusArtifact(artifact.path, settings.data.relevant_at)
    with key_in_force(settings.runtime.encryption_key):
        yield OpenedCorpus(opened, to_corpus_id, settings.evaluate.min_users)
