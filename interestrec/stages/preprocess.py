"""`preprocess`: turn raw logs into a corpus."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.config.settings import Settings
from interestrec.core.errors import InputMissingError
from interestrec.corpus.build import build, report_rules
from interestrec.corpus.identities import PSEUDONYMS, forget, pseudonymise
from interestrec.corpus.text_cleaning import clean_texts, require_texts
from interestrec.encoding.item_features import input_digests, write_features
from interestrec.formats.readers import read_raw
from interestrec.io import artifact_files, files, schemas
from interestrec.io.keys import read_key
from interestrec.io.pseudonyms import fingerprint
from interestrec.rawfiles.database_faults import storage_errors
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.file_ranges import RANGE_BYTES, FileRange, ParsedRange, file_ranges, parsed_range, range_key
from interestrec.rawfiles.parse_range import write_range
from interestrec.rawfiles.raw_log import DivideFiles, RawLog
from interestrec.rawfiles.remote_files import remote_cache
from interestrec.rawfiles.text_layout import TextLayout
from interestrec.stages.placed_work import PARTS, placed_parts
from interestrec.stages.run import RunContext, StageResult, produce
from interestrec.workspace.artifacts import Recipe
from interestrec.workspace.forgotten import read_forgotten

_DATABASE_SHARE = 0.5  # of `runtime.memory`, the limit of a worker, for its database


def run(context: RunContext) -> StageResult:
    """Read, clean, split, grade and tokenize; the artifact is `corpus`.

    Raises:
        InputMissingError: a data file or the encoder's tokenizer is missing.
        DataError, ConfigError: the data does not fit the configuration; the message names file and row.
    """
    settings = context.settings
    root = settings.data.root
    inputs = input_digests(settings.encoders, settings.items, root)
    for path in expand_patterns(root, settings.data.names):
        inputs[str(path.relative_to(root) if path.is_relative_to(root) else path)] = files.sha256_of(path)
    key, forgotten = _pseudonym_key(settings), read_forgotten(settings.workspace)
    config = settings.lineage("data", "preprocess")
    config |= {PSEUDONYMS: fingerprint(key)} if key else {}
    inputs |= {"forgotten": forgotten.digest} if forgotten else {}
    recipe = Recipe("corpus", inputs, config, settings.seed)
    divide = None if context.placement is None else partial(_parsed_by_workers, context, recipe)
    return produce(context, recipe, lambda directory: build_corpus(directory, settings, divide=divide), _summarise)


def part_writer(context: RunContext) -> Callable[..., None]:
    """Return what parses a range of a raw file into a directory, on a worker."""
    settings = context.settings

    def write(directory: Path, path: str, names: str, layout: str, start: int, end: int) -> None:
        if not Path(path).is_file():
            raise InputMissingError(f"{path}: a worker does not see it; data.root must be on a shared file system")
        with storage_errors(directory):
            log = open_log(settings, memory=settings.runtime.memory * _DATABASE_SHARE)
            log.part = FileRange(start, end)
            write_range(log, directory, Path(path), json.loads(names), TextLayout.model_validate_json(layout))
        log.close()

    return write


def _parsed_by_workers(
    context: RunContext, recipe: Recipe, paths: Sequence[Path], names: Sequence[str], layout: TextLayout
) -> dict[str, list[ParsedRange]]:
    """Let workers parse the ranges of files; return them by file, without files that have to be parsed whole."""
    plain = TextLayout(**{name: getattr(layout, name) for name in TextLayout.model_fields})
    read_by = {"names": json.dumps(list(names)), "layout": plain.model_dump_json()}
    parts: dict[str, dict[str, str | int]] = {}
    for path in paths:
        if path.is_relative_to(remote_cache()):  # which is on this machine
            continue
        for part in file_ranges(path, layout, RANGE_BYTES):
            name = f"{range_key(path, names, layout)}-{part.start}"
            parts[name] = {"path": str(path), **read_by, **part._asdict()}
    made = placed_parts(context, "preprocess", context.work(recipe) / PARTS, parts) if parts else []
    parsed: dict[str, list[ParsedRange | None]] = {}
    for directory, arguments in zip(made, parts.values(), strict=True):
        part = FileRange(int(arguments["start"]), int(arguments["end"]))
        key = range_key(Path(str(arguments["path"])), names, layout)
        parsed.setdefault(key, []).append(parsed_range(directory, part.first_row))
    return {
        key: whole for key, found in parsed.items() if len(whole := [p for p in found if p is not None]) == len(found)
    }


@dataclass(frozen=True)
class EarlierLog:
    """What is known of a log that raw files came after."""

    value_maps: Mapping[str, Any]  # see `grading.grade`
    items: pa.Array  # string, ids of its items, which the new files need not describe
    may_be_empty: bool = False  # whether the new files need not have an event


def build_corpus(
    directory: Path, settings: Settings, earlier: EarlierLog | None = None, divide: DivideFiles | None = None
) -> None:
    """Write the files of a corpus.

    Args:
        earlier: the log that the raw files came after; its items have no texts in this corpus.
        divide: lets other processes parse ranges of the raw files; None = there are none.

    Raises:
        InputMissingError, DataError, ConfigError: see `run`.
    """
    data, preprocess = settings.data, settings.preprocess
    scratch = directory / "scratch"
    scratch.mkdir()
    with storage_errors(scratch):
        log = open_log(settings, scratch)
    log.divide = divide
    try:  # rules are reported even on failure, because their counts help to explain it
        with log.quality.withheld_values(), storage_errors(scratch):
            if earlier is not None:
                _insert_items(log, earlier.items)
            read(log, settings)
            known = () if earlier is None else (earlier.value_maps, earlier.may_be_empty)
            built = build(log, data, preprocess, settings.seed, directory, *known)
    finally:
        report_rules(log, "preprocess")
        log.close()
    shutil.rmtree(scratch)
    items = clean_texts(built.items, preprocess.boilerplate, log.quality)
    if settings.text_encoder is not None:
        require_texts(items, data.max_items_without_text)
    read_by_encoders = write_features(
        directory / artifact_files.FEATURES, items, settings.encoders, settings.items, data.root, log.quality
    )
    own = {name: items.schema.field(name).type for name in log.item_attributes}
    schema = schemas.with_attributes(schemas.ITEMS, own)
    files.write_parquet(directory / artifact_files.ITEMS, read_by_encoders.items, schema)
    missing = {f"items_without_{name}": items[name].null_count for name in ("category", "price", "published")}
    with_text = pc.sum(read_by_encoders.items["has_text"]).as_py() or 0
    counts = {
        **built.counts,
        "items_without_text": items.num_rows - with_text,
        "items_with_only_unknown_tokens": read_by_encoders.only_unknown,
        **missing,
        **({"items_without_attribute": {name: items[name].null_count for name in own}} if own else {}),
    }
    quality = {
        "rules": log.quality.rules,
        "warnings": log.quality.warnings,
        "counts": counts,
        "unknown_tokens": read_by_encoders.unknown_tokens,
        "value_maps": built.value_maps,
        **({"modalities": read_by_encoders.modalities} if read_by_encoders.modalities else {}),
    }
    files.write_json(directory / artifact_files.QUALITY, quality)


def _insert_items(log: RawLog, ids: pa.Array) -> None:
    """Insert items without texts before all rows of files, so that a later row of the same id is left out."""
    rows = pa.table({"item_id": ids, "ord": np.arange(-len(ids), 0)})
    log.insert("items", rows, "item_id, '', '', NULL, NULL, NULL, ord, NULL, NULL")


def open_log(
    settings: Settings, scratch: Path | None = None, sample: int | None = None, memory: float | None = None
) -> RawLog:
    """Return an empty log for the raw files of a configuration.

    The log never quotes raw values if ids are pseudonymised, artifacts are encrypted (quality counts are not), or users
    are forgotten.

    Args:
        scratch: directory for data that does not fit into memory; None = all data must fit.
        sample: number of rows to read from each file; None = all.
        memory: of the database in GiB; None = `runtime.memory`.
    """
    keys = (settings.preprocess.pseudonym_key, settings.runtime.encryption_key)
    return RawLog(
        settings.data.root,
        scratch,
        memory or settings.runtime.memory,
        settings.runtime.threads if sample is None else None,
        sample,
        quotes=all(key is None for key in keys) and read_forgotten(settings.workspace) is None,
        merge_items=settings.preprocess.near_duplicate_items == "merge",
    )


def read(log: RawLog, settings: Settings) -> None:
    """Fill a log from the raw files, without forgotten users; with a key, user ids are replaced by pseudonyms.

    Call this within `log.quality.withheld_values()`, because its errors may contain values of the raw files.

    Raises:
        InputMissingError, DataError, ConfigError: see the reader of the format.
        AccessError: the pseudonym key cannot be used.
    """
    key, forgotten = _pseudonym_key(settings), read_forgotten(settings.workspace)
    read_raw(log, settings.data)
    if forgotten is not None:
        forget(log, forgotten)
    if key is not None:
        pseudonymise(log, key)


def _pseudonym_key(settings: Settings) -> bytes | None:
    return read_key(settings.preprocess.pseudonym_key, "preprocess.pseudonym_key")


def _summarise(directory: Path) -> dict[str, Any]:
    quality = files.read_json(directory / artifact_files.QUALITY)
    counts = quality["counts"]
    return {
        "items": counts["items"],
        "users": counts["users"],
        "events": sum(counts["events"].values()),
        "impressions": sum(counts["impressions"].values()),
        "findings": [{"sentence": sentence, "better": False} for sentence in quality.get("warnings", [])],
    }
