"""Profiles of columns: types, cardinalities, ranges and examples of the sampled rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interestrec.rawfiles.column_names import identifier
from interestrec.rawfiles.raw_log import RawLog

NULL_WORDS = ("", "na", "n/a", "nan", "null", "none", "\\n", "-", "<na>")
_CHARACTERS = 400  # of a text that its statistics are taken of
_FREQUENT = 30  # values of a column that are kept with their counts
_NULLS = ", ".join("'" + word.replace("'", "''") + "'" for word in NULL_WORDS)


@dataclass(frozen=True)
class ColumnProfile:
    """What the sampled rows of a column hold; shares are of the filled values, in [0, 1]."""

    name: str
    sql_type: str
    rows: int
    filled: int  # rows that are neither null nor a written-out null
    distinct: int
    numbers: float  # share that are numbers
    whole: float  # share that are whole numbers
    low: float | None  # least number
    high: float | None  # greatest number
    middle: float | None  # median of the numbers
    top: float | None  # their 99 % quantile
    words: float  # words of a text, mean
    long_words: float  # words of a text, 90 % quantile
    letters: float  # share with a letter
    foreign: float  # share whose letters are mostly outside the Latin script
    lists: float  # share that are lists: typed, or written as JSON or Python
    links: float  # share that are addresses of web pages
    frequent: tuple[tuple[str, int], ...]  # most frequent values and their counts

    @property
    def is_list(self) -> bool:
        """Whether the values are lists."""
        return self.sql_type.endswith("[]") or self.lists > 0.8

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers."""
        return self.filled > 0 and self.numbers >= 0.98

    @property
    def is_typed_time(self) -> bool:
        """Whether the file stores times as such."""
        return self.sql_type.startswith(("TIMESTAMP", "DATE"))

    @property
    def filled_share(self) -> float:
        """Share of the rows that have a value."""
        return self.filled / self.rows if self.rows else 0.0

    @property
    def repetition(self) -> float:
        """Rows per different value."""
        return self.filled / self.distinct if self.distinct else 0.0

    @property
    def is_key(self) -> bool:
        """Whether nearly every row has a value of its own."""
        return self.filled_share > 0.99 and self.distinct >= 0.98 * self.filled and self.filled > 1


def text_of(column: str) -> str:
    """Return the SQL of a column's value as trimmed text, null where it is a written-out null."""
    text = f"trim(CAST({identifier(column)} AS VARCHAR))"
    return f"CASE WHEN lower({text}) NOT IN ({_NULLS}) THEN {text} END"


def key_of(column: str) -> str:
    """Return the SQL of a column's value as an id to be compared between tables: a whole number loses its fraction."""
    return f"regexp_replace({text_of(column)}, '\\.0+$', '')"


def profile_columns(log: RawLog, relation: str, types: Sequence[tuple[str, str]]) -> list[ColumnProfile]:
    """Return the profile of each column (name, SQL type) of a relation of the log's database."""
    return [_profile(log, relation, name, sql_type) for name, sql_type in types]


def _profile(log: RawLog, relation: str, name: str, sql_type: str) -> ColumnProfile:
    foreign = "regexp_replace(t, '[\\p{Latin}\\P{L}]', '', 'g')"
    log.db.execute(f"CREATE OR REPLACE TEMP TABLE profiled AS SELECT {text_of(name)} AS t FROM {relation}")
    (
        rows,
        filled,
        distinct,
        numbers,
        whole,
        low,
        high,
        middle,
        top,
        words,
        long_words,
        letters,
        foreign_count,
        lists,
        links,
    ) = log.sql(
        f"""
        WITH values_ AS (
            SELECT left(t, {_CHARACTERS}) AS t, hash(t) AS whole, try_cast(t AS DOUBLE) AS n,
                len(string_split_regex(left(t, {_CHARACTERS}), '\\s+')) AS w
            FROM profiled
        )
        SELECT count(*), count(t), count(DISTINCT whole) FILTER (WHERE t IS NOT NULL),
            count(n) FILTER (WHERE isfinite(n)),
            count(n) FILTER (WHERE isfinite(n) AND n = floor(n)), min(n) FILTER (WHERE isfinite(n)),
            max(n) FILTER (WHERE isfinite(n)), median(n) FILTER (WHERE isfinite(n)),
            quantile_cont(n, 0.99) FILTER (WHERE isfinite(n)), avg(w) FILTER (WHERE t IS NOT NULL),
            quantile_cont(w, 0.9) FILTER (WHERE t IS NOT NULL), count(*) FILTER (WHERE regexp_matches(t, '\\pL')),
            count(*) FILTER (WHERE len({foreign}) > len(regexp_replace(t, '\\P{{L}}', '', 'g')) / 2),
            count(*) FILTER (WHERE t LIKE '[%'), count(*) FILTER (WHERE regexp_matches(t, '^https?://'))
        FROM values_
        """
    )[0]
    frequent = log.sql(
        f"SELECT t, count(*) AS n FROM profiled WHERE t IS NOT NULL GROUP BY t ORDER BY n DESC, t LIMIT {_FREQUENT}"
    )
    share = filled or 1
    return ColumnProfile(
        name=name,
        sql_type=sql_type,
        rows=rows,
        filled=filled,
        distinct=distinct,
        numbers=numbers / share,
        whole=whole / share,
        low=low,
        high=high,
        middle=middle,
        top=top,
        words=float(words or 0),
        long_words=float(long_words or 0),
        letters=letters / share,
        foreign=foreign_count / share,
        lists=lists / share,
        links=links / share,
        frequent=tuple((str(value), count) for value, count in frequent),
    )
