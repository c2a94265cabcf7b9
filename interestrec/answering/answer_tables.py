"""Answers as tables, and as CSV, JSON lines and Parquet."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interestrec.answering.recommender import Recommendations
from interestrec.corpus.store import Corpus
from interestrec.io import encryption

_PLACES = 6  # decimals of scores in texts; Parquet keeps all


@dataclass(frozen=True)
class Answer:
    """Lists, with the names of those who asked, and optionally a reason per row."""

    names: Sequence[str]  # of each request
    rows: Recommendations
    reasons: Sequence[str | None] | None = None
    key: str = "user_id"  # column of the names


def answer_table(log: Corpus, answer: Answer, titles: bool) -> pa.Table:
    """Return one row per item of a list: name, rank, item_id, title, score, intensity and reason.

    `rank` is null where no list may hold the item, and `intensity` where it is unknown.

    Args:
        titles: whether the title is a column.
    """
    rows = answer.rows
    item = pa.array(rows.item)
    columns: dict[str, Any] = {
        answer.key: pa.array(answer.names, pa.string()).take(pa.array(rows.request)),
        "rank": pa.array(rows.rank, mask=rows.rank == 0),
        "item_id": log.items["item_id"].take(item),
    }
    if titles:
        columns["title"] = log.items["title"].take(item)
    columns |= {"score": pa.array(rows.score), "intensity": pa.array(rows.intensity, mask=np.isnan(rows.intensity))}
    if answer.reasons is not None:
        columns["why"] = pa.array(answer.reasons, pa.string())
    return pa.table(columns)


def answer_documents(log: Corpus, answer: Answer, titles: bool, components: bool = False) -> Iterator[dict[str, Any]]:
    """Yield one document per request, with its list under `items`; a request without items has an empty list.

    Args:
        titles: whether items have their titles.
        components: whether items have their scores by component.
    """
    table = answer_table(log, answer, titles)
    records = table.drop_columns([answer.key]).to_pylist()
    if components:
        names, columns = answer.rows.components.keys(), [part.tolist() for part in answer.rows.components.values()]
        for record, values in zip(records, zip(*columns, strict=True), strict=True):
            record["components"] = {name: _rounded(value) for name, value in zip(names, values, strict=True)}
    ends = np.searchsorted(answer.rows.request, np.arange(len(answer.names)), side="right")
    start = 0
    for name, end in zip(answer.names, ends, strict=True):
        items = [{key: _rounded(value) for key, value in record.items()} for record in records[start:end]]
        yield {answer.key: name, "items": items}
        start = end


def json_line(document: Mapping[str, Any]) -> str:
    """Return a document as one line of JSON."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False)


def _rounded(value: Any) -> Any:
    return round(value, _PLACES) if isinstance(value, float) else value


def write_csv(table: pa.Table, to: BinaryIO) -> None:
    """Write a table as CSV in UTF-8 with a header."""
    text = io.TextIOWrapper(to, "utf-8", newline="", write_through=True)
    try:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(table.column_names)
        for block in table.to_batches():
            columns = [column.to_pylist() for column in block.columns]
            writer.writerows([_rounded(value) for value in row] for row in zip(*columns, strict=True))
    finally:
        text.detach()  # `to` stays open


def write_parquet(table: pa.Table, to: BinaryIO) -> None:
    """Write a table as Parquet, encrypted if artifacts are."""
    pq.write_table(table, to, **encryption.writer_options())


# Format -> writer of a table. `table`, the text for people, and `jsonl`, one document per request, are apart.
TABLE_FORMATS: dict[str, Callable[[pa.Table, BinaryIO], None]] = {"csv": write_csv, "parquet": write_parquet}
