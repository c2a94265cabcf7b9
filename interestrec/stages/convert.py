"""`convert`: write the events of a log, or of a corpus with its split, as files that other tools read."""

import shutil
from pathlib import Path
from typing import Any

from interestrec.config.settings import Settings
from interestrec.conversion.parquet_tables import write_impressions
from interestrec.conversion.portable_log import count_unknown_items, settle_corpus, settle_log
from interestrec.conversion.target_layout import Destination
from interestrec.conversion.target_layouts import TARGET_LAYOUTS
from interestrec.core.choices import pick
from interestrec.core.errors import ConfigError, DataError
from interestrec.corpus.build import report_rules
from interestrec.corpus.store import Corpus
from interestrec.io import files
from interestrec.io.output_directory import output_directory
from interestrec.rawfiles.database_faults import storage_errors
from interestrec.rawfiles.raw_log import RawLog
from interestrec.stages.preprocess import open_log, read
from interestrec.stages.run import RunContext

RECORD = "conversion.json"  # what was written, and what was left out or lost
_NOT_CLICKED = "items that were shown and not clicked are in impressions.parquet only"
_ITEM_ATTRIBUTES = "further columns of items (`data.items.attributes`) are not written"
_HISTORIES = "histories that the log has beside its impressions are not written"


def run(context: RunContext, to: Path, target: str, by_split: bool) -> dict[str, Any]:
    """Write the files and return a summary; the directory appears complete or not at all.

    Args:
        to: directory to create; its name is the name of the data set.
        target: a key of TARGET_LAYOUTS.
        by_split: write the events of the current corpus (cleaned, with intensity and split) instead of the raw log.

    Raises:
        ConfigError: the layout does not exist, or its files cannot be encrypted as the configuration asks.
        CannotCreateError: the directory exists; with `context.force` only one that a conversion wrote is replaced.
        InputMissingError, DataError: as `preprocess` for a raw log; there is no corpus; no event is left.
    """
    layout = pick(TARGET_LAYOUTS, target, "layout")
    settings = context.settings
    if layout.is_text and settings.runtime.encryption_key is not None:
        raise ConfigError(
            f"runtime.encryption_key is set, and the text files of --as {target} cannot be encrypted; "
            "use --as parquet, or remove the key by --set runtime.encryption_key=null"
        )
    to = to.absolute()
    with output_directory(to, RECORD, "convert", "--to", context.force) as partial:
        summary = _write(context, Destination(partial, to.name, by_split), target)
    return {"directory": str(to), **summary}


def _write(context: RunContext, destination: Destination, target: str) -> dict[str, Any]:
    scratch = destination.directory / "scratch"
    scratch.mkdir()
    with storage_errors(scratch):
        log = open_log(context.settings, scratch)
    try:  # rules are reported even on failure, because their counts help to explain it
        with log.quality.withheld_values(), storage_errors(scratch):
            if destination.by_split:
                _read_corpus(log, context)
            else:
                read(log, context.settings)
                settle_log(log)
            events = log.rows("portable_events")
            if not events:
                raise DataError("no event is left to write; check the files, filters and ids (see the counts above)")
            users = log.number("SELECT count(DISTINCT user_id) FROM portable_events")
            unknown = count_unknown_items(log)
            counts = {"events": events, "items": log.rows("portable_items"), "users": users}
            counts |= {"impressions": log.rows("impressions"), "events_of_unknown_items": unknown}
            TARGET_LAYOUTS[target].write(log, destination)
            if counts["impressions"]:
                write_impressions(log, destination)
                destination.losses.append(_NOT_CLICKED)
            if log.item_attributes:
                destination.losses.append(_ITEM_ATTRIBUTES)
            if log.rows("segments"):
                destination.losses.append(_HISTORIES)
    finally:
        report_rules(log, "convert")
        log.close()
    shutil.rmtree(scratch)
    names = sorted(path.name for path in destination.directory.iterdir())
    record = {"layout": target, "counts": counts, "rules": log.quality.rules, "lost": destination.losses}
    files.write_json(destination.directory / RECORD, record)
    return {"layout": target, "files": names, "counts": counts, "lost": destination.losses}


def _read_corpus(log: RawLog, context: RunContext) -> None:
    settings: Settings = context.settings
    settle_corpus(log, Corpus(context.open("corpus").path, settings.data.relevant_at))
