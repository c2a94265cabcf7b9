"""Amazon reviews, both generations of JSON lines: reviews as events with stars, metadata as items.

2018: `reviewerID, asin, overall, unixReviewTime` with nested lists of categories and prices as text (Ni et al. 2019).
2023: `user_id, parent_asin, rating, timestamp` in milliseconds, `categories` as a list (Hou et al. 2024).
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc

from interestrec.formats.file_patterns import expand_patterns
from interestrec.formats.raw_log import RawLog, quoted
from interestrec.formats.raw_tables import moment
from interestrec.formats.text_lines import filled_lines

_LATEST_SECONDS = 10_000_000_000  # a greater number counts milliseconds


def read(
    log: RawLog, root: Path, max_bad_rows: int, merge_items: bool, reviews: list[str], metadata: list[str]
) -> None:
    """Fill `items` and `events` (type `review`, value stars).

    Raises:
        InputMissingError: a file is missing.
        DataError: more malformed rows than tolerated.
    """
    for path in expand_patterns(root, metadata):
        _read_metadata(log, path)
    for path in expand_patterns(root, reviews):
        _read_reviews(log, path)
    log.settle_bad_rows(max_bad_rows)


def _blocks(log: RawLog, path: Path) -> Iterator[int]:
    """Table `records` (row, j JSON) of the lines that are JSON objects, block after block; yields the base."""
    base = log.begin(path)
    for lines in filled_lines(log, path):
        log.load("lines", lines)
        fine = "coalesce(json_type(try_cast(line AS JSON)) = 'OBJECT', false)"
        log.db.execute(
            f"INSERT INTO bad_rows SELECT {quoted(str(path))}, row, 'not a JSON object' FROM lines WHERE NOT ({fine});"
            f"CREATE OR REPLACE TEMP TABLE records AS SELECT row, try_cast(line AS JSON) AS j FROM lines WHERE {fine}"
        )
        yield base
        log.reached(base + (pc.max(lines["row"]).as_py() or 0))


def _text(key: str) -> str:
    """SQL of a value as text: a list is joined by spaces, null is empty."""
    value = f"json_extract(j, '$.{key}')"
    joined = f"array_to_string(from_json({value}, '[\"VARCHAR\"]'), ' ')"
    return (
        f"coalesce(CASE json_type({value}) WHEN 'ARRAY' THEN {joined} ELSE json_extract_string(j, '$.{key}') END, '')"
    )


def _read_metadata(log: RawLog, path: Path) -> None:
    item = "nullif(trim(coalesce(j->>'$.parent_asin', j->>'$.asin')), '')"
    # `categories` was a list of lists, then a list; `category` is the 2018 generation's name for the list.
    whole = (
        "CASE WHEN json_type(j->'$.categories[0]') = 'ARRAY' THEN j->'$.categories[0]' "
        "WHEN json_array_length(j->'$.categories') > 0 THEN j->'$.categories' ELSE j->'$.category' END"
    )
    path_of = f"array_to_string(from_json({whole}, '[\"VARCHAR\"]'), '/')"
    category = f"coalesce(nullif({path_of}, ''), nullif(j->>'$.main_category', ''))"
    # "$12.99" is a price, "from 5.00" and "$5 - $9" begin with one
    price = "try_cast(replace(regexp_extract(j->>'$.price', '[0-9][0-9,]*(\\.[0-9]+)?'), ',', '') AS DOUBLE)"
    date = "coalesce(j->>'$.details.\"Date First Available\"', j->>'$.date')"
    published = f"coalesce(try_strptime({date}, '%B %d, %Y'), try_cast({date} AS TIMESTAMP))"  # January 5, 2015
    brand = "coalesce(j->>'$.brand', j->>'$.store')"
    for base in _blocks(log, path):
        log.db.execute(
            f"INSERT INTO bad_rows SELECT {quoted(str(path))}, row, 'neither parent_asin nor asin' FROM records "
            f"WHERE {item} IS NULL;"
            f"INSERT INTO items SELECT {item}, concat_ws(' ', nullif(j->>'$.title', ''), {brand}), "
            f"trim({_text('features')} || ' ' || {_text('description')}), {category}, {price}, {published}, "
            f"row + {base}, NULL FROM records WHERE {item} IS NOT NULL"
        )


def _read_reviews(log: RawLog, path: Path) -> None:
    user = "nullif(trim(coalesce(j->>'$.user_id', j->>'$.reviewerID')), '')"
    item = "nullif(trim(coalesce(j->>'$.parent_asin', j->>'$.asin')), '')"
    number = "try_cast(coalesce(j->>'$.rating', j->>'$.overall') AS DOUBLE)"
    stars = f"CASE WHEN isfinite({number}) THEN {number} END"
    stamp = "try_cast(coalesce(j->>'$.timestamp', j->>'$.unixReviewTime') AS DOUBLE)"
    time = f"CASE WHEN {stamp} > {_LATEST_SECONDS} THEN {moment(stamp, 1_000)} ELSE {moment(stamp, 1_000_000)} END"
    for base in _blocks(log, path):
        log.db.execute(
            f"CREATE OR REPLACE TEMP TABLE checked AS SELECT row, {user} AS user_id, {item} AS item_id, "
            f"{time} AS time, {stars} AS stars FROM records;"
            f"INSERT INTO bad_rows SELECT {quoted(str(path))}, row, CASE WHEN user_id IS NULL OR item_id IS NULL "
            "THEN 'no user or no item' WHEN stars IS NULL THEN 'no rating' ELSE 'no time' END FROM checked "
            "WHERE user_id IS NULL OR item_id IS NULL OR stars IS NULL OR time IS NULL;"
            f"INSERT INTO events SELECT user_id, item_id, time, 'review', stars, row + {base} FROM checked "
            "WHERE user_id IS NOT NULL AND item_id IS NOT NULL AND stars IS NOT NULL AND time IS NOT NULL"
        )
