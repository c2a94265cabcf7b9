"""Amazon reviews, both generations of JSON lines: reviews as events with stars, metadata as items.

2018: `reviewerID, asin, overall, unixReviewTime` with nested lists of categories and prices as text (Ni et al. 2019).
2023: `user_id, parent_asin, rating, timestamp` in milliseconds, `categories` as a list (Hou et al. 2024).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from interestrec.columns.epoch_numbers import NumberedTime
from interestrec.columns.id_notations import IdSpelling
from interestrec.columns.number_notations import marked_number
from interestrec.columns.row_checks import RowCheck, leave_out
from interestrec.columns.time_notations import read_text
from interestrec.columns.unreadable_values import count_unread
from interestrec.columns.whole_columns import is_missing
from interestrec.formats.spelled_data import SpelledData
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import scan_objects

_MAX_SECONDS = 10_000_000_000  # a greater time stamp counts milliseconds
_SECONDS, _MILLISECONDS = (NumberedTime(unit, is_given=True) for unit in ("s", "ms"))
_DATES = [("%B %d, %Y", 0), ("%b %d, %Y", 0), ("%Y-%m-%d", 0)]  # January 5, 2015


class AmazonData(SpelledData):
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
        _read_metadata(log, path, data.ids)
    for path in expand_patterns(data.root, data.reviews):
        _read_reviews(log, path, data)
    log.settle_bad_rows(data.max_bad_rows)


def _text(key: str) -> str:
    """Return the SQL of a value as text: a list is joined by spaces, null becomes the empty text."""
    value = f"json_extract(record, '$.{key}')"
    joined = f"array_to_string(from_json({value}, '[\"VARCHAR\"]'), ' ')"
    single = f"json_extract_string(record, '$.{key}')"
    return f"coalesce(CASE json_type({value}) WHEN 'ARRAY' THEN {joined} ELSE {single} END, '')"


def _id(*keys: str, spelling: IdSpelling) -> str:
    """Return the SQL of the first of some values that is there as an id, null where none is."""
    values = ", ".join(f"record->>'$.{key}'" for key in keys)
    trimmed = f"trim(coalesce({values}))"
    return spelling.expression(f"CASE WHEN {is_missing(trimmed)} THEN NULL ELSE {trimmed} END")


def _item(ids: IdSpelling) -> str:
    return _id("parent_asin", "asin", spelling=ids)


def _read_metadata(log: RawLog, path: Path, ids: IdSpelling) -> None:
    # `categories` was a list of lists and later became a list; the 2018 generation calls the list `category`.
    levels = (
        "CASE WHEN json_type(record->'$.categories[0]') = 'ARRAY' THEN record->'$.categories[0]' "
        "WHEN json_array_length(record->'$.categories') > 0 THEN record->'$.categories' ELSE record->'$.category' END"
    )
    joined = f"array_to_string(from_json({levels}, '[\"VARCHAR\"]'), '/')"
    raw_price = "trim(record->>'$.price')"
    price = marked_number(raw_price)
    date = "trim(coalesce(record->>'$.details.\"Date First Available\"', record->>'$.date'))"
    published = read_text(date, _DATES)
    brand = "coalesce(record->>'$.brand', record->>'$.store')"
    for _ in scan_objects(log, path):
        rows = leave_out(log, [RowCheck("", f"{_item(ids)} IS NULL", "neither parent_asin nor asin")])
        count_unread(log, rows, raw_price, price, "prices", "not one number")
        count_unread(log, rows, date, published, "times of publication", "not a date like January 5, 2015")
        log.add_items(
            rows,
            item_id=_item(ids),
            title=f"concat_ws(' ', nullif({_text('title')}, ''), {brand})",
            text=f"trim({_text('features')} || ' ' || {_text('description')})",
            category=f"coalesce(nullif({joined}, ''), nullif(record->>'$.main_category', ''))",
            price=price,
            published=published,
        )


def _read_reviews(log: RawLog, path: Path, data: AmazonData) -> None:
    user = _id("user_id", "reviewerID", spelling=data.user_ids)
    item = _item(data.ids)
    stars = "try_cast(coalesce(record->>'$.rating', record->>'$.overall') AS DOUBLE)"
    number = f"CASE WHEN isfinite({stars}) THEN {stars} END"
    stamp = "coalesce(record->>'$.timestamp', record->>'$.unixReviewTime')"
    seconds, milliseconds = (unit.expression(stamp, "VARCHAR") for unit in (_SECONDS, _MILLISECONDS))
    time = f"CASE WHEN try_cast({stamp} AS DOUBLE) > {_MAX_SECONDS} THEN {milliseconds} ELSE {seconds} END"
    checks = [
        RowCheck("", f"{user} IS NULL OR {item} IS NULL", "no user or no item"),
        RowCheck("", f"({number}) IS NULL", "no rating"),
        RowCheck("", f"({time}) IS NULL", "no time"),
    ]
    for _ in scan_objects(log, path):
        rows = leave_out(log, checks)
        log.add_events(rows, user=user, item=item, time=time, event="'review'", value=number)
