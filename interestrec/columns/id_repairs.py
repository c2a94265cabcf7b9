"""Spellings under which ids of one table would be found in another, for advice where they are not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from interestrec.columns.id_notations import IdSpelling
from interestrec.rawfiles.raw_log import RawLog

_MIN_SHARE = 0.5  # of the ids that are not found: a repair that finds fewer does not explain why


@dataclass(frozen=True)
class IdRepair:
    """A spelling of ids, and how many distinct ids it would find."""

    spelling: IdSpelling
    found: int

    @property
    def setting(self) -> str:
        """The spelling as the configuration writes it: `{zero_pad: 10}`."""
        values = self.spelling.model_dump(exclude_defaults=True)
        pairs = (f"{key}: {str(value).lower() if value is True else value}" for key, value in values.items())
        return f"{{{', '.join(pairs)}}}"


@dataclass(frozen=True)
class RepairAdvice:
    """What the usual repairs of ids would find of the ids that are not found."""

    missing: int  # distinct ids that are not found
    repairs: list[IdRepair]  # those that find any, the best first

    @property
    def explains(self) -> bool:
        """Whether a repair finds so many ids that their spelling is why they are not found."""
        return bool(self.repairs) and self.repairs[0].found >= _MIN_SHARE * self.missing

    def sentence(self, key: str) -> str:
        """Return what would be found; `key` is the configuration key of the spelling, such as `data.ids`."""
        if not self.repairs:
            tried = "the usual repairs (without `.0`, with and without leading zeros, in one case)"
            return f"none of {self.missing:,} distinct ids would be found by {tried}: check the columns"
        found = (f"{repair.found:,} with `{key}: {repair.setting}`" for repair in self.repairs)
        return f"of {self.missing:,} distinct ids would be found: {', '.join(found)}"


def repair_advice(log: RawLog, missing: str, known: str) -> RepairAdvice:
    """Try the usual repairs of ids.

    Args:
        missing: query of the distinct ids `id` that are not found.
        known: query of the distinct ids `id` among which they are looked for.
    """
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE missing_ids AS {missing}; CREATE OR REPLACE TEMP TABLE known_ids AS {known}"
    )
    repairs = []
    for spelling in _candidates(log):
        ids = spelling.expression("id")
        found = log.number(f"SELECT count(*) FROM missing_ids WHERE {ids} IN (SELECT {ids} FROM known_ids)")
        if found:
            repairs.append(IdRepair(spelling, found))
    total = log.rows("missing_ids")
    log.db.execute("DROP TABLE missing_ids; DROP TABLE known_ids")
    return RepairAdvice(total, sorted(repairs, key=lambda repair: -repair.found))


def _candidates(log: RawLog) -> Iterator[IdSpelling]:
    """Yield the spellings to try: one change each, and `.0` together with zeros."""
    ids = "(FROM known_ids UNION ALL FROM missing_ids)"
    widths = log.sql(
        f"SELECT length(id) FROM {ids} WHERE starts_with(id, '0') GROUP BY 1 ORDER BY count(*) DESC, 1 DESC LIMIT 1"
    )
    has_fraction = log.sql(f"FROM {ids} WHERE regexp_matches(id, '[.]0+$') LIMIT 1")
    zeros = [{"zero_pad": widths[0][0]}, {"strip_zeros": True}] if widths else []
    fractions = [{"strip_fraction": True}] if has_fraction else []
    both = [{**fraction, **zero} for fraction in fractions for zero in zeros]
    for changes in [*fractions, *zeros, *both, {"case": "lower"}]:
        yield IdSpelling.model_validate(changes)
