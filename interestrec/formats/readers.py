"""The registry of raw formats: the value of `data.format` to its reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Union

from interestrec.core.choices import pick
from interestrec.core.deferred_import import duckdb
from interestrec.core.errors import DataError
from interestrec.formats import (
    amazon,
    book_crossing,
    events,
    goodreads,
    hm,
    impressions,
    kuairec,
    lastfm,
    mind,
    movielens,
    otto,
    recbole,
    retailrocket,
    yambda,
    yelp,
)
from interestrec.formats.data_settings import DataSettings
from interestrec.formats.events import read_preset
from interestrec.formats.reader_contract import Reader
from interestrec.rawfiles.database_faults import is_caused_by_file
from interestrec.rawfiles.raw_log import RawLog

READERS: dict[str, Reader] = {
    "mind": Reader(mind.MindData, mind.read),
    "impressions": Reader(impressions.ImpressionsData, impressions.read),
    "events": Reader(events.EventsData, events.read),
    "movielens": Reader(movielens.MovielensData, movielens.read),
    "amazon": Reader(amazon.AmazonData, amazon.read),
    "recbole": Reader(recbole.RecboleData, recbole.read),
    "book_crossing": Reader(book_crossing.BookCrossingData, read_preset),
    "goodreads": Reader(goodreads.GoodreadsData, goodreads.read),
    "lastfm": Reader(lastfm.LastfmData, lastfm.read),
    "yelp": Reader(yelp.YelpData, read_preset),
    "retailrocket": Reader(retailrocket.RetailrocketData, retailrocket.read),
    "otto": Reader(otto.OttoData, read_preset),
    "yambda": Reader(yambda.YambdaData, read_preset),
    "hm": Reader(hm.HmData, read_preset),
    "kuairec": Reader(kuairec.KuairecData, read_preset),
}

if TYPE_CHECKING:
    AnyData = DataSettings
else:
    AnyData = Union[tuple(reader.section for reader in READERS.values())]  # noqa: UP007


def read_raw(log: RawLog, data: DataSettings) -> None:
    """Fill a log from the raw files that a section of the settings names.

    Raises:
        InputMissingError, DataError, ConfigError: see the reader of the format.
        RuntimeError: the reader lost count of rows, which is a fault of the program.
    """
    try:
        pick(READERS, data.format, "format").read(log, data)
    except duckdb.Error as error:
        # Parquet is read while it is used, so a damaged page or an unexpected type appears only then.
        if not is_caused_by_file(error):
            raise
        reason = str(error).strip().splitlines()[0]
        raise DataError(
            f"{log.source}: cannot be read; check the file and the types of its columns", f" ({reason})"
        ) from error
    accounted = log.rows_kept + log.rows_left_out + log.rows("bad_rows")
    if log.rows_read != accounted:
        raise RuntimeError(
            f"format {data.format}: {log.rows_read:,} rows read, but {log.rows_kept:,} kept, {log.rows_left_out:,} "
            f"left out and {log.rows('bad_rows'):,} malformed"
        )
