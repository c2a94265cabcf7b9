"""Numbers of items and users, and the tables of both in this order, from a cleaned, split and graded log."""

import pyarrow as pa

from interestrec.io import schemas
from interestrec.rawfiles.raw_log import RawLog

_ATTRIBUTES = ("title", "text", "category", "price", "published")


def assign_numbers(log: RawLog) -> None:
    """Create the tables `item_numbers` and `user_numbers` (code, id, number).

    Items and users of train and valid come first, each group in the order of ids, so that adding or deleting test
    events changes no number of an item or user of train or valid. Four events:

        user  item  split          item   number      user  number
        u     b     train          b      0           u     0
        u     c     valid          c      1           w     1
        v     a     test           a      2           v     2
        w     b     train

    b and c are known before test, and b < c; a follows them, although a < b, because only test has it.
    """
    log.db.execute(
        """
        CREATE TEMP TABLE occurring_items AS
        WITH
            histories AS (
                SELECT segment, min(i.split) AS split FROM impression_segments JOIN impressions i USING (ord)
                GROUP BY segment
            ),
            occurrences AS (
                SELECT item, split FROM events
                UNION ALL SELECT unnest(items), split FROM segments JOIN histories USING (segment)
                UNION ALL SELECT unnest(shown), split FROM impressions
            )
        SELECT item, min(split) AS first_split FROM occurrences GROUP BY item;

        CREATE TEMP TABLE train_items AS SELECT item FROM occurring_items WHERE first_split = 'train';
        CREATE TEMP TABLE known_items AS SELECT item FROM occurring_items WHERE first_split <> 'test'
        """
    )
    _create_described(log)
    log.db.execute(
        """
        CREATE TEMP TABLE item_numbers AS
        SELECT
            code,
            item_id,
            CAST(row_number() OVER (ORDER BY code NOT IN (FROM known_items), item_id) - 1 AS INTEGER) AS item
        FROM described;

        CREATE TEMP TABLE user_numbers AS
        WITH
            known AS (
                SELECT "user" FROM events WHERE split <> 'test'
                UNION SELECT "user" FROM impressions JOIN user_codes USING (user_id) WHERE split <> 'test'
            ),
            present AS (
                SELECT "user" AS code, user_id FROM user_codes
                WHERE "user" IN (SELECT "user" FROM events) OR user_id IN (SELECT user_id FROM impressions)
            )
        SELECT
            code,
            user_id,
            CAST(row_number() OVER (ORDER BY code NOT IN (FROM known), user_id) - 1 AS INTEGER) AS "user"
        FROM present
        """
    )


def _create_described(log: RawLog) -> None:
    """Create the table `described`: one row per item code with its attributes.

    Where event rows describe an item, each attribute is the most frequent value in the earliest split that has one;
    ties go to the smallest value. Rows of test describe only items that are in no other split. Four rows of one item:

        split   title   price
        train   old
        train   old
        train   new     9
        valid   newest  7        result: old (twice in train), 9 (train has a price, so valid's does not count)

    Attributes of the configuration are the columns own_1, own_2, … in their order, as texts.
    """
    own = own_names(log)
    log.db.execute(
        """
        CREATE TEMP TABLE sourced AS
        WITH
            from_items AS (
                SELECT c.item AS code, i.*, 0 AS rank FROM items i JOIN item_codes c USING (item_id)
                WHERE i.event_ord IS NULL
            ),
            from_events AS (
                SELECT c.item AS code, i.*, enum_code(e.split) AS rank FROM items i JOIN item_codes c USING (item_id)
                JOIN events e ON i.event_ord = e.ord
            ),
            both_sources AS (FROM from_items UNION ALL FROM from_events)
        SELECT * EXCLUDE (attributes), min(rank) OVER (PARTITION BY code) AS earliest FROM both_sources
        """
    )
    names = (*_ATTRIBUTES, *own)
    steps = [_best_value_steps(name) for name in _ATTRIBUTES]
    # Vectors are long, so these are taken from `items` again instead of being carried through the window.
    steps += [_best_value_steps(name, f"attributes[{n}]", "JOIN items USING (ord)") for n, name in enumerate(own, 1)]
    joins = " ".join(f"LEFT JOIN best_{name} USING (code)" for name in names)
    log.db.execute(
        f"""
        CREATE TEMP TABLE described AS
        WITH
            ids AS (SELECT code, arg_min(item_id, ord) AS item_id FROM sourced GROUP BY code),
            {", ".join(steps)}
        SELECT code, item_id, {", ".join(names)} FROM ids {joins}
        """
    )


def own_names(log: RawLog) -> list[str]:
    """Return the columns of `described` with the items' attributes of the configuration, in their order."""
    return [f"own_{position}" for position in range(1, len(log.item_attributes) + 1)]


def _best_value_steps(name: str, value: str | None = None, join: str = "") -> str:
    """Return the SQL of the steps `counted_<name>` and `best_<name>` (code, value) for one attribute.

    Args:
        value: SQL of the attribute's value; None = the column of its name.
        join: SQL that joins the table of the value to `sourced`.
    """
    value = value or f"sourced.{name}"
    filled = f"{value} <> ''" if name in ("title", "text") else f"{value} IS NOT NULL"
    return f"""
        counted_{name} AS (
            SELECT code, {value} AS {name}, rank, count(*) AS n FROM sourced {join}
            WHERE {filled} AND (rank < 2 OR earliest = 2)
            GROUP BY ALL
        ),
        best_{name} AS (
            SELECT DISTINCT ON (code) code, {name} FROM counted_{name} ORDER BY code, rank, n DESC, {name}
        )"""


def item_table(log: RawLog) -> pa.Table:
    """Return the items in the order of their numbers, with raw texts and `in_train`.

    Columns: item, item_id, title, text, category, price, published, in_train. An item is in train when an event, a
    logged history or the candidates of an impression of train have it.
    """
    return log.table(
        "SELECT item, n.item_id, title, text, category, price, timezone('UTC', published) AS published, "
        "code IN (FROM train_items) AS in_train "
        "FROM item_numbers n JOIN described USING (code) ORDER BY item"
    )


def user_table(log: RawLog) -> pa.Table:
    """Return the table of schemas.USERS; a hash of the id decides the part of valid that a user belongs to."""
    select, blend = schemas.VALID_PARTS
    return log.table(
        f"SELECT \"user\", user_id, CASE WHEN md5(user_id) < '8' THEN '{select}' ELSE '{blend}' END AS valid_part "
        'FROM user_numbers ORDER BY "user"'
    )
