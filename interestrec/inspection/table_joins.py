"""Joins between sampled tables: which column's values are found in another table's key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interestrec.inspection.column_profile import ColumnProfile, key_of
from interestrec.inspection.role_names import words_of
from interestrec.inspection.sampled_table import SampledTable
from interestrec.rawfiles.raw_log import RawLog

_VALUES = 5_000  # different values of a column that are looked up
_SHARED = 1.1  # values of two columns, as a multiple of the different ones, from which on they are of one kind
_FEW = 20  # different values of a column that may be people
_EVIDENCE = 0.5  # score of a column whose values are people elsewhere
_LEAST = 0.2  # share found below which two columns have nothing to do with each other


@dataclass(frozen=True)
class TableJoin:
    """A column whose values are found in the key of another table."""

    table: int  # position of the table with the column
    column: str
    key_table: int
    key: str
    found: float  # share of the column's different values that the key has
    covered: float  # share of the key's values that the column has
    is_same_name: bool

    @property
    def strength(self) -> float:
        """How much the join says: small integers are found in any key that counts from 1, but do not cover it."""
        return self.found * (0.4 + 0.6 * self.covered) + (0.3 if self.is_same_name else 0.0)


def can_be_id(column: ColumnProfile) -> bool:
    """Whether the values of a column may identify something."""
    if column.is_list or column.is_typed_time or column.distinct < 2 or column.links > 0.5:
        return False
    return column.words < 4 and column.numbers - column.whole < 0.02


def find_joins(log: RawLog, tables: Sequence[SampledTable]) -> list[TableJoin]:
    """Return the joins between columns that may be ids and keys of other tables, strongest first."""
    joins = []
    for key_table, keyed in enumerate(tables):
        for key in keyed.columns:
            if not (key.is_key and can_be_id(key)):
                continue
            keys = f"SELECT DISTINCT {key_of(key.name)} AS k FROM {keyed.relation}"
            log.db.execute(f"CREATE OR REPLACE TEMP TABLE key_values AS {keys}")
            for table, other in enumerate(tables):
                if table == key_table:
                    continue
                joins += [
                    join
                    for column in other.columns
                    if can_be_id(column)
                    and _are_alike(column, key)
                    and (join := _join(log, table, other, column, key_table, key))
                ]
    return sorted(joins, key=lambda join: -join.strength)


def _are_alike(column: ColumnProfile, key: ColumnProfile) -> bool:
    return (column.numbers > 0.5) == (key.numbers > 0.5)


def _has_equal_name(column: ColumnProfile, key: ColumnProfile) -> bool:
    """Whether both columns have the same words; columns without a header are numbered, which says nothing."""
    return words_of(column.name) == words_of(key.name) and not column.name.isdigit()


def _join(
    log: RawLog, table: int, other: SampledTable, column: ColumnProfile, key_table: int, key: ColumnProfile
) -> TableJoin | None:
    looked_up, found = log.sql(
        f"SELECT count(*), count(k) FROM (SELECT DISTINCT {key_of(column.name)} AS v FROM {other.relation} "
        f"WHERE {key_of(column.name)} IS NOT NULL LIMIT {_VALUES}) LEFT JOIN key_values ON v = k"
    )[0]
    if not looked_up or found < _LEAST * looked_up:
        return None
    share = found / looked_up
    covered = min(1.0, share * column.distinct / max(key.distinct, 1))
    return TableJoin(table, column.name, key_table, key.name, share, covered, _has_equal_name(column, key))


def find_people(log: RawLog, tables: Sequence[SampledTable]) -> dict[int, dict[str, float]]:
    """Return the columns whose values other tables relate to each other, as friends are, with the share found there.

    A table relates people if its first two columns that may be ids have values in common, and no value of its own in
    every row.
    """
    people: dict[int, dict[str, float]] = {}
    for position, relation in enumerate(tables):
        ids = [column for column in relation.columns if can_be_id(column) and column.distinct > 2]
        if len(relation.columns) > 4 or len(ids) < 2 or any(column.is_key for column in ids[:2]):
            continue
        one, other = (key_of(column.name) for column in ids[:2])
        log.db.execute(
            f"CREATE OR REPLACE TEMP TABLE related AS SELECT DISTINCT {one} AS k FROM {relation.relation} UNION "
            f"SELECT DISTINCT {other} FROM {relation.relation}"
        )
        together = log.rows("related")
        if ids[0].distinct + ids[1].distinct < _SHARED * together:
            continue
        for table, events in enumerate(tables):
            candidates = [
                column
                for column in events.columns
                if table != position and can_be_id(column) and not column.is_key and column.distinct > _FEW
            ]
            shares = {column.name: _shares(log, events, column, "related") for column in candidates}
            name = max(shares, key=lambda name: shares[name], default="")
            if name and shares[name][0] > _LEAST:
                people.setdefault(table, {})[name] = _EVIDENCE
    return people


def _shares(log: RawLog, table: SampledTable, column: ColumnProfile, keys: str) -> tuple[float, float]:
    """Return the values that a column has in common with keys, as a share of the keys (in percent) and of the column.

    Where ids count from 1, a column with more different values has them all; then the one with fewer others is meant.
    """
    found = log.number(f"SELECT count(*) FROM {keys} WHERE k IN (SELECT {key_of(column.name)} FROM {table.relation})")
    return round(found / max(log.rows(keys), 1), 2), found / column.distinct
