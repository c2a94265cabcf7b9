"""`check`: would `preprocess` run? The configuration and the first rows of every file, in seconds, no artifact."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from interestrec.config.settings import Settings
from interestrec.core.errors import CannotCreateError, DataError, InputMissingError, InterestrecError
from interestrec.corpus.grading import require_weights
from interestrec.corpus.split import SPLIT_METHODS
from interestrec.formats.file_patterns import expand_patterns
from interestrec.formats.quality_log import QualityLog
from interestrec.formats.raw_log import RawLog
from interestrec.stages.preprocess import open_log, read
from interestrec.text.tokenizer import tokenizer_digest
from interestrec.workspace.artifacts import open_artifact


@dataclass(frozen=True)
class CheckFinding:
    """One thing looked at: what it was, and what was found, an error where it would stop a run."""

    about: str
    told: str
    error: InterestrecError | None = None


def check(settings: Settings, rows: int) -> list[CheckFinding]:
    """Look at the workspace, the encoder, and the first `rows` of every raw file."""
    log = open_log(settings, sample=rows)
    looks: list[tuple[str, Callable[[], str]]] = [
        ("workspace", lambda: _workspace(settings.workspace)),
        ("encoder", lambda: _encoder(settings)),
        ("files", lambda: _files(settings)),
        ("rows", lambda: _rows(log, settings)),
        ("event types", lambda: _event_types(log, settings)),
        ("times", lambda: _times(log, settings)),
    ]
    verified = settings.preprocess.split.verified
    if verified is not None:
        looks.append(("verified run", lambda: _verified(verified)))
    return list(_findings(looks, log.quality))


def _findings(looks: list[tuple[str, Callable[[], str]]], quality: QualityLog) -> Iterator[CheckFinding]:
    """What each look tells; where files are missing or unreadable, the looks into them say nothing more."""
    unreadable = False
    for about, look in looks:
        if unreadable and about in ("rows", "event types", "times"):
            continue
        try:
            with quality.withheld_values():
                found = look()
            yield CheckFinding(about, found)
        except InterestrecError as error:
            unreadable |= about in ("files", "rows")
            yield CheckFinding(about, str(error), error)


def _workspace(workspace: Path) -> str:
    place = workspace.absolute()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        raise CannotCreateError(f"{place}: not writable; check `workspace`")
    return f"{workspace} can be written"


def _verified(workspace: Path) -> str:
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
    bad = log.rows("bad_rows")
    kinds = {name: log.rows(name) for name in ("items", "users", "events", "impressions")}
    if not kinds["items"]:
        raise DataError("no item among the first rows; check the columns and filters of the items")
    found = ", ".join(f"{count:,} {name}" for name, count in kinds.items() if count)
    return f"{log.rows_read:,} rows read: {found}; {bad} malformed"


def _event_types(log: RawLog, settings: Settings) -> str:
    require_weights(log, settings.preprocess.intensity)
    found = log.sql("SELECT event, count(*) FROM events GROUP BY event ORDER BY 2 DESC, 1")
    if found and not log.quality.quotes:
        return f"{len(found)}"
    return ", ".join(f"{kind} ({count:,})" for kind, count in found) or "none: the log records what was shown"


def _times(log: RawLog, settings: Settings) -> str:
    table = "impressions" if log.rows("impressions") else "events"
    first, last, without = log.sql(f"SELECT min(time), max(time), count(*) - count(time) FROM {table}")[0]
    method = settings.preprocess.split.method
    if without and SPLIT_METHODS[method].needs_times:
        raise DataError(f"{without:,} rows have no time, but preprocess.split.method is {method}; use user_random")
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}" if first else "none"
