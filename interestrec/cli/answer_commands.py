"""Answers from the decision: lists of people, similar items, interested users and scores of pairs."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from interestrec.cli.console import session, write
from interestrec.cli.options import Config, Json, Log, Overrides, Quiet, Workspace, context, path_option, rank_request
from interestrec.core.errors import DataError, UsageError, from_os_error

if TYPE_CHECKING:
    from io import BufferedReader

    from interestrec.answering.answer_service import AnswerService
    from interestrec.answering.answer_tables import Answer

_BYTES = 1 << 20  # of standard input that are read at once

Decision = Annotated[Path | None, path_option("--decision", "Decision to use instead of the workspace's")]
AskedUsers = Annotated[list[str] | None, typer.Option("--user", metavar="ID", help="User of the log; repeatable")]
AllUsers = Annotated[
    str | None, typer.Option("--users", metavar="all|FILE", help="All users, or those of a file with one ID per line")
]
_HISTORY_HELP = "Events ITEM[:KIND[=VALUE]][@TIME], separated by commas, or a file of them, or - for standard input"
History = Annotated[str | None, typer.Option("--history", metavar="EVENTS|FILE|-", help=_HISTORY_HELP)]
Like = Annotated[str | None, typer.Option("--like", metavar="ITEM", help="Items similar to this one")]
ForItem = Annotated[str | None, typer.Option("--for-item", metavar="ITEM", help="Users who would want this item")]
Pairs = Annotated[Path | None, typer.Option("--pairs", metavar="FILE", help="Score pairs of user_id and item_id")]
Requests = Annotated[
    str | None, typer.Option("--requests", metavar="FILE|-", help="Requests as JSON lines, - = standard input")
]
K = Annotated[int, typer.Option("-k", min=1, metavar="N", help="Items per list")]
_EXCLUDE_HELP = "Leave out items of one's events of this kind, and no others; repeatable [default: by rank.rules.seen]"
ExcludeKinds = Annotated[list[str] | None, typer.Option("--exclude-kinds", metavar="KIND", help=_EXCLUDE_HELP)]
_FILTER_HELP = "Condition on a column of items: COLUMN=VALUE, or !=, <, <=, >, >=; repeatable"
Filter = Annotated[list[str] | None, typer.Option("--filter", metavar="CONDITION", help=_FILTER_HELP)]
Format = Annotated[
    Literal["table", "csv", "jsonl", "parquet"] | None,
    typer.Option("--format", help="Format of the answer [default: table; jsonl with --requests]"),
]
Titles = Annotated[bool, typer.Option("--titles/--ids", help="Show titles, or ids alone")]
Why = Annotated[bool, typer.Option("--why", help="Give one reason per item")]
At = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="Time of the lists: ISO 8601 or now [default: after the last event]"),
]


def recommend(
    user: AskedUsers = None,
    users: AllUsers = None,
    history: History = None,
    like: Like = None,
    for_item: ForItem = None,
    pairs: Pairs = None,
    requests: Requests = None,
    k: K = 10,
    exclude_kinds: ExcludeKinds = None,
    condition: Filter = None,
    why: Why = False,
    titles: Titles = True,
    form: Format = None,
    as_of: At = None,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    decision: Decision = None,
    quiet: Quiet = False,
    log: Log = "text",
) -> None:
    """Answer from the decision: lists, similar items, interested users.

    Lists are those of `rank --as-of` for the same time. --history asks for a person who is not in the log, or with
    --user for that user with these events instead. Without a kind, an event counts as full interest.
    """
    with session("recommend", False, quiet, log):
        from interestrec import pipeline
        from interestrec.report.answer_text import interested_lines

        given = {"--history": history, "--like": like, "--for-item": for_item, "--pairs": pairs, "--requests": requests}
        asked = [name for name, value in given.items() if value is not None]
        people = [name for name, value in {"--user": user, "--users": users}.items() if value]
        _require_one_question(asked, people)
        run_context = context(
            config, overrides, workspace, False, rank_request=rank_request(as_of, None, None), decision=decision
        )
        if history is not None and len(user or []) > 1:
            raise UsageError("--history is of one person; give one --user, or none")
        kinds = None if exclude_kinds is None else tuple(exclude_kinds)
        _require_lists(why, asked)
        with pipeline.open_answers(run_context, k, kinds, tuple(condition or ()), why) as service:
            if requests is not None:
                _answer_lines(service, requests, titles, form)
                return
            if like is not None:
                answers = iter([service.similar(like)])
            elif for_item is not None:
                answers = iter([service.interested(for_item, _file_of_users(users))])
                if form in (None, "table"):
                    write("\n".join(interested_lines(service.recommender.log, next(answers), titles)))
                    return
            elif pairs is not None:
                answers = iter([service.pairs(pairs)])
            elif history is not None:
                answers = iter([service.list_of_history(_events(history), user[0] if user else None)])
            elif user:
                answers = iter([service.lists_of_users(user)])
            else:
                answers = service.lists_of_file(_file_of_users(users))
            _print(service, answers, form or "table", titles)


def update(
    events: Annotated[
        Path | None, typer.Option("--events", metavar="FILE|DIR", help="New events, in the configured format")
    ] = None,
    items: Annotated[
        Path | None, typer.Option("--items", metavar="FILE", help="New items [default: the configured file]")
    ] = None,
    feedback: Annotated[
        bool, typer.Option("--feedback", help="Read the events and items that `interestrec serve` received")
    ] = False,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
) -> None:
    """Let the decision follow new events without training.

    New users, items and events join the artifact `decision`; users of `interestrec forget` leave it. Events that it has
    are not added again, so a file may be delivered twice. What was learned by training stays until the next run.
    """
    with session("update", as_json, quiet, log) as output:
        from interestrec import pipeline

        if feedback and (events or items):
            raise UsageError("--feedback excludes --events and --items; run one update after the other")
        run_context = context(config, overrides, workspace, force=False)
        result = pipeline.update_decision(run_context, events, items, feedback)
        figures = "  ".join(f"{name} {count:,}" for name, count in result.summary.items())
        values = {"artifact": str(result.artifact.path), "digest": result.artifact.digest, "built": result.built}
        output.show(
            {**values, "summary": result.summary}, f"update: {'built' if result.built else 'nothing new'}  {figures}"
        )


def _require_lists(why: bool, asked: list[str]) -> None:
    """Raise a UsageError if reasons are wanted of an answer that is no list of a person."""
    if why and (others := [name for name in asked if name in ("--like", "--for-item", "--pairs")]):
        raise UsageError(f"--why gives reasons for the lists of people, not for {others[0]}; see `interestrec explain`")


def _require_one_question(asked: list[str], people: list[str]) -> None:
    """Raise a UsageError unless the options make exactly one question."""
    if len(asked) + len(people) == 0:
        raise UsageError("ask for someone: --user ID, --users all|FILE, --history EVENTS, or see --help")
    allowed = {("--history", "--user"), ("--for-item", "--users")}
    if len(asked) + len(people) > 1 and (len(asked) != 1 or len(people) != 1 or (asked[0], people[0]) not in allowed):
        raise UsageError(f"{' and '.join([*asked, *people])} exclude each other; ask one question at a time")


def _file_of_users(users: str | None) -> Path | None:
    """Return the file of `--users`, None = all."""
    return None if users in (None, "all") else Path(str(users))


def _events(history: str) -> list[str]:
    """Return the events of `--history`: of standard input, a file, or the text itself."""
    from interestrec.io.files import read_lines

    if history == "-":
        return sys.stdin.read().splitlines()
    return read_lines(Path(history)) if _is_file(history) else history.split(",")


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # too long for a path
        return False


def _print(service: "AnswerService", answers: "Iterator[Answer]", form: str, titles: bool) -> None:
    from interestrec.answering import answer_tables
    from interestrec.report.answer_text import answer_lines

    items = service.recommender.log
    if form == "table":
        width = max(shutil.get_terminal_size().columns, 60) if sys.stdout.isatty() else 80
        for answer in answers:
            write("\n".join(answer_lines(items, answer, titles, width)))
    elif form == "jsonl":
        for answer in answers:
            write("\n".join(map(answer_tables.json_line, answer_tables.answer_documents(items, answer, titles))))
    else:
        import pyarrow as pa

        table = pa.concat_tables([answer_tables.answer_table(items, answer, titles) for answer in answers])
        answer_tables.TABLE_FORMATS[form](table, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _answer_lines(service: "AnswerService", requests: str, titles: bool, form: str | None) -> None:
    """Answer JSON lines as they arrive.

    Raises:
        DataError: some could not be answered; their answers say why.
    """
    if form not in (None, "jsonl"):
        raise UsageError(f"--requests answers in JSON lines, so --format {form} does not fit")
    failed = total = 0
    with ExitStack() as stack:
        source = cast("BufferedReader", sys.stdin.buffer)
        if requests != "-":
            source = stack.enter_context(_opened(Path(requests)))
        for document, answered in service.request_lines(iter(lambda: source.read1(_BYTES), b""), titles):
            write(document)
            total, failed = total + 1, failed + (not answered)
    if failed:
        raise DataError(f"{failed:,} of {total:,} requests could not be answered; their answers have an `error`")


def _opened(path: Path) -> "BufferedReader":
    try:
        return path.open("rb")
    except OSError as error:
        raise from_os_error(error, path) from error
