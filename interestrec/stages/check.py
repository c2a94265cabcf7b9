"""`check`: test in seconds whether `preprocess` would run, on the first rows of every file; writes nothing."""

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from interestrec.columns.time_spans import time_span
from interestrec.config.settings import Settings
from interestrec.core.errors import (
    AbsentNameError,
    CannotCreateError,
    InputMissingError,
    InterestrecError,
    TooFewRowsError,
)
from interestrec.corpus.build import prepare
from interestrec.corpus.numbering import item_table
from interestrec.corpus.text_cleaning import clean_texts, require_texts, tokenize_items
from interestrec.io import schemas
from interestrec.io.encoder_files import REQUIRED_FILES, require_files
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.quality_log import QualityLog
from interestrec.rawfiles.raw_log import RawLog
from interestrec.stages.preprocess import open_log, read
from interestrec.text.tokenizer import load_tokenizer, tokenizer_digest
from interestrec.workspace.artifacts import open_artifact

_BY_ROWS = (TooFewRowsError, AbsentNameError)  # errors that further rows may change
_MORE = 100  # times as many rows are read where the first ones leave nothing to work with


@dataclass(frozen=True)
class CheckFinding:
    """The result of one check: an error would stop a run, a warning would not."""

    subject: str
    sentence: str
    error: InterestrecError | None = None
    is_warning: bool = False


def check(settings: Settings, rows: int) -> list[CheckFinding]:
    """Check the workspace, the encoder, and what `preprocess` makes of the first `rows` rows of every raw file.

    Where these rows leave nothing to work with, and some file has more of them, it is tried again with a hundred times
    as many. Only if these are all rows of the files, the finding is an error: further rows may change it.
    """
    findings = list(
        _findings(
            [
                ("workspace", lambda: _workspace(settings.workspace)),
                ("encoder", lambda: _encoder(settings)),
                ("files", lambda: _files(settings)),
            ]
        )
    )
    verified = settings.preprocess.split.verified
    if verified is not None:
        findings += _findings([("verified run", lambda: _reference_run(verified))])
    if any(finding.subject == "files" and finding.error for finding in findings):
        return findings
    found, is_cut = _content(settings, rows)
    if is_cut and any(isinstance(finding.error, _BY_ROWS) for finding in found):
        rows *= _MORE
        found, is_cut = _content(settings, rows)
    return findings + [_doubtful(finding, rows) if is_cut else finding for finding in found]


def _content(settings: Settings, rows: int) -> tuple[list[CheckFinding], bool]:
    """Check the content of the first rows of every file; return also whether a file has more rows."""
    log = open_log(settings, sample=rows)
    try:
        findings = list(
            _findings(
                [
                    ("rows", lambda: _rows(log, settings)),
                    ("event types", lambda: _event_types(log)),
                    ("times", lambda: _times(log)),
                    ("corpus", lambda: _corpus(log, settings)),
                ],
                log.quality,
            )
        )
        warnings = [CheckFinding("warning", sentence, is_warning=True) for sentence in log.quality.warnings]
        return findings + warnings, log.is_cut
    finally:
        log.close()


def _findings(checks: list[tuple[str, Callable[[], str]]], quality: QualityLog | None = None) -> Iterator[CheckFinding]:
    """Run the checks; where the rows cannot be read, checks of their content are skipped."""
    for subject, inspect_input in checks:
        try:
            with quality.withheld_values() if quality else nullcontext():
                sentence = inspect_input()
            yield CheckFinding(subject, sentence)
        except InterestrecError as error:
            yield CheckFinding(subject, str(error), error)
            if subject == "rows":
                return


def _doubtful(finding: CheckFinding, rows: int) -> CheckFinding:
    """Return an error that further rows may change as a warning."""
    if not isinstance(finding.error, _BY_ROWS):
        return finding
    return CheckFinding(finding.subject, f"in the first {rows:,} rows of each file, {finding.sentence}", None, True)


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
    found = []
    for name, entry in settings.encoders.items():
        source = entry.source
        if entry.kind == "vectors":
            if not source.is_file():
                raise InputMissingError(f"{source}: no file of vectors here; correct encoders.{name}.source")
            found.append(f"{source} is there")
            continue
        if entry.kind == "text":
            tokenizer_digest(source)
            if settings.pretrain_adapt.scratch and name == settings.text_encoder:
                found.append(f"{source} has a tokenizer; the encoder is trained from scratch")
                continue
        require_files(source, REQUIRED_FILES[entry.kind])
        found.append(f"{source} has {'tokenizer, ' if entry.kind == 'text' else ''}configuration and weights")
    return "; ".join(found)


def _files(settings: Settings) -> str:
    paths = expand_patterns(settings.data.root, settings.data.names)
    return f"{len(paths)} found, {sum(path.stat().st_size for path in paths) / 1e6:,.1f} MB"


def _rows(log: RawLog, settings: Settings) -> str:
    read(log, settings)
    malformed = log.rows("bad_rows")
    counts = {name: log.rows(name) for name in ("items", "users", "events", "impressions")}
    found = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "none kept"
    return f"{log.rows_read:,} rows read: {found}; {malformed} malformed"


def _event_types(log: RawLog) -> str:
    found = log.sql("SELECT event, count(*) FROM events GROUP BY event ORDER BY 2 DESC, 1")
    if found and not log.quality.quotes:
        return f"{len(found)}"
    return ", ".join(f"{kind} ({count:,})" for kind, count in found) or "none: the log records what was shown"


def _times(log: RawLog) -> str:
    span = time_span(log, "impressions" if log.rows("impressions") else "events")
    for sentence in span.warnings:
        log.quality.warn(sentence)
    return span.sentence + (f"; {span.untimed:,} rows without a time" if span.untimed and span.timed else "")


def _corpus(log: RawLog, settings: Settings) -> str:
    """Make all of the corpus but its files; its errors are those of `preprocess`."""
    prepare(log, settings.data, settings.preprocess, settings.seed)
    items = clean_texts(item_table(log), settings.preprocess.boilerplate, log.quality)
    require_texts(items, settings.data.max_items_without_text)
    for name, entry in settings.text_encoders.items():
        tokenize_items(items, name, load_tokenizer(entry.source), log.quality)
    events = dict(log.sql("SELECT CAST(split AS VARCHAR), count(*) FROM events GROUP BY split"))
    by_split = ", ".join(f"{name} {events.get(name, 0):,}" for name in schemas.SPLITS)
    return f"{items.num_rows:,} items, {log.rows('user_numbers'):,} users; events by split: {by_split}"
