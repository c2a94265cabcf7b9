"""Item codes of a raw log: integers that stand for item ids until the corpus numbers its items."""

from interestrec.rawfiles.raw_log import RawLog


def code_items(log: RawLog) -> None:
    """Create the table `item_codes` (item_id, item INTEGER) from `items`, with codes in the order of first rows.

    A second row of an id in a table of items is left out. Where the log merges items, an item whose title and text
    have the same letters and digits as those of an earlier item gets the code of the earlier one. The function does
    nothing when the codes exist already.
    """
    if log.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'item_codes'"):
        return
    log.drop(
        "repeated items",
        "items",
        "event_ord IS NULL AND ord NOT IN (SELECT min(ord) FROM items GROUP BY item_id)",
        "a second row for an item; the first one counts",
        "item_id",
    )
    log.db.execute(
        "CREATE TABLE item_codes AS SELECT item_id, CAST(row_number() OVER (ORDER BY min(ord)) - 1 AS INTEGER) AS item "
        "FROM items GROUP BY item_id ORDER BY item"
    )
    if log.merge_items:
        _merge_near_duplicates(log)


def _merge_near_duplicates(log: RawLog) -> None:
    words = "trim(regexp_replace(lower(concat_ws(' ', title, text)), '[^\\p{L}\\p{N}]+', ' ', 'g'))"
    log.db.execute(
        f"CREATE TEMP TABLE same AS SELECT item_id, item, min(item) OVER (PARTITION BY words) AS first FROM ("
        f"SELECT item_id, item, arg_min({words}, ord) AS words FROM items JOIN item_codes USING (item_id) "
        "GROUP BY ALL) WHERE words <> ''"
    )
    examples = log.sql(
        "SELECT s.item_id || ' = ' || f.item_id FROM same s JOIN item_codes f ON f.item = s.first "
        "WHERE s.item <> s.first ORDER BY s.item LIMIT 3"
    )
    merged = log.number("SELECT count(*) FROM same WHERE item <> first")
    log.db.execute("UPDATE item_codes SET item = same.first FROM same WHERE item_codes.item_id = same.item_id")
    rows = log.rows("item_codes")
    reason = "the words of title and text are those of an earlier item: merged with it"
    log.quality.count("near-duplicate items", rows, rows - merged, reason, [row[0] for row in examples])
