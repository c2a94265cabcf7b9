"""User identities in a raw log: deletion of forgotten users and pseudonymisation of ids."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from interestrec.core.errors import ArtifactError
from interestrec.io.pseudonyms import fingerprint, pseudonym
from interestrec.rawfiles.raw_log import RawLog
from interestrec.workspace.forgotten import ForgottenUsers

PSEUDONYMS = "pseudonyms"  # key of a corpus's configuration with the fingerprint of the pseudonym key
_USER_TABLES = ("events", "impressions", "segments", "users")  # tables of a raw log with user ids
_ROWS = 1 << 18


def forget(log: RawLog, forgotten: ForgottenUsers) -> None:
    """Delete all rows of forgotten users; quality counts have no examples."""
    _map(log, "left", "user_id", _USER_TABLES, lambda name: name if name in forgotten else None)
    condition = "user_id IN (SELECT other FROM left_as)"
    # Some items are described only by events; clicks and logged histories belong to impressions.
    log.db.execute(f"DELETE FROM items WHERE event_ord IN (SELECT ord FROM events WHERE {condition})")
    for table in ("clicks", "impression_segments"):
        log.db.execute(f"DELETE FROM {table} WHERE ord IN (SELECT ord FROM impressions WHERE {condition})")
    for table in _USER_TABLES:
        rows = log.rows(table)
        log.db.execute(f"DELETE FROM {table} WHERE {condition}")
        log.quality.count("forgotten", rows, log.rows(table), f"{table} of users to be forgotten")
    log.db.execute("DROP TABLE left_as")


def pseudonymise(log: RawLog, key: bytes) -> None:
    """Replace user ids by pseudonyms, and also impression ids, because these may contain user ids."""
    for column, tables in {"user_id": _USER_TABLES, "impression_id": ("impressions",)}.items():
        _map(log, "known", column, tables, lambda name: pseudonym(key, name))
        for table in tables:
            log.replace_table(
                table,
                f"SELECT t.* REPLACE (other AS {column}) FROM {table} t LEFT JOIN known_as k ON t.{column} = k.name",
            )
        log.db.execute("DROP TABLE known_as")


def user_id_mapper(key: bytes | None, config: Mapping[str, Any]) -> Callable[[str], str]:
    """Return the function from a user's original id to the id in a corpus.

    Args:
        key: pseudonym key; None = ids are unchanged.
        config: configuration in the corpus's manifest.

    Raises:
        ArtifactError: the corpus was made with another key, or without one.
    """
    if key is None:
        return str
    if config.get(PSEUDONYMS) != fingerprint(key):
        reason = "another key than" if PSEUDONYMS in config else "no key, in contrast to"
        raise ArtifactError(f"the corpus was made with {reason} preprocess.pseudonym_key; run `interestrec preprocess`")
    return lambda name: pseudonym(key, name)


def _map(log: RawLog, name: str, column: str, tables: tuple[str, ...], other: Callable[[str], str | None]) -> None:
    """Create a table `<name>_as` (name, other) of each distinct value and `other(value)`, except where that is None."""
    union = " UNION ".join(f"SELECT {column} FROM {table}" for table in tables)
    log.db.execute(
        f"CREATE TEMP TABLE {name}_as (name VARCHAR, other VARCHAR);"
        f"CREATE TEMP TABLE distinct_values AS "
        f"SELECT DISTINCT {column} AS name FROM ({union}) WHERE {column} IS NOT NULL"
    )
    for start in range(0, log.rows("distinct_values"), _ROWS):
        rows = log.table(f"SELECT name FROM distinct_values WHERE rowid >= {start} AND rowid < {start + _ROWS}")
        pairs = [(value, result) for value in rows["name"].to_pylist() if (result := other(value)) is not None]
        names, others = zip(*pairs, strict=True) if pairs else ((), ())
        log.insert(
            f"{name}_as", pa.table({"name": pa.array(names, pa.string()), "other": pa.array(others, pa.string())})
        )
    log.db.execute("DROP TABLE distinct_values")
