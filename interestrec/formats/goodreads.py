"""Goodreads from the UCSD Book Graph: shelves, ratings and books as JSON lines, or interactions as CSV (Wan 2018)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from interestrec.columns.landed_tables import LandedTable
from interestrec.columns.row_checks import RowCheck, leave_out
from interestrec.columns.table_settings import EventColumns, EventTable, NotationSettings
from interestrec.formats.events import read_tables
from interestrec.formats.table_data import LogTables, TableData
from interestrec.rawfiles.file_patterns import expand_patterns, file_under
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import land, scan_objects

_EVENT_TYPES = {"0": "shelf"} | {str(stars): "rating" for stars in range(1, 6)}
_DATES = "%a %b %d %H:%M:%S %z %Y"  # Fri Aug 25 13:55:02 -0700 2017
_BOOK = "nullif(trim(record->>'$.book_id'), '')"


class GoodreadsData(TableData):
    """Goodreads: events are ratings from 1 to 5, and books on shelves without one, written as rating 0."""

    format: Literal["goodreads"]
    """Layout of the raw files: `goodreads`. Events are of type `rating` with stars, or `shelf`."""
    interactions: list[str] = Field(default=["goodreads_interactions_dedup.json.gz"], min_length=1)
    """Names or patterns of the files of interactions or reviews, also those of one genre, such as
    `goodreads_interactions_poetry.json.gz`; or `goodreads_interactions.csv`."""
    time: Literal["date_added", "date_updated", "read_at", "started_at"] | None = "date_added"
    """Field with the time: `date_added` to a shelf, `date_updated`, or `read_at` and `started_at`, which are often
    empty. `null` = there is none, as in `goodreads_interactions.csv`."""
    books: list[str] = Field(default=["goodreads_books.json.gz"], min_length=1)
    """Names or patterns of the files of books: titles and descriptions."""
    authors: str | None = "goodreads_book_authors.json.gz"
    """Name of the file of authors, whose names follow the titles; `null` = not read."""
    genres: str | None = "goodreads_book_genres_initial.json.gz"
    """Name of the file of genres; the one with most votes is the category of a book. `null` = not read."""
    book_id_map: str | None = None
    """Name of `book_id_map.csv`, which joins the numbers of books in `goodreads_interactions.csv` to their ids; needed
    for that file only."""

    @property
    def tables(self) -> LogTables:
        """The table of events; books are joined from several files."""
        columns = EventColumns(user="user_id", item="book_id", time=self.time, event="rating", value="rating")
        events = EventTable(
            files=self.interactions,
            columns=columns,
            event_types=_EVENT_TYPES,
            time_format=_DATES if self.time else None,
        )
        return LogTables([events], [])

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        return [*self.interactions, *self.books, *filter(None, [self.authors, self.genres, self.book_id_map])]


def read(log: RawLog, data: GoodreadsData) -> None:
    """Fill `items` and `events`.

    Raises:
        InputMissingError: a file is missing.
        DataError: a column is missing, or more malformed rows than tolerated.
    """
    read_tables(log, data, data.tables)
    if data.book_id_map is not None:
        _replace_book_ids(log, file_under(data.root, data.book_id_map))
    _read_authors(log, file_under(data.root, data.authors) if data.authors else None)
    _read_genres(log, file_under(data.root, data.genres) if data.genres else None)
    for path in expand_patterns(data.root, data.books):
        _read_books(log, path)
    log.db.execute("DROP TABLE author_names; DROP TABLE book_genres")
    log.settle_bad_rows(data.max_bad_rows)


def _replace_book_ids(log: RawLog, path: Path) -> None:
    """Replace the numbers of books in the events by their ids; a number without one matches no book."""
    names = dict.fromkeys(("book_id_csv", "book_id"), "a column of Goodreads")
    landed = land(log, path, names, auxiliary=True)
    if landed is None:
        return
    table = LandedTable(log, NotationSettings(), "data.book_id_map", [landed])
    number, book = (table.id(name).expression(landed.types[name]) for name in names)
    log.db.execute(
        f"CREATE TEMP TABLE book_ids AS SELECT {number} AS number, first({book}) AS book "
        f"FROM {landed.relation} GROUP BY 1"
    )
    log.replace_table(
        "events",
        "SELECT e.* REPLACE (coalesce(book, 'number ' || item_id) AS item_id) FROM events e "
        "LEFT JOIN book_ids ON e.item_id = number",
    )
    log.db.execute("DROP TABLE book_ids")


def _read_authors(log: RawLog, path: Path | None) -> None:
    """Create the table `author_names` (author, name)."""
    log.db.execute("CREATE TEMP TABLE authors (author VARCHAR, name VARCHAR)")
    for _ in scan_objects(log, path, auxiliary=True) if path else ():
        log.db.execute("INSERT INTO authors SELECT record->>'$.author_id', record->>'$.name' FROM raw")
    log.db.execute(
        "CREATE TEMP TABLE author_names AS SELECT author, first(name) AS name FROM authors GROUP BY author; "
        "DROP TABLE authors"
    )


def _read_genres(log: RawLog, path: Path | None) -> None:
    """Create the table `book_genres` (book, genre) with the genre of most votes; of equal ones the first."""
    log.db.execute("CREATE TEMP TABLE genres (book VARCHAR, genre VARCHAR)")
    votes = "map_entries(try_cast(record->'$.genres' AS MAP(VARCHAR, DOUBLE)))"
    best = f"list_reduce({votes}, lambda a, b: CASE WHEN b.value > a.value THEN b ELSE a END).key"
    for _ in scan_objects(log, path, auxiliary=True) if path else ():
        log.db.execute(f"INSERT INTO genres SELECT {_BOOK}, {best} FROM raw WHERE len({votes}) > 0")
    log.db.execute(
        "CREATE TEMP TABLE book_genres AS SELECT book, first(genre) AS genre FROM genres GROUP BY book; "
        "DROP TABLE genres"
    )


def _read_books(log: RawLog, path: Path) -> None:
    authors = "json_extract_string(record, '$.authors[*].author_id')"
    for _ in scan_objects(log, path):
        rows = leave_out(log, [RowCheck("items without an id", f"{_BOOK} IS NULL", "the item's id is empty")])
        relation = f"""(
            WITH
                kept AS (SELECT _row, {_BOOK} AS book, record FROM {rows}),
                written AS (
                    SELECT _row, string_agg(name, ' ' ORDER BY place) AS names
                    FROM (
                        SELECT _row, unnest({authors}) AS author, generate_subscripts({authors}, 1) AS place FROM kept
                    )
                    JOIN author_names USING (author)
                    GROUP BY _row
                )
            FROM kept LEFT JOIN written USING (_row) LEFT JOIN book_genres USING (book)
        )"""
        log.add_items(
            relation,
            item_id="book",
            title="concat_ws(' ', nullif(trim(record->>'$.title'), ''), names)",
            text="coalesce(record->>'$.description', '')",
            category="genre",
        )
