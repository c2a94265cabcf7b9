"""Amazon reviews, both generations of JSON lines: reviews as events with stars, metadata as items.

2018: `reviewerID, asin, overall, unixReviewTime` with nested lists of categories and prices as text (Ni et al. 2019).
2023: `user_id, parent_asin, rating, timestamp` in milliseconds, `categories` as a list (Hou et al. 2024).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from interestrec.columns.column_sql import epoch_to_timestamp
from interestrec.columns.row_filters import RowCheck, leave_out
from interestrec.formats.data_settings import DataSettings
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import scan_objects

_MAX_SECONDS = 10_000_000_000  # a greater time stamp counts milliseconds
_ITEM = "nullif(trim(coalesce(record->>'$.parent_asin', record->>'$.asin')), '')"


class AmazonData(DataSettings):
    """Amazon reviews and metadata, JSON lines of 2018 or 2023. Events are of type `review`, values are stars."""

    format: Literal["amazon"]
    """Layout of the raw files: `amazon`, JSON lines as they are distributed."""
    reviews: list[str] = Field(min_length=1)
    """Names or patterns of the files of reviews; `.gz` is read as well."""
    metadata: list[str] = Field(min_length=1)
    """Names or patterns of the files of metadata; `.gz` is read as well."""

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        return [*self.reviews, *self.metadata]


def read(log: RawLog, data: AmazonData) -> None:
    """Fill `items` and `events`; events are of type `review` and their values are stars.

    Raises:
        InputMissingError: a file is missing.
        DataError: more malformed rows than tolerated.
    """
    for path in expand_patterns(data.root, data.metadata):
        _read_metadata(log, path)
    for path in expand_patterns(data.root, data.reviews):
        _read_reviews(log, path)
    log.settle_bad_rows(data.max_bad_rows)


def _text(key: str) -> str:
    """Return the SQL of a value as text: a list is joined by spaces, null becomes the empty text."""
    value = f"json_extract(record, '$.{key}')"
    joined = f"array_to_string(from_json({value}, '[\"VARCHAR\"]'), ' ')"
    single = f"json_extract_string(record, '$.{key}')"
    return f"coalesce(CASE json_type({value}) WHEN 'ARRAY' THEN {joined} ELSE {single} END, '')"


def _read_metadata(log: RawLog, path: Path) -> None:
    # `categories` was a list of lists and later became a list; the 2018 generation calls the list `category`.
    levels = (
        "CASE WHEN json_type(record->'$.categories[0]') = 'ARRAY' THEN record->'$.categories[0]' "
        "WHEN json_array_length(record->'$.categories') > 0 THEN record->'$.categories' ELSE record->'$.category' END"
    )
    joined = f"array_to_string(from_json({levels}, '[\"VARCHAR\"]'), '/')"
    # "$12.99" is a price; of "from 5.00" and "$5 - $9" the first number counts.
    price = "replace(regexp_extract(record->>'$.price', '[0-9][0-9,]*(\\.[0-9]+)?'), ',', '')"
    date = "coalesce(record->>'$.details.\"Date First Available\"', record->>'$.date')"
    brand = "coalesce(record->>'$.brand', record->>'$.store')"
    for _ in scan_objects(log, path):
        rows = leave_out(log, [RowCheck("", f"{_ITEM} IS NULL", "neither parent_asin nor asin")])
        log.add_items(
            rows,
            item_id=_ITEM,
            title=f"concat_ws(' ', nullif({_text('title')}, ''), {brand})",
            text=f"trim({_text('features')} || ' ' || {_text('description')})",
            category=f"coalesce(nullif({joined}, ''), nullif(record->>'$.main_category', ''))",
            price=f"try_cast({price} AS DOUBLE)",
            published=f"coalesce(try_strptime({date}, '%B %d, %Y'), try_cast({date} AS TIMESTAMP))",  # January 5, 2015
        )


def _read_reviews(log: RawLog, path: Path) -> None:
    user = "nullif(trim(coalesce(record->>'$.user_id', record->>'$.reviewerID')), '')"
    number = "try_cast(coalesce(record->>'$.rating', record->>'$.overall') AS DOUBLE)"
    stamp = "try_cast(coalesce(record->>'$.timestamp', record->>'$.unixReviewTime') AS DOUBLE)"
    milliseconds, seconds = (epoch_to_timestamp(stamp, unit) for unit in (1_000, 1_000_000))
    time = f"CASE WHEN {stamp} > {_MAX_SECONDS} THEN {milliseconds} ELSE {seconds} END"
    checks = [
        RowCheck("", f"{user} IS NULL OR {_ITEM} IS NULL", "no user or no item"),
        RowCheck("", f"NOT coalesce(isfinite({number}), false)", "no rating"),
        RowCheck("", f"({time}) IS NULL", "no time"),
    ]
    for _ in scan_objects(log, path):
        rows = leave_out(log, checks)
        log.add_events(rows, user=user, item=_ITEM, time=time, event="'review'", value=number)
