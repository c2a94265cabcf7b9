"""Messages to and from workers: JSON texts of settings, paths, digests and numbers, and never rows of data."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from interestrec.cluster.release_versions import release_versions
from interestrec.config.settings import Settings
from interestrec.core import errors
from interestrec.core.errors import InterestrecError
from interestrec.evaluation.requirements import parse_bound
from interestrec.stages.run import GateRequest, RankRequest, RunContext


class TaskMessage(NamedTuple):
    """What a worker needs to make a part."""

    task: str
    head: str  # JSON of what is equal for all parts of a task
    target: str  # directory of the part; empty where the task has another place for its output
    arguments: Mapping[str, Any]  # numbers and short texts that say which part


def task_head(context: RunContext) -> str:
    """Return the JSON of a context: settings, request, paths of inputs, working directory and versions."""
    runtime = context.settings.runtime.model_copy(update={"cluster": None, "threads": 1})
    settings = context.settings.model_copy(update={"runtime": runtime})
    request = context.rank_request
    return json.dumps(
        {
            "directory": str(Path.cwd()),  # paths of a configuration are relative to it
            "settings": settings.model_dump(mode="json"),
            "as_of": request.as_of,
            "users": None if request.users is None else str(request.users),
            "require": [bound.text for bound in context.gate.require],
            "seeds": [str(path) for path in context.seeds],
            "paths": {kind: str(path) for kind, path in context.paths.items()},
            "versions": dict(release_versions()),
        },
        sort_keys=True,
    )


def context_of(head: str) -> RunContext:
    """Return the context that a head describes."""
    values = json.loads(head)
    users = values["users"]
    return RunContext(
        Settings.model_validate(values["settings"]),
        rank_request=RankRequest(values["as_of"], None if users is None else Path(users)),
        gate=GateRequest(tuple(parse_bound(text) for text in values["require"])),
        seeds=tuple(Path(path) for path in values["seeds"]),
        paths={kind: Path(path) for kind, path in values["paths"].items()},
    )


def enter_directory(directory: str) -> None:
    """Make the working directory of the process that sent a task that of this worker.

    Raises:
        InputMissingError, AccessError: it is not on a file system of this machine.
    """
    try:
        os.chdir(directory)
    except OSError as error:
        raise errors.from_os_error(error, f"{directory} on a worker") from error


def error_message(error: InterestrecError) -> dict[str, str]:
    """Return the message of an error, without what stands in the raw data."""
    return {"error": type(error).__name__, "reason": str(error.without_value())}


def raise_error(message: Mapping[str, Any]) -> None:
    """Raise the error of a worker, if the message is of one.

    Raises:
        InterestrecError: the same error as on the worker.
        RuntimeError: a fault of the program.
    """
    if (name := message.get("error")) is not None:
        raise getattr(errors, name)(message["reason"])
    if "fault" in message:
        raise RuntimeError(f"on a worker:\n{message['fault']}")
