"""What a worker does: make one part of a stage, as a message says, and answer with its path and digest."""

import json
import logging
import os
import traceback
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from interestrec.cluster.release_versions import release_versions, version_differences
from interestrec.cluster.task_messages import TaskMessage, context_of, enter_directory, error_message
from interestrec.core.choices import pick
from interestrec.core.errors import InterestrecError, WorkerVersionError
from interestrec.core.logs import log_stage
from interestrec.io import encryption
from interestrec.workspace.work_parts import part_digest, staged_part

PartWriter = Callable[..., None]

# Modules by task. Each has `part_writer(context)`, which opens what all parts need and returns the function that writes
# one of them.
TASKS = {
    "encode": "interestrec.stages.encode",
    "evaluate": "interestrec.stages.evaluate",
    "fit_decision": "interestrec.stages.fit_decision",
    "preprocess": "interestrec.stages.preprocess",
    "rank": "interestrec.stages.rank",
}

# TensorFlow reads them when a task first needs it; its threads can then no longer be set.
_ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


def perform(text: str) -> str:
    """Make the part that a JSON text asks for; return its path and digest, or the error, as a JSON text."""
    os.umask(0o077)  # parts contain personal data, so only the owner may read them
    os.environ.update(_ONE_THREAD)
    message = TaskMessage(*json.loads(text))
    try:
        answer = _made(message)
    except InterestrecError as error:
        answer = error_message(error)
    except Exception as error:
        # Its message may quote raw data, so it stays in the log of the worker.
        logging.getLogger("interestrec").exception("task %s failed", message.task)
        frames = "".join(traceback.format_tb(error.__traceback__))
        answer = {"fault": f"{frames}{type(error).__name__}; the log of the worker has its message"}
    return json.dumps(answer)


def versions_here() -> str:
    """Return the versions of a worker as a JSON text."""
    return json.dumps(dict(release_versions()))


def release_memory() -> None:
    """Forget what the tasks of a run have opened."""
    _opened.cache_clear()


def _made(message: TaskMessage) -> dict[str, Any]:
    values = json.loads(message.head)
    if differences := version_differences(values["versions"], release_versions()):
        raise WorkerVersionError(f"a worker has {differences}; install the same release on all of them")
    enter_directory(values["directory"])
    source = values["settings"]["runtime"]["encryption_key"]
    with log_stage(message.task), encryption.key_in_force(source):
        write = _opened(message.task, message.head)
        if not message.target:
            write(**message.arguments)
            return {}
        target = Path(message.target)
        if (digest := part_digest(target)) is None:  # else a worker made it and was lost before it could say so
            with staged_part(target) as directory:
                write(directory, **message.arguments)
            digest = part_digest(target)
    return {"path": message.target, "digest": digest}


@lru_cache(maxsize=1)
def _opened(task: str, head: str) -> PartWriter:
    """Return what writes parts; it is kept for the next part, because opening verifies every file of the inputs."""
    module = import_module(pick(TASKS, task, "task"))
    writer: PartWriter = module.part_writer(context_of(head))
    return writer


def encoded(task: str, head: str, target: Path | None, arguments: Mapping[str, Any]) -> str:
    """Return the JSON text for `perform`."""
    return json.dumps(TaskMessage(task, head, "" if target is None else str(target), dict(arguments)))
