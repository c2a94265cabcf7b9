"""MovieLens, both generations: CSV (latest, 20M and on) and `::` (100K's successors 1M and 10M).

Ratings, films, and where there are, links to other catalogues and a table of plots (Harper and Konstan 2015).
"""

from pathlib import Path
from typing import Any

from interestrec.core.errors import DataError
from interestrec.formats.raw_log import RawLog, quoted
from interestrec.formats.raw_tables import moment, name_of, require, scan
from interestrec.formats.text_lines import filled_lines
from interestrec.formats.user_tables import add_users

_RATINGS = ["userId", "movieId", "rating", "timestamp"]
_MOVIES = ["movieId", "title", "genres"]
_USERS = ["userId", "gender", "age", "occupation", "zip_code"]
_NO_GENRES = "(no genres listed)"


def read(
    log: RawLog,
    root: Path,
    max_bad_rows: int,
    merge_items: bool,
    ratings: str,
    movies: str,
    links: str | None,
    plots: dict[str, str] | None,
    users: dict[str, Any] | None = None,
) -> None:
    """Fill `items`, `events` and `users`; `.csv` files have a header, all others are parted by `::` and may be Latin-1.

    The category is the first genre, the year in a title the date of publication, plots follow the genres in the text.

    Raises:
        InputMissingError: a file is missing.
        DataError: a column is missing, or more malformed rows than tolerated.
    """
    _read_movies(log, root / movies)
    if plots is not None:
        _join_plots(log, root, links, plots)
    _read_ratings(log, root / ratings)
    if users is not None:
        _read_users(log, root / users["file"], users["attributes"])
    log.settle_bad_rows(max_bad_rows)


def _blocks(log: RawLog, path: Path, names: list[str]):  # type: ignore[no-untyped-def]
    """Relation `raw` of a file's columns, block after block, whichever generation; yields the base."""
    base = log.begin(path)
    if path.name.removesuffix(".gz").endswith(".csv"):
        for types in scan(log, path, names, None):
            for name in names:
                require(list(types), name, path, "MovieLens has it")
            yield base
            log.reached(base + log.number("SELECT coalesce(max(_row), 0) FROM raw"))
        return
    columns = ", ".join(f"f[{n}] AS {name_of(name)}" for n, name in enumerate(names, 1))
    for lines in filled_lines(log, path, encoding="latin-1"):
        log.load("lines", lines)
        log.db.execute(
            "CREATE OR REPLACE TEMP TABLE fields AS SELECT row, string_split(line, '::') AS f FROM lines;"
            f"INSERT INTO bad_rows SELECT {quoted(str(path))}, row, 'expected {len(names)} fields parted by ::, "
            f"found ' || len(f) FROM fields WHERE len(f) <> {len(names)};"
            f"CREATE OR REPLACE TEMP VIEW raw AS SELECT {columns}, row AS _row FROM fields WHERE len(f) = {len(names)}"
        )
        yield base
        log.reached(base + log.number("SELECT coalesce(max(_row), 0) FROM raw"))


def _read_movies(log: RawLog, path: Path) -> None:
    for base in _blocks(log, path, _MOVIES):
        year = "nullif(regexp_extract(title, '\\((\\d{4})\\)\\s*$', 1), '')"
        genres = f"nullif(nullif(genres, '{_NO_GENRES}'), '')"
        missing = "coalesce(trim(movieId), '') = ''"
        log.count_without_id("item", path, "raw", missing)
        log.db.execute(
            f"INSERT INTO items SELECT trim(movieId), coalesce(title, ''), coalesce(replace({genres}, '|', ', '), ''), "
            f"string_split({genres}, '|')[1], NULL, try_cast({year} || '-01-01' AS TIMESTAMP), _row + {base}, NULL "
            f"FROM raw WHERE NOT ({missing})"
        )


def _join_plots(log: RawLog, root: Path, links: str | None, plots: dict[str, str]) -> None:
    """Add plots to texts; their key is `movieId`, or a column of the links such as `tmdbId`."""
    key, column = plots["key"], plots["column"]
    log.db.execute("CREATE TEMP TABLE plots (key VARCHAR, plot VARCHAR)")
    path = root / plots["file"]
    log.begin(path)
    for types in scan(log, path, [key, column], None):
        names = [
            require(list(types), name, path, f"data.plots.{role}") for role, name in (("key", key), ("column", column))
        ]
        log.db.execute(f"INSERT INTO plots SELECT trim({names[0]}), {names[1]} FROM raw WHERE {names[1]} IS NOT NULL")
    source = "(SELECT key AS movie, any_value(plot) AS plot FROM plots GROUP BY key)"
    if key != "movieId":
        if links is None:
            raise DataError(f"{path}: its key is {key}, so data.links must name the file that joins {key} to movieId")
        log.db.execute("CREATE TEMP TABLE links (movie VARCHAR, key VARCHAR)")
        for types in scan(log, root / links, ["movieId", key], None):
            name = require(list(types), key, root / links, "data.plots.key")
            log.db.execute(f"INSERT INTO links SELECT trim(movieId), trim({name}) FROM raw")
        # 862.0 and 0862 are 862
        number = "coalesce(CAST(try_cast({} AS BIGINT) AS VARCHAR), {})".format
        source = (
            "(SELECT movie, any_value(plot) AS plot FROM links JOIN plots ON "
            f"{number('links.key', 'links.key')} = {number('plots.key', 'plots.key')} GROUP BY movie)"
        )
    log.db.execute(
        f"UPDATE items SET text = concat_ws('. ', nullif(text, ''), p.plot) FROM {source} p "
        "WHERE items.item_id = p.movie"
    )


def _read_users(log: RawLog, path: Path, attributes: list[str]) -> None:
    headed = path.name.removesuffix(".gz").endswith(".csv")
    for name in attributes if not headed else []:
        require(_USERS, name, path, "data.users.attributes")
    log.user_attributes = attributes
    for base in _blocks(log, path, ["userId", *attributes] if headed else _USERS):
        values = [f"nullif(trim({name_of(name)}), '')" for name in attributes]
        add_users(log, path, "raw", "nullif(trim(userId), '')", values, base)


def _read_ratings(log: RawLog, path: Path) -> None:
    source = quoted(str(path))
    for base in _blocks(log, path, _RATINGS):
        when = moment("try_cast(timestamp AS DOUBLE)", 1_000_000)
        log.db.execute(
            f"CREATE OR REPLACE TEMP TABLE checked AS SELECT *, {when} AS time, CASE "
            "WHEN trim(userId) = '' OR userId IS NULL OR trim(movieId) = '' OR movieId IS NULL "
            "THEN 'user or film is empty' "
            f"WHEN {when} IS NULL THEN 'the time ''' || coalesce(timestamp, '') || ''' is no number of seconds' "
            "WHEN NOT coalesce(isfinite(try_cast(rating AS DOUBLE)), false) "
            "THEN 'the rating ''' || coalesce(rating, '') || ''' is not a number' END AS reason FROM raw;"
            f"INSERT INTO bad_rows SELECT {source}, _row, reason FROM checked WHERE reason IS NOT NULL;"
            "INSERT INTO events SELECT trim(userId), trim(movieId), time, 'rating', CAST(rating AS DOUBLE), "
            f"_row + {base} FROM checked WHERE reason IS NULL"
        )
