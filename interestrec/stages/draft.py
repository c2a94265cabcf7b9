"""`init --from`: look at raw files and write the configuration that they suggest, with its guesses as comments."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from interestrec.config.loading import load_settings
from interestrec.config.templates import template_text
from interestrec.core.errors import CannotCreateError, ConfigError, DataError, InterestrecError
from interestrec.core.progress import log as logger
from interestrec.inspection.draft_parts import ConfigurationDraft, DraftPlace, DraftQuestion
from interestrec.inspection.log_draft import draft_configuration
from interestrec.inspection.published_files import published_format
from interestrec.inspection.raw_file_list import group_files
from interestrec.inspection.sampled_table import SAMPLE_ROWS, SampledTable, sample_table
from interestrec.io import commit, files
from interestrec.rawfiles.raw_log import RawLog

_ENCODER = Path("data/encoders/minilm-l6")
_MAX_TABLES = 40
_MAX_ROUNDS = 12  # of questions

Ask = Callable[[DraftQuestion], str | None]


@dataclass(frozen=True)
class DraftResult:
    """The file that was written, sentences on what was found, and what is still open."""

    file: Path
    findings: list[str]
    questions: list[DraftQuestion]


def draft(named: Sequence[Path], to: Path, force: bool, ask: Ask | None) -> DraftResult:
    """Look at files and write a configuration.

    Args:
        named: files and directories.
        to: the configuration to write.
        force: whether to replace it.
        ask: puts a question to a person and returns the answer, None for "I do not know"; None = nobody can be asked,
            and questions stand in the configuration as comments.

    Raises:
        CannotCreateError: the configuration exists, and `force` is not set.
        InputMissingError: a file does not exist.
        DataError: no file can be read, or none has events.
    """
    if to.exists() and not force:
        raise CannotCreateError(f"{to}: the file exists already; choose another by --to, or replace it by --force")
    root, groups, ignored = group_files(named)
    place = DraftPlace(_as_named(root), Path("workspace") / _slug(root, to), _ENCODER, _ENCODER.is_dir())
    known = published_format(root, [path for group in groups for path in group.paths])
    if known is not None:
        return _write_known(known, place, to)
    log = RawLog(root, sample=SAMPLE_ROWS)
    log.is_cut = True  # the log is only looked at: what its rows leave open is a doubt and no error
    unreadable: list[str] = []
    try:
        tables: list[SampledTable] = []
        for group in groups[:_MAX_TABLES]:
            try:
                tables.append(sample_table(log, group))
            except InterestrecError as error:
                unreadable.append(f"Not read: {error}.")
        if not tables:
            raise DataError("; ".join(unreadable) or f"{root}: no table could be read")
        found = _settled(log, tables, place, ask)
    finally:
        log.close()
    found.findings += unreadable
    found.findings += [f"Left out: {len(ignored)} files that seem to hold no table."] if ignored else []
    head = [
        f"Written by `interestrec init --from {' '.join(map(str, named))}`. Every guess says how sure it is:",
        *_HEAD,
    ]
    with commit.staged_file(to) as partial:
        files.write_text(partial, found.text(head))
        _require_valid(partial, to)
    return DraftResult(to, found.findings, found.questions)


def _write_known(name: str, place: DraftPlace, to: Path) -> DraftResult:
    """Write the template of a format whose published files are all there, with their directory."""
    lines = template_text(name).splitlines()
    for key, value in {"workspace:": place.workspace, "  root:": place.root}.items():
        number = next(n for n, line in enumerate(lines) if line.startswith(f"{key} "))
        lines[number] = f"{key} {json.dumps(str(value))}"
    text = "\n".join(lines) + "\n"
    with commit.staged_file(to) as partial:
        files.write_text(partial, text)
        _require_valid(partial, to)
    return DraftResult(to, [f"The files have the published names of data.format {name}, which reads them (sure)."], [])


_HEAD = (
    "sure, likely, or a guess. Please correct it, then: interestrec check, interestrec run.",
    "All keys: docs/configuration.md.",
)


def _as_named(root: Path) -> Path:
    """Return the directory relative to the working directory where it lies in it."""
    absolute, here = root.absolute(), Path.cwd()
    return absolute.relative_to(here) if absolute.is_relative_to(here) else absolute


def _slug(root: Path, to: Path) -> str:
    name = root.absolute().name if to.stem == "interestrec" else to.stem
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name.lower()).strip("-") or "log"


def _settled(log: RawLog, tables: Sequence[SampledTable], place: DraftPlace, ask: Ask | None) -> ConfigurationDraft:
    """Draft, ask what is open, and draft again with the answers until nothing new is open."""
    answers: dict[str, str] = {}
    asked: set[str] = set()
    for _ in range(_MAX_ROUNDS):
        found = draft_configuration(log, tables, place, answers)
        question = next((question for question in found.questions if question.key not in asked), None)
        if ask is None or question is None:
            break
        asked.add(question.key)
        answer = ask(question)
        if answer is not None:
            answers[question.key] = answer
    return found


def _require_valid(written: Path, to: Path) -> None:
    """Check the configuration before it gets its name; one that is not valid is a fault of this program."""
    try:
        load_settings(written)
    except ConfigError as error:
        logger.debug("draft: %s", written.read_text(encoding="utf-8"))
        raise RuntimeError(f"{to}: the drafted configuration is not valid: {error}") from error
