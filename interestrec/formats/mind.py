"""MIND: `news.tsv` and `behaviors.tsv` (Wu et al. 2020, "MIND: A Large-scale Dataset for News Recommendation").

Tab-separated, without quoting. News: id, category, subcategory, title, abstract, url, title entities, abstract
entities. Behaviours: impression id, user, time, clicked history, shown candidates as `N1-0 N2-1`.
"""

from pathlib import Path

from interestrec.core.raw_log import Log
from interestrec.formats.lines import open_lines, quoted

_NEWS_COLUMNS = 8
_BEHAVIOR_COLUMNS = 5
_TIMES = "['%m/%d/%Y %I:%M:%S %p', '%Y-%m-%d %H:%M:%S', '%Y-%m-%dT%H:%M:%S']"
CLICK = "click"


def read(
    log: Log, root: Path, max_bad_rows: int, news: list[str], train: list[str], valid: list[str], test: list[str]
) -> None:
    """Fill `items`, `impressions` and, from the clicks, `events`.

    Raises:
        InputMissingError: a file is missing.
        DataError: more malformed rows than tolerated.
    """
    for name in news:
        _read_news(log, root / name)
    for split, names in {"train": train, "valid": valid, "test": test}.items():
        for name in names:
            _read_behaviors(log, root / name, split)
    log.settle_bad_rows(max_bad_rows)
    log.drop(
        "repeated impressions",
        "impressions",
        "ord IN (SELECT ord FROM (SELECT ord, row_number() OVER (PARTITION BY impression_id, user_id, time, split, "
        "history, shown, labels ORDER BY ord) AS n FROM impressions) WHERE n > 1)",
        "rows that are equal in every column count once",
        "source || ':' || row",
    )
    # The order of a log's rows is that of its clicks.
    log.db.execute(
        f"INSERT INTO events SELECT user_id, item.item_id, time, '{CLICK}', NULL, split, "
        "row_number() OVER (ORDER BY ord, item.place), source, row FROM (SELECT *, unnest(list_transform("
        "list_zip(shown, labels, range(len(shown))), lambda x: {'item_id': x[1], 'label': x[2], 'place': x[3]}"
        ")) AS item FROM impressions) WHERE item.label > 0"
    )


def _read_news(log: Log, path: Path) -> None:
    open_lines(log, "lines", path)
    source = quoted(str(path))
    log.db.execute(
        f"INSERT INTO bad_rows SELECT {source}, row, 'expected {_NEWS_COLUMNS} tab-separated columns beginning with "
        f"a news id, found ' || len(f) FROM (SELECT row, string_split(line, chr(9)) AS f FROM lines WHERE line <> '') "
        f"WHERE len(f) <> {_NEWS_COLUMNS} OR f[1] = ''"
    )
    log.db.execute(
        "INSERT INTO items SELECT f[1], f[4], f[5], concat_ws('/', nullif(f[2], ''), nullif(f[3], '')), NULL, NULL, "
        "row + (SELECT count(*) FROM items), NULL FROM (SELECT row, string_split(line, chr(9)) AS f FROM lines) "
        f"WHERE len(f) = {_NEWS_COLUMNS} AND f[1] <> '' ORDER BY row"
    )


def _read_behaviors(log: Log, path: Path, split: str) -> None:
    open_lines(log, "lines", path)
    source = quoted(str(path))
    log.db.execute(
        "CREATE OR REPLACE TEMP TABLE parsed AS SELECT row, f, try_strptime(trim(f[3]), " + _TIMES + ") AS time, "
        "list_filter(string_split(f[4], ' '), lambda x: x <> '') AS history, "
        "list_filter(string_split(f[5], ' '), lambda x: x <> '') AS shown "
        "FROM (SELECT row, string_split(line, chr(9)) AS f FROM lines WHERE line <> '')"
    )
    wrong = "list_filter(shown, lambda x: NOT regexp_full_match(x, '.+-[01]'))"
    log.db.execute(
        "ALTER TABLE parsed ADD COLUMN reason VARCHAR; UPDATE parsed SET reason = CASE "
        f"WHEN len(f) <> {_BEHAVIOR_COLUMNS} "
        f"THEN 'expected {_BEHAVIOR_COLUMNS} tab-separated columns, found ' || len(f) "
        "WHEN f[2] = '' THEN 'the user is empty' "
        "WHEN trim(f[3]) <> '' AND time IS NULL THEN 'the time ''' || f[3] || ''' is not like 11/12/2019 2:14:46 PM' "
        "WHEN len(shown) = 0 THEN 'no candidates' "
        f"WHEN len({wrong}) > 0 THEN 'the candidate ''' || {wrong}[1] || ''' is not an item id with -0 or -1' END"
    )
    log.db.execute(f"INSERT INTO bad_rows SELECT {source}, row, reason FROM parsed WHERE reason IS NOT NULL")
    log.db.execute(
        f"INSERT INTO impressions SELECT f[1], f[2], time, '{split}', history, "
        "list_transform(shown, lambda x: left(x, len(x) - 2)), "
        "list_transform(shown, lambda x: CAST(right(x, 1) AS DOUBLE)), "
        f"row + (SELECT coalesce(max(ord), 0) FROM impressions), {source}, row "
        "FROM parsed WHERE reason IS NULL ORDER BY row"
    )
