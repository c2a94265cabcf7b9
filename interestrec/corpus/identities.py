"""Who the users of a raw log are: some are to be forgotten, and of the others it may tell pseudonyms alone."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from interestrec.core.errors import ArtifactError
from interestrec.formats.raw_log import RawLog
from interestrec.io.pseudonyms import fingerprint, pseudonym
from interestrec.workspace.forgotten import ForgottenUsers

PSEUDONYMS = "pseudonyms"  # of a corpus's configuration: the fingerprint of the key
_OF_USERS = ("events", "impressions", "segments", "users")  # tables of a raw log that name users
_ROWS = 1 << 18


def forget(log: RawLog, forgotten: ForgottenUsers) -> None:
    """Delete all that is of users to be forgotten; counted without examples."""
    _map(log, "left", "user_id", _OF_USERS, lambda name: name if name in forgotten else None)
    named = "user_id IN (SELECT other FROM left_as)"
    # Items that their events alone describe; clicks and stated histories belong to impressions.
    log.db.execute(f"DELETE FROM items WHERE event_ord IN (SELECT ord FROM events WHERE {named})")
    for table in ("clicks", "stated"):
        log.db.execute(f"DELETE FROM {table} WHERE ord IN (SELECT ord FROM impressions WHERE {named})")
    for table in _OF_USERS:
        rows = log.rows(table)
        log.db.execute(f"DELETE FROM {table} WHERE {named}")
        log.quality.count("forgotten", rows, log.rows(table), f"{table} of users to be forgotten")
    log.db.execute("DROP TABLE left_as")


def pseudonymise(log: RawLog, key: bytes) -> None:
    """Put pseudonyms in the place of user ids, and of the impressions' ids, for these may hold the user's."""
    for column, tables in {"user_id": _OF_USERS, "impression_id": ("impressions",)}.items():
        _map(log, "known", column, tables, lambda name: pseudonym(key, name))
        for table in tables:
            log.remake(
                table,
                f"SELECT t.* REPLACE (other AS {column}) FROM {table} t LEFT JOIN known_as k ON t.{column} = k.name",
            )
        log.db.execute("DROP TABLE known_as")


def naming(key: bytes | None, config: Mapping[str, Any]) -> Callable[[str], str]:
    """From a user's id as people know it to that of a corpus.

    Args:
        key: of pseudonyms; without one ids are taken as they are.
        config: the corpus's.

    Raises:
        ArtifactError: the corpus was made with another key, or none.
    """
    if key is None:
        return str
    if config.get(PSEUDONYMS) != fingerprint(key):
        made = "another key than" if PSEUDONYMS in config else "no key, and there is"
        raise ArtifactError(f"the corpus was made with {made} preprocess.pseudonym_key; run `interestrec preprocess`")
    return lambda name: pseudonym(key, name)


def _map(log: RawLog, name: str, column: str, tables: tuple[str, ...], other: Callable[[str], str | None]) -> None:
    """Table `<name>_as` (name, other): what becomes of each distinct value; without those that give None."""
    union = " UNION ".join(f"SELECT {column} FROM {table}" for table in tables)
    log.db.execute(
        f"CREATE TEMP TABLE {name}_as (name VARCHAR, other VARCHAR);"
        f"CREATE TEMP TABLE met AS SELECT DISTINCT {column} AS name FROM ({union}) WHERE {column} IS NOT NULL"
    )
    for start in range(0, log.rows("met"), _ROWS):
        rows = log.table(f"SELECT name FROM met WHERE rowid >= {start} AND rowid < {start + _ROWS}")
        pairs = [(met, found) for met in rows["name"].to_pylist() if (found := other(met)) is not None]
        names, others = zip(*pairs, strict=True) if pairs else ((), ())
        log.insert(
            f"{name}_as", pa.table({"name": pa.array(names, pa.string()), "other": pa.array(others, pa.string())})
        )
    log.db.execute("DROP TABLE met")
