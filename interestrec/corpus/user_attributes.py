"""Attributes of users as columns of the corpus, for slices of a report."""

import pyarrow as pa

from interestrec.columns.id_repairs import repair_advice
from interestrec.corpus.text_cleaning import clean_words
from interestrec.rawfiles.raw_log import EXAMPLES, RawLog

_REPAIRABLE = 0.1  # share of users without a row above which repairs of ids are tried

# The text of a number; a text with a leading zero is a code, such as the zip code 02139.
_NUMBER = "[+-]?((0|[1-9][0-9]*)(\\.[0-9]+)?|\\.[0-9]+)([eE][+-]?[0-9]+)?"


def with_attributes(log: RawLog, users: pa.Table) -> pa.Table:
    """Return the users with the attributes that the log has, null where unknown; rows left out are counted.

    The first row of a user counts. An attribute is a number (float64) where every value in the table of users is one,
    else a string; users without events count as well, so that the type does not depend on who was active.

    Args:
        users: table of schemas.USERS in the order of `user_numbers`, which must exist.
    """
    names = log.user_attributes
    if not names:
        return users
    _warn_of_spelling(log)
    types = [attribute_type(log, n) for n in range(1, len(names) + 1)]
    _drop_unused_rows(log)
    columns = ", ".join(f"CAST(attributes[{n}] AS {sql_type}) AS a{n}" for n, sql_type in enumerate(types, 1))
    values = log.table(f'SELECT {columns} FROM user_numbers n LEFT JOIN users USING (user_id) ORDER BY n."user"')
    for name, column in zip(names, values.columns, strict=True):
        users = users.append_column(name, clean_words(column) if pa.types.is_string(column.type) else column)
    return users


def attribute_type(log: RawLog, position: int, table: str = "users") -> str:
    """Return the SQL type of an attribute, by its position from 1: DOUBLE if every value is a number, else VARCHAR.

    Args:
        table: `users` or `items`.
    """
    is_number = f"coalesce(regexp_full_match(v, '{_NUMBER}') AND isfinite(try_cast(v AS DOUBLE)), false)"
    values, texts = log.sql(
        f"SELECT count(v), count(v) FILTER (WHERE NOT {is_number}) "
        f"FROM (SELECT attributes[{position}] AS v FROM {table})"
    )[0]
    return "DOUBLE" if values and not texts else "VARCHAR"


def _warn_of_spelling(log: RawLog) -> None:
    """Warn where many users have no row and another spelling of ids would find theirs."""
    missing = "SELECT user_id AS id FROM user_numbers ANTI JOIN users USING (user_id)"
    rows, without = log.rows("user_numbers"), log.number(f"SELECT count(*) FROM ({missing})")
    if without <= _REPAIRABLE * rows or not log.rows("users"):
        return
    advice = repair_advice(log, missing, "SELECT DISTINCT user_id AS id FROM users WHERE user_id IS NOT NULL")
    if advice.explains:
        reason = f"{without:,} of {rows:,} users have no row in the table of users; {advice.sentence('data.user_ids')}"
        log.quality.warn(reason)
        log.quality.count("user ids spelled differently", rows, rows, reason)


def drop_repeated_users(log: RawLog) -> None:
    """Keep the first row of each user; other rows are dropped and counted."""
    log.drop(
        "repeated users",
        "users",
        "ord NOT IN (SELECT min(ord) FROM users GROUP BY user_id)",
        "a second row for a user; the first one counts",
        "user_id",
    )


def _drop_unused_rows(log: RawLog) -> None:
    """Keep one row per user of the corpus; other rows are dropped and counted."""
    drop_repeated_users(log)
    log.drop(
        "unknown users",
        "users",
        "user_id NOT IN (SELECT user_id FROM user_numbers)",
        "a row for a user of whom the corpus has no event and no impression",
        "user_id",
    )
    rows = log.rows("user_numbers")
    missing = rows - log.rows("users")
    query = f'SELECT user_id FROM user_numbers ANTI JOIN users USING (user_id) ORDER BY "user" LIMIT {EXAMPLES}'
    reason = f"{missing} users have no row in the table of users: their attributes are null; every user stays"
    log.quality.count("users without a row", rows, rows, reason, [row[0] for row in log.sql(query)])
