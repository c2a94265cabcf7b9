"""`preprocess`: raw logs become a corpus."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.config.settings import Settings
from interestrec.core.choices import pick
from interestrec.core.errors import DataError, InterestrecError, StorageError
from interestrec.corpus.build import CorpusPlan, build, report_rules
from interestrec.corpus.cleaning import RobotRule
from interestrec.corpus.grading import Grading
from interestrec.corpus.identities import PSEUDONYMS, forget, pseudonymise
from interestrec.corpus.preprocess_settings import PreprocessSettings
from interestrec.corpus.preprocess_settings import ValueMapSettings as ValueMapSettings
from interestrec.corpus.value_maps import ValueMap
from interestrec.formats.data_settings import DataSettings
from interestrec.formats.file_patterns import expand_patterns
from interestrec.formats.raw_log import EXAMPLES, RawLog
from interestrec.formats.readers import READERS
from interestrec.io import artifact_files, files, schemas
from interestrec.io.keys import read_key
from interestrec.io.pseudonyms import fingerprint
from interestrec.stages.run import RunContext, StageResult, produce
from interestrec.text.boilerplate import remove_sentences, shared_sentences
from interestrec.text.normalise import normalise
from interestrec.text.tokenizer import load_tokenizer, tokenizer_digest
from interestrec.workspace.artifacts import Recipe
from interestrec.workspace.forgotten import read_forgotten

# What the database says of our statements or the machine, not of the files.
_OWN_FAULTS = (duckdb.ParserException, duckdb.CatalogException, duckdb.InternalError, duckdb.OutOfMemoryException)
_DISK_FAULTS = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)]
_SHARED = {"format", *DataSettings.model_fields}


def run(context: RunContext) -> StageResult:
    """Read, clean, split, grade and tokenize; the artifact is `corpus`.

    Raises:
        InputMissingError: a data file or the encoder's tokenizer is missing.
        DataError, ConfigError: what the data does not fit, with file and row.
    """
    settings = context.settings
    root = settings.data.root
    inputs = {"tokenizer": tokenizer_digest(settings.encoder.source)}
    for path in expand_patterns(root, settings.data.names):
        inputs[str(path.relative_to(root) if path.is_relative_to(root) else path)] = files.sha256_of(path)
    key, forgotten = _pseudonym_key(settings), read_forgotten(settings.workspace)
    config = settings.lineage("data", "preprocess")
    config |= {PSEUDONYMS: fingerprint(key)} if key else {}
    inputs |= {"forgotten": forgotten.digest} if forgotten else {}
    recipe = Recipe("corpus", inputs, config, settings.seed)
    return produce(context, recipe, lambda directory: _build(directory, settings), _summarise)


def _build(directory: Path, settings: Settings) -> None:
    data = settings.data
    scratch = directory / "scratch"
    scratch.mkdir()
    log = RawLog(data.root, scratch, settings.runtime.memory, settings.runtime.threads, quotes=not discreet(settings))
    with _storage_told(scratch):
        read(log, settings)
        try:
            with _unquoted(discreet(settings)):
                built = build(log, plan(data, settings.preprocess, settings.seed), directory)
        finally:  # the counts explain what was wrong, too
            report_rules(log)
            log.close()
    shutil.rmtree(scratch)
    items = _normalised(built.items)
    if settings.preprocess.boilerplate is not None:
        items = _without_boilerplate(items, settings.preprocess.boilerplate, log)
    has_text = pc.or_(pc.not_equal(items["title"], ""), pc.not_equal(items["text"], ""))
    items = items.append_column("has_text", has_text)
    lacking = {name: items.num_rows - _count(items[name]) for name in ("category", "price", "published")}
    without = items.num_rows - (pc.sum(items["has_text"]).as_py() or 0)
    if without > data.max_items_without_text * items.num_rows:
        raise DataError(
            f"{without} of {items.num_rows} items have no text, more than data.max_items_without_text "
            f"({data.max_items_without_text:g}) allows; check the text columns or raise the limit"
        )
    files.write_parquet(directory / artifact_files.ITEMS, items, schemas.ITEMS)
    _write_tokens(directory / artifact_files.FEATURES, items, settings.encoder.source)
    counts = {**built.counts, "items_without_text": without, **{f"items_without_{k}": n for k, n in lacking.items()}}
    quality = {"rules": log.quality.rules, "counts": counts, "value_maps": built.value_maps}
    files.write_json(directory / artifact_files.QUALITY, quality)


@contextmanager
def _storage_told(scratch: Path) -> Iterator[None]:
    """Tell a disk that is full or fails, where the database spills, from other faults of the database."""
    try:
        yield
    except duckdb.Error as error:
        if not _of_storage(error):
            raise
        reason = str(error).strip().splitlines()[0]
        what = "free space there, or raise runtime.memory so that less is spilled"
        raise StorageError(f"{scratch}: the database cannot go on ({reason}); {what}") from error


def _of_storage(error: duckdb.Error) -> bool:
    """Whether the disk is at fault, or memory, which is when nothing more can be spilled to disk."""
    return isinstance(error, duckdb.OutOfMemoryException) or any(fault in str(error) for fault in _DISK_FAULTS)


def read(log: RawLog, settings: Settings) -> None:
    """Fill a log from the raw files, without users to be forgotten; under a key, users are pseudonyms from here on.

    Raises:
        InputMissingError, DataError, ConfigError: as the reader of the format says.
        AccessError: the key of pseudonyms cannot be used.
    """
    key, forgotten = _pseudonym_key(settings), read_forgotten(settings.workspace)
    with _unquoted(discreet(settings)):
        _read(log, settings)
        if forgotten is not None:
            forget(log, forgotten)
        if key is not None:
            pseudonymise(log, key)


def discreet(settings: Settings) -> bool:
    """Whether neither messages nor counts may quote what stands in the raw files: where ids are secret, artifacts are
    encrypted (counts are not), or users are forgotten."""
    keys = (settings.preprocess.pseudonym_key, settings.runtime.encryption_key)
    return any(key is not None for key in (*keys, read_forgotten(settings.workspace)))


def _pseudonym_key(settings: Settings) -> bytes | None:
    return read_key(settings.preprocess.pseudonym_key, "preprocess.pseudonym_key")


@contextmanager
def _unquoted(secret: bool) -> Iterator[None]:
    """Errors without what they quote of the raw files, where that is not to be told; a fault keeps its traceback."""
    try:
        yield
    except DataError as error:
        if not secret:
            raise
        raise DataError(error.unquoted) from None
    except InterestrecError:
        raise
    except Exception as error:
        if not secret:
            raise
        fault = RuntimeError(f"{type(error).__name__}; what it says may quote raw data and is left out")
        raise fault.with_traceback(error.__traceback__) from None


def _read(log: RawLog, settings: Settings) -> None:
    data = settings.data
    options = {name: value for name, value in data.model_dump().items() if name not in _SHARED}
    merge_items = settings.preprocess.near_duplicate_items == "merge"
    reader = pick(READERS, data.format, "format")
    try:
        reader(log, root=data.root, max_bad_rows=data.max_bad_rows, merge_items=merge_items, **options)
    except duckdb.Error as error:
        # Parquet is read while it is used, so that a damaged page or a type that does not fit shows only then.
        if isinstance(error, _OWN_FAULTS) or _of_storage(error):
            raise
        reason = str(error).strip().splitlines()[0]
        message = f"{log.latest()}: cannot be read; check the file and its columns' types"
        raise DataError(message, f" ({reason})") from error


def plan(data: DataSettings, chosen: PreprocessSettings, seed: int) -> CorpusPlan:
    """The settings as plain arguments."""
    grading, robots = chosen.intensity, chosen.robots
    return CorpusPlan(
        relevant_at=data.relevant_at,
        max_bad_rows=data.max_bad_rows,
        drop_duplicates=chosen.duplicates == "drop",
        merge_items=chosen.near_duplicate_items == "merge",
        bursts=chosen.burst_seconds,
        robots=None if robots is None else RobotRule(robots.a_minute, robots.spread),
        core=None if chosen.k_core is None else (chosen.k_core.users, chosen.k_core.items),
        grading=Grading(
            weights=grading.weights,
            values={kind: _value_map(value) for kind, value in grading.values.items()},
            negative=grading.negative,
            combine=grading.combine,
            half_life_days=grading.half_life_days,
        ),
        method=chosen.split.method,
        valid=chosen.split.valid,
        test=chosen.split.test,
        valid_from=chosen.split.valid_from,
        seed=seed,
    )


def _value_map(chosen: ValueMapSettings) -> ValueMap:
    return ValueMap(**{**chosen.model_dump(), "thresholds": tuple(chosen.thresholds)})


def _count(column: pa.ChunkedArray) -> int:
    """Values that are not null."""
    return len(column) - column.null_count


def _without_boilerplate(items: pa.Table, share: float, log: RawLog) -> pa.Table:
    """Items without the sentences that many texts of train share, counted."""
    texts = items["text"].to_pylist()
    shared = shared_sentences(items["text"].filter(items["in_train"]).to_pylist(), share)
    cleaned = remove_sentences(texts, shared)
    changed = sum(before != after for before, after in zip(texts, cleaned, strict=True))
    examples = [f"{sentence} ({count})" for sentence, count in list(shared.items())[:EXAMPLES]]
    reason = f"{changed} texts lost sentences that more than {share:g} of the train texts share; every item stays"
    log.quality.count("boilerplate", len(texts), len(texts), reason, examples)
    return items.set_column(items.column_names.index("text"), "text", pa.array(cleaned, pa.string()))


def _write_tokens(directory: Path, items: pa.Table, encoder: Path) -> None:
    tokenizer = load_tokenizer(encoder)
    tokens = {"item": items["item"]}
    for name in ("title", "text"):
        tokens[f"{name}_tokens"] = tokenizer.encode(items[name].to_pylist())
    directory.mkdir()
    files.write_parquet(directory / f"text-{tokenizer.digest[:16]}.parquet", pa.table(tokens), schemas.TEXT_FEATURES)


def _normalised(items: pa.Table) -> pa.Table:
    """Items with normalised texts."""
    for name in ("title", "text"):
        items = items.set_column(items.column_names.index(name), name, normalise(items[name]))
    return items


def _summarise(directory: Path) -> dict[str, Any]:
    found = files.read_json(directory / artifact_files.QUALITY)["counts"]
    return {
        "items": found["items"],
        "users": found["users"],
        "events": sum(found["events"].values()),
        "impressions": sum(found["impressions"].values()),
    }
