"""MovieLens in both layouts: CSV with headers (20M and later) and fields separated by `::` (1M and 10M).

A data set has ratings, films and, optionally, links to other catalogues and a table of plots (Harper and Konstan 2015).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from interestrec.columns.epoch_numbers import NumberedTime
from interestrec.columns.id_notations import IdSpelling, decide_id
from interestrec.columns.number_notations import NumberNotation
from interestrec.columns.row_checks import RowCheck, leave_out
from interestrec.columns.table_settings import SomeAttributes
from interestrec.columns.whole_columns import block_column
from interestrec.core.errors import VALUE, DataError
from interestrec.core.section import Section
from interestrec.formats.spelled_data import SpelledData
from interestrec.rawfiles.file_patterns import file_under
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import require_column, scan, scan_fields

_RATINGS = ["userId", "movieId", "rating", "timestamp"]
_MOVIES = ["movieId", "title", "genres"]
_USERS = ["userId", "gender", "age", "occupation", "zip_code"]
_SECONDS = NumberedTime("s", is_given=True)
_NO_GENRES = "(no genres listed)"


class PlotTable(Section):
    """A table of plots or overviews that is joined to the films as their text."""

    file: str
    """Name of the table, such as `movies_with_overview.csv`."""
    key: str = "movieId"
    """Column of the table that identifies the film: `movieId`, or a column of the links file such as `tmdbId`."""
    column: str = "overview"
    """Column of the table with the text."""


class MovielensUsers(Section):
    """User attributes: `users.dat`, or a table with a header and a column `userId`."""

    file: str = "users.dat"
    """Name of the file. One that does not end in `.csv` has gender, age, occupation and zip_code, separated by `::`."""
    attributes: SomeAttributes
    """Columns that a report may slice by, such as `gender` and `age`."""


class MovielensData(SpelledData):
    """MovieLens: `.csv` files with headers, or files separated by `::`. Events are of type `rating`."""

    format: Literal["movielens"]
    """Layout of the raw files: `movielens`. The first genre becomes the category, the year in the title the date."""
    ratings: str = "ratings.csv"
    """Name of the file of ratings."""
    movies: str = "movies.csv"
    """Name of the file of films with title and genres."""
    links: str | None = None
    """Name of the file that joins `movieId` to other catalogues; needed where `plots.key` is not `movieId`."""
    plots: PlotTable | None = None
    """A table of plots to join to the films; `null` = a film's text is its genres."""
    users: MovielensUsers | None = None
    """User attributes that a report may slice by; `null` = there are none."""

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        optional = [table.file for table in (self.plots, self.users) if table]
        return [self.ratings, self.movies, *filter(None, [self.links]), *optional]

    def files_of_update(self, events: Path, items: Path | None) -> dict[str, Any]:
        """See DataSettings."""
        return {"ratings": str(events), **({"movies": str(items)} if items else {})}


def read(log: RawLog, data: MovielensData) -> None:
    """Fill `items`, `events` and `users`.

    Files that end in `.csv` have a header; all others are separated by `::` and may be Latin-1. The category of a film
    is its first genre, the year in its title is the date of publication, and its text is the genres and the plot.

    Raises:
        InputMissingError: a file is missing.
        DataError: a column is missing, or more malformed rows than tolerated.
    """
    _read_movies(log, file_under(data.root, data.movies), data.ids)
    if data.plots is not None:
        _join_plots(log, data.root, data.links, data.plots)
    _read_ratings(log, file_under(data.root, data.ratings), data.ids, data.user_ids)
    if data.users is not None:
        _read_users(log, file_under(data.root, data.users.file), data.users.attributes, data.user_ids)
    log.settle_bad_rows(data.max_bad_rows)


def _is_csv(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith(".csv")


def _scan(log: RawLog, path: Path, names: list[str]) -> Iterator[None]:
    """Fill the relation `raw` with these columns, block after block, from a file of either layout."""
    if _is_csv(path):
        for types in scan(log, path, names):
            for name in names:
                require_column(list(types), name, path, "a column of MovieLens")
            yield
        return
    for _ in scan_fields(log, path, "::", "fields separated by ::", names, fallback="latin-1"):
        yield


def _read_movies(log: RawLog, path: Path, ids: IdSpelling) -> None:
    year = "nullif(regexp_extract(title, '\\((\\d{4})\\)\\s*$', 1), '')"
    genres = f"nullif(nullif(genres, '{_NO_GENRES}'), '')"
    for _ in _scan(log, path, _MOVIES):
        item = decide_id(block_column(log, "movieId"), ids).expression("VARCHAR")
        missing = f"{item} IS NULL"
        log.count_without_id("item", "raw", missing)
        log.add_items(
            f"(FROM raw WHERE NOT ({missing}))",
            item_id=item,
            title="coalesce(title, '')",
            text=f"coalesce(replace({genres}, '|', ', '), '')",
            category=f"string_split({genres}, '|')[1]",
            published=f"try_cast({year} || '-01-01' AS TIMESTAMP)",
        )


def _join_plots(log: RawLog, root: Path, links: str | None, plots: PlotTable) -> None:
    """Add plots to the texts of films; their key is `movieId`, or a column of the links such as `tmdbId`."""
    log.db.execute("CREATE TEMP TABLE plots (key VARCHAR, plot VARCHAR)")
    path = file_under(root, plots.file)
    for types in scan(log, path, [plots.key, plots.column], auxiliary=True):
        key = require_column(list(types), plots.key, path, "data.plots.key")
        text = require_column(list(types), plots.column, path, "data.plots.column")
        log.db.execute(f"INSERT INTO plots SELECT trim({key}), {text} FROM raw WHERE {text} IS NOT NULL")
    source = "(SELECT key AS movie, any_value(plot) AS plot FROM plots GROUP BY key)"
    if plots.key != "movieId":
        if links is None:
            raise DataError(
                f"{path}: data.plots.key is {plots.key}; name the file that joins it to movieId under data.links"
            )
        _read_links(log, file_under(root, links), plots.key)
        # 862.0 and 0862 mean 862.
        number = "coalesce(CAST(try_cast({} AS BIGINT) AS VARCHAR), {})".format
        source = (
            "(SELECT movie, any_value(plot) AS plot FROM links JOIN plots ON "
            f"{number('links.key', 'links.key')} = {number('plots.key', 'plots.key')} GROUP BY movie)"
        )
    log.db.execute(
        f"UPDATE items SET text = concat_ws('. ', nullif(text, ''), p.plot) FROM {source} p "
        "WHERE items.item_id = p.movie"
    )


def _read_links(log: RawLog, path: Path, key: str) -> None:
    log.db.execute("CREATE TEMP TABLE links (movie VARCHAR, key VARCHAR)")
    for types in scan(log, path, ["movieId", key], auxiliary=True):
        movie = require_column(list(types), "movieId", path, "a column of MovieLens")
        name = require_column(list(types), key, path, "data.plots.key")
        log.db.execute(f"INSERT INTO links SELECT trim({movie}), trim({name}) FROM raw")


def _read_users(log: RawLog, path: Path, attributes: list[str], ids: IdSpelling) -> None:
    for name in attributes if not _is_csv(path) else []:
        require_column(_USERS, name, path, "data.users.attributes")
    for _ in _scan(log, path, ["userId", *attributes] if _is_csv(path) else _USERS):
        values = {name: decide_id(block_column(log, name)).expression("VARCHAR") for name in attributes}
        user = decide_id(block_column(log, "userId"), ids).expression("VARCHAR")
        log.add_users("raw", user=user, attributes=values)


def _read_ratings(log: RawLog, path: Path, ids: IdSpelling, user_ids: IdSpelling) -> None:
    seconds, number = f"the time '{VALUE}' is not a number of seconds", f"the rating '{VALUE}' is not a number"
    for _ in _scan(log, path, _RATINGS):
        user = decide_id(block_column(log, "userId"), user_ids).expression("VARCHAR")
        item = decide_id(block_column(log, "movieId"), ids).expression("VARCHAR")
        time = _SECONDS.expression(block_column(log, "timestamp").text("VARCHAR"), "VARCHAR")
        stars = NumberNotation(block_column(log, "rating")).expression("VARCHAR")
        checks = [
            RowCheck("", f"{user} IS NULL OR {item} IS NULL", "user or film is empty"),
            RowCheck("", f"({time}) IS NULL", seconds, "coalesce(timestamp, '')"),
            RowCheck("", f"({stars}) IS NULL", number, "coalesce(rating, '')"),
        ]
        rows = leave_out(log, checks)
        log.add_events(rows, user=user, item=item, time=time, event="'rating'", value=stars)
