"""`check`: test in seconds whether `preprocess` would run, on the first rows of every file; writes no artifact."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from interestrec.config.settings import Settings
from interestrec.core.errors import CannotCreateError, DataError, InputMissingError, InterestrecError
from interestrec.corpus.grading import require_weights
from interestrec.corpus.split import SPLIT_METHODS
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.quality_log import QualityLog
from interestrec.rawfiles.raw_log import RawLog
from interestrec.stages.preprocess import open_log, read
from interestrec.text.tokenizer import tokenizer_digest
from interestrec.workspace.artifacts import open_artifact


@dataclass(frozen=True)
class CheckFinding:
    """The result of one check; `error` is set if it would stop a run."""

    subject: str
    sentence: str
    error: InterestrecError | None = None


def check(settings: Settings, rows: int) -> list[CheckFinding]:
    """Check the workspace, the encoder, and the first `rows` rows of every raw file."""
    log = open_log(settings, sample=rows)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("workspace", lambda: _workspace(settings.workspace)),
        ("encoder", lambda: _encoder(settings)),
        ("files", lambda: _files(settings)),
        ("rows", lambda: _rows(log, settings)),
        ("event types", lambda: _event_types(log, settings)),
        ("times", lambda: _times(log, settings)),
    ]
    reference_workspace = settings.preprocess.split.verified
    if reference_workspace is not None:
        checks.append(("verified run", lambda: _reference_run(reference_workspace)))
    return list(_findings(checks, log.quality))


def _findings(checks: list[tuple[str, Callable[[], str]]], quality: QualityLog) -> Iterator[CheckFinding]:
    """Run the checks; if files are missing or unreadable, checks of their content are skipped."""
    unreadable = False
    for subject, inspect_input in checks:
        if unreadable and subject in ("rows", "event types", "times"):
            continue
        try:
            with quality.withheld_values():
                sentence = inspect_input()
            yield CheckFinding(subject, sentence)
        except InterestrecError as error:
            unreadable |= subject in ("files", "rows")
            yield CheckFinding(subject, str(error), error)


def _workspace(workspace: Path) -> str:
    directory = workspace.absolute()
    while not directory.exists():
        directory = directory.parent
    if not os.access(directory, os.W_OK):
        raise CannotCreateError(f"{directory}: not writable; check `workspace`")
    return f"{workspace} can be written"


def _reference_run(workspace: Path) -> str:
    open_artifact(workspace / "model", "model")
    return f"{workspace} has a model"


def _encoder(settings: Settings) -> str:
    source = settings.encoder.source
    tokenizer_digest(source)
    if settings.pretrain_adapt.scratch:
        return f"{source} has a tokenizer; the encoder is trained from scratch"
    for name in ("config.json", "model.safetensors"):
        if not (source / name).is_file():
            raise InputMissingError(f"{source}: {name} is missing; fetch the encoder again (`interestrec fetch`)")
    return f"{source} has tokenizer, configuration and weights"


def _files(settings: Settings) -> str:
    paths = expand_patterns(settings.data.root, settings.data.names)
    return f"{len(paths)} found, {sum(path.stat().st_size for path in paths) / 1e6:,.1f} MB"


def _rows(log: RawLog, settings: Settings) -> str:
    read(log, settings)
    malformed = log.rows("bad_rows")
    counts = {name: log.rows(name) for name in ("items", "users", "events", "impressions")}
    if not counts["items"]:
        raise DataError("no item among the first rows; check the columns and filters of the items")
    found = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    doubts = "".join(f"; {doubt}" for doubt in log.quality.doubts)
    return f"{log.rows_read:,} rows read: {found}; {malformed} malformed{doubts}"


def _event_types(log: RawLog, settings: Settings) -> str:
    require_weights(log, settings.preprocess.intensity)
    found = log.sql("SELECT event, count(*) FROM events GROUP BY event ORDER BY 2 DESC, 1")
    if found and not log.quality.quotes:
        return f"{len(found)}"
    return ", ".join(f"{kind} ({count:,})" for kind, count in found) or "none: the log records what was shown"


def _times(log: RawLog, settings: Settings) -> str:
    table = "impressions" if log.rows("impressions") else "events"
    first, last, untimed = log.sql(f"SELECT min(time), max(time), count(*) - count(time) FROM {table}")[0]
    method = settings.preprocess.split.method
    if untimed and SPLIT_METHODS[method].needs_times:
        raise DataError(f"{untimed:,} rows have no time, but preprocess.split.method is {method}; use user_random")
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}" if first else "none"
