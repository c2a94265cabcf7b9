"""Attributes of users as columns of the corpus, for slices of a report."""

import pyarrow as pa

from interestrec.formats.raw_log import EXAMPLES, RawLog

# Written as a number: with a leading zero it is a code, such as the zip code 02139.
_NUMBER = "[+-]?((0|[1-9][0-9]*)(\\.[0-9]+)?|\\.[0-9]+)([eE][+-]?[0-9]+)?"


def with_attributes(log: RawLog, users: pa.Table) -> pa.Table:
    """The users with the attributes that the log has, null where unknown; what does not fit is counted.

    Of several rows for a user the first counts. An attribute is a number (float64) where every value in the table of
    users is one, else a string; users outside the log count too, so that the type does not depend on who was active.

    Args:
        users: of schemas.USERS, in the order of `user_numbers`, which must be there.
    """
    names = log.user_attributes
    if not names:
        return users
    kinds = [_kind(log, n) for n in range(1, len(names) + 1)]
    _settle(log)
    columns = ", ".join(f"CAST(attributes[{n}] AS {kind}) AS a{n}" for n, kind in enumerate(kinds, 1))
    found = log.table(f'SELECT {columns} FROM user_numbers n LEFT JOIN users USING (user_id) ORDER BY n."user"')
    for name, column in zip(names, found.columns, strict=True):
        users = users.append_column(name, column)
    return users


def _kind(log: RawLog, place: int) -> str:
    number = f"coalesce(regexp_full_match(v, '{_NUMBER}') AND isfinite(try_cast(v AS DOUBLE)), false)"
    given, words = log.sql(
        f"SELECT count(v), count(v) FILTER (WHERE NOT {number}) FROM (SELECT attributes[{place}] AS v FROM users)"
    )[0]
    return "DOUBLE" if given and not words else "VARCHAR"


def _settle(log: RawLog) -> None:
    """Leave one row of each user that the corpus has."""
    log.drop(
        "repeated users",
        "users",
        "ord NOT IN (SELECT min(ord) FROM users GROUP BY user_id)",
        "a second row for a user; the first one counts",
        "user_id",
    )
    log.drop(
        "unknown users",
        "users",
        "user_id NOT IN (SELECT user_id FROM user_numbers)",
        "a row for a user of whom the corpus has no event and no impression",
        "user_id",
    )
    rows = log.rows("user_numbers")
    lacking = rows - log.rows("users")
    without = f'SELECT user_id FROM user_numbers ANTI JOIN users USING (user_id) ORDER BY "user" LIMIT {EXAMPLES}'
    reason = f"{lacking} users have no row in the table of users: their attributes are null; every user stays"
    log.quality.count("users without a row", rows, rows, reason, [row[0] for row in log.sql(without)])
