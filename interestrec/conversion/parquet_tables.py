"""Plain Parquet: `events.parquet`, `items.parquet` and `users.parquet`, with ids as text and times in UTC."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from interestrec.conversion.target_layout import Destination
from interestrec.corpus.user_attributes import attribute_type
from interestrec.io import files
from interestrec.rawfiles.column_names import identifier
from interestrec.rawfiles.raw_log import RawLog

_BATCH_ROWS = 1 << 18
_TIME = pa.timestamp("us", tz="UTC")
_EVENTS = {
    "user_id": pa.string(),
    "item_id": pa.string(),
    "time": _TIME,
    "event": pa.string(),
    "value": pa.float64(),
    "intensity": pa.float32(),
    "split": pa.string(),
}
_ITEMS = {
    "item_id": pa.string(),
    "title": pa.string(),
    "text": pa.string(),
    "category": pa.string(),
    "price": pa.float64(),
    "published": _TIME,
}
_IMPRESSIONS = {
    "impression_id": pa.string(),
    "user_id": pa.string(),
    "time": _TIME,
    "split": pa.string(),
    "shown": pa.list_(pa.string()),
    "labels": pa.list_(pa.uint8()),
}
_FROM_CORPUS = ("intensity", "split")  # columns of events that a raw log does not have


def write_parquet_tables(log: RawLog, destination: Destination) -> None:
    """Write the tables; a split is a column of the events, beside the intensity."""
    names = [name for name in _EVENTS if destination.by_split or name not in _FROM_CORPUS]
    columns = {name: _EVENTS[name] for name in names}
    _write(log, destination, "events.parquet", columns, names, "portable_events ORDER BY ord, place")
    _write(log, destination, "items.parquet", _ITEMS, list(_ITEMS), "portable_items ORDER BY ord")
    if log.rows("users"):
        _write_users(log, destination)


def _write_users(log: RawLog, destination: Destination) -> None:
    kinds = {"DOUBLE": pa.float64(), "VARCHAR": pa.string()}
    types = [attribute_type(log, position) for position in range(1, len(log.user_attributes) + 1)]
    columns = {"user_id": pa.string()} | {
        name: kinds[kind] for name, kind in zip(log.user_attributes, types, strict=True)
    }
    values = [f"CAST(attributes[{n}] AS {kind})" for n, kind in enumerate(types, 1)]
    _write(log, destination, "users.parquet", columns, ["user_id", *values], "users ORDER BY ord")


def write_impressions(log: RawLog, destination: Destination) -> None:
    """Write `impressions.parquet`: per impression the ids of the items shown, and 1 for those that were clicked."""
    item_ids = log.table("SELECT item_id FROM item_codes ORDER BY item")["item_id"].combine_chunks()
    query = "SELECT impression_id, user_id, time, CAST(split AS VARCHAR), shown, labels FROM impressions ORDER BY ord"
    schema = pa.schema(_IMPRESSIONS)
    with files.parquet_writer(destination.directory / "impressions.parquet", schema) as write:
        for batch in _batches(log, query):
            shown = batch.column("shown").combine_chunks()
            offsets, codes = shown.offsets, shown.values
            ids = pa.ListArray.from_arrays(offsets, item_ids.take(codes))
            write(pa.table([*batch.columns[:4], ids, batch.column("labels")], names=schema.names).cast(schema))


def _write(
    log: RawLog, destination: Destination, file: str, columns: dict[str, pa.DataType], values: list[str], source: str
) -> None:
    expressions = zip(values, columns, strict=True)
    selected = ", ".join(f"{value} AS {identifier(name)}" for value, name in expressions)
    schema = pa.schema(columns)
    batches = (table.cast(schema) for table in _batches(log, f"SELECT {selected} FROM {source}"))
    files.write_parquet_batches(destination.directory / file, batches, schema)


def _batches(log: RawLog, query: str) -> Iterator[pa.Table]:
    """Yield the rows of a query in tables of bounded size."""
    for batch in log.db.sql(query).to_arrow_reader(_BATCH_ROWS):
        yield pa.Table.from_batches([batch])
