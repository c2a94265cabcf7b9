"""`preprocess`: turn raw logs into a corpus."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from interestrec.config.settings import Settings
from interestrec.corpus.build import build, report_rules
from interestrec.corpus.identities import PSEUDONYMS, forget, pseudonymise
from interestrec.corpus.text_cleaning import clean_texts, require_texts, tokenize_items
from interestrec.formats.readers import read_raw
from interestrec.io import artifact_files, files, schemas
from interestrec.io.keys import read_key
from interestrec.io.pseudonyms import fingerprint
from interestrec.rawfiles.database_faults import storage_errors
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.raw_log import RawLog
from interestrec.stages.run import RunContext, StageResult, produce
from interestrec.text.tokenizer import load_tokenizer, tokenizer_digest
from interestrec.workspace.artifacts import Recipe
from interestrec.workspace.forgotten import read_forgotten


def run(context: RunContext) -> StageResult:
    """Read, clean, split, grade and tokenize; the artifact is `corpus`.

    Raises:
        InputMissingError: a data file or the encoder's tokenizer is missing.
        DataError, ConfigError: the data does not fit the configuration; the message names file and row.
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
    data, preprocess = settings.data, settings.preprocess
    scratch = directory / "scratch"
    scratch.mkdir()
    with storage_errors(scratch):
        log = open_log(settings, scratch)
    try:  # rules are reported even on failure, because their counts help to explain it
        with log.quality.withheld_values(), storage_errors(scratch):
            read(log, settings)
            built = build(log, data, preprocess, settings.seed, directory)
    finally:
        report_rules(log, "preprocess")
        log.close()
    shutil.rmtree(scratch)
    items = clean_texts(built.items, preprocess.boilerplate, log.quality)
    require_texts(items, data.max_items_without_text)
    tokenizer = load_tokenizer(settings.encoder.source)
    tokenized = tokenize_items(items, tokenizer, log.quality)
    own = {name: items.schema.field(name).type for name in log.item_attributes}
    files.write_parquet(directory / artifact_files.ITEMS, tokenized.items, schemas.with_attributes(schemas.ITEMS, own))
    tokenized.write(directory / artifact_files.FEATURES, tokenizer)
    missing = {f"items_without_{name}": items[name].null_count for name in ("category", "price", "published")}
    with_text = pc.sum(tokenized.items["has_text"]).as_py() or 0
    counts = {
        **built.counts,
        "items_without_text": items.num_rows - with_text,
        "items_with_only_unknown_tokens": tokenized.only_unknown,
        **missing,
        **({"items_without_attribute": {name: items[name].null_count for name in own}} if own else {}),
    }
    quality = {
        "rules": log.quality.rules,
        "warnings": log.quality.warnings,
        "counts": counts,
        "unknown_tokens": tokenized.unknown_by_script(),
        "value_maps": built.value_maps,
    }
    files.write_json(directory / artifact_files.QUALITY, quality)


def open_log(settings: Settings, scratch: Path | None = None, sample: int | None = None) -> RawLog:
    """Return an empty log for the raw files of a configuration.

    The log never quotes raw values if ids are pseudonymised, artifacts are encrypted (quality counts are not), or users
    are forgotten.

    Args:
        scratch: directory for data that does not fit into memory; None = all data must fit.
        sample: number of rows to read from each file; None = all.
    """
    keys = (settings.preprocess.pseudonym_key, settings.runtime.encryption_key)
    return RawLog(
        settings.data.root,
        scratch,
        settings.runtime.memory,
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
