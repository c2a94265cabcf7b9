"""`preprocess`: raw logs become a corpus."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import files, schemas
from interestrec.core.artifacts import Recipe
from interestrec.core.catalogue import pick
from interestrec.core.context import Context, Result, produce
from interestrec.core.errors import DataError, InputMissingError
from interestrec.core.raw_log import Log
from interestrec.core.settings import DataSettings, EventsData, MindData, PreprocessSettings, RecboleData, Settings
from interestrec.corpus import store
from interestrec.corpus.build import Plan, Tables, build, counts, report_rules
from interestrec.formats.registry import READERS
from interestrec.text.normalise import normalise
from interestrec.text.tokenizer import load_tokenizer, tokenizer_digest

_SHARED = {"format", *DataSettings.model_fields}


def run(context: Context) -> Result:
    """Read, clean, split, grade and tokenize; the artifact is `corpus`.

    Raises:
        InputMissingError: a data file or the encoder's tokenizer is missing.
        DataError, ConfigError: what the data does not fit, with file and row.
    """
    settings = context.settings
    root = settings.data.root
    inputs = {"tokenizer": tokenizer_digest(settings.encoder.source)}
    for name in data_files(settings.data):
        if not (root / name).is_file():
            raise InputMissingError(f"{root / name}: no such file; check data.root and the names under data")
        inputs[name] = files.sha256_of(root / name)
    recipe = Recipe("corpus", inputs, settings.lineage("data", "preprocess"), settings.seed)
    return produce(context, recipe, lambda directory: _build(directory, settings), _summarise)


def data_files(data: MindData | EventsData | RecboleData) -> list[str]:
    """Names of all raw files, relative to `data.root`."""
    if isinstance(data, MindData):
        return list(dict.fromkeys([*data.news, *data.train, *data.valid, *data.test]))
    if isinstance(data, EventsData):
        return list(dict.fromkeys([*data.events.files, *data.items.files]))
    return [data.inter, data.item]


def _build(directory: Path, settings: Settings) -> None:
    data = settings.data
    log = Log(data.root)
    read = pick(READERS, data.format, "format")
    options = {name: value for name, value in data.model_dump().items() if name not in _SHARED}
    read(log, root=data.root, max_bad_rows=data.max_bad_rows, **options)
    try:
        tables = build(log, _plan(data, settings.preprocess, settings.seed))
    finally:  # the counts explain what was wrong, too
        report_rules(log)
    items = _normalised(tables.items)
    without = pc.sum(pc.invert(items["has_text"])).as_py() or 0
    if without > data.max_items_without_text * items.num_rows:
        raise DataError(
            f"{without} of {items.num_rows} items have no text, more than data.max_items_without_text "
            f"({data.max_items_without_text:g}) allows; check the text columns or raise the limit"
        )
    _write(directory, tables, items)
    tokenizer = load_tokenizer(settings.encoder.source)
    tokens = {"item": items["item"]}
    for name in ("title", "text"):
        tokens[f"{name}_tokens"] = tokenizer.encode(items[name].to_pylist())
    (directory / store.FEATURES).mkdir()
    path = directory / store.FEATURES / f"text-{tokenizer.digest[:16]}.parquet"
    files.write_parquet(path, pa.table(tokens), schemas.TEXT_FEATURES)
    quality = {"rules": log.quality.rules, "counts": {**counts(tables), "items_without_text": without}}
    files.write_json(directory / store.QUALITY, quality)


def _plan(data: DataSettings, chosen: PreprocessSettings, seed: int) -> Plan:
    value = chosen.intensity.value
    return Plan(
        relevant_at=data.relevant_at,
        max_bad_rows=data.max_bad_rows,
        drop_duplicates=chosen.duplicates == "drop",
        weights=chosen.intensity.weights,
        limits=None if value is None else (value.low, value.high),
        method=chosen.split.method,
        valid=chosen.split.valid,
        test=chosen.split.test,
        valid_from=chosen.split.valid_from,
        seed=seed,
    )


def _normalised(items: pa.Table) -> pa.Table:
    """Items with normalised texts, and whether anything is left of them."""
    title, text = normalise(items["title"]), normalise(items["text"])
    has_text = pc.or_(pc.not_equal(title, ""), pc.not_equal(text, ""))
    names = [name for name in items.column_names if name not in ("title", "text")]
    return (
        items.select(names)
        .append_column("title", title)
        .append_column("text", text)
        .append_column("has_text", has_text)
    )


def _write(directory: Path, tables: Tables, items: pa.Table) -> None:
    files.write_parquet(directory / store.ITEMS, items, schemas.ITEMS)
    files.write_parquet(directory / store.USERS, tables.users, schemas.USERS)
    files.write_parquet(directory / store.TIMELINES, tables.timelines, schemas.TIMELINES)
    files.write_parquet(directory / store.IMPRESSIONS, tables.impressions, schemas.IMPRESSIONS)
    files.write_parquet(directory / store.CANDIDATES, tables.candidates, schemas.CANDIDATES)


def _summarise(directory: Path) -> dict[str, Any]:
    found = files.read_json(directory / store.QUALITY)["counts"]
    return {
        "items": found["items"],
        "users": found["users"],
        "events": sum(found["events"].values()),
        "impressions": sum(found["impressions"].values()),
    }
