"""What was known at the moment of a request, as features of items and of users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from interestrec.core.deferred_import import np, pa
from interestrec.corpus.counters import WINDOWS, EventCounters
from interestrec.corpus.counts_at_times import CountsAtTimes
from interestrec.corpus.no_time import NO_TIME

if TYPE_CHECKING:
    from interestrec.corpus.store import Corpus

_DAY = 86_400_000_000  # microseconds
_WEEK, _MONTH = (list(WINDOWS).index(name) for name in ("7d", "30d"))
_WEEKS_PER_MONTH = 30 / 7
ITEM_FEATURES = len(WINDOWS) + 4
USER_FEATURES = len(WINDOWS) + 5


@dataclass(frozen=True)
class Moments:
    """Features of items and users at any time, from what happened strictly before it.

    Of an item: log(1 + events) per window of `counters.WINDOWS`; the trend ln((1 + events of 7 days) / (1 + 7/30 events
    of 30 days)); whether it had an event; log(1 + days) since its first event; and log(1 + days) since its publication.
    Of a user: log(1 + events) per window; log(1 + days) since the last event; whether there was one; and the sine and
    cosine of the hour in UTC and 1. Unknown values are 0, and so is everything at NO_TIME: of a moment that is not
    known nothing is known.
    """

    items: EventCounters
    catalogue: CountsAtTimes
    users: EventCounters
    published: np.ndarray  # int64 [items], microseconds, NO_TIME where unknown

    @classmethod
    def of(cls, corpus: Corpus) -> Moments:
        """Return the moments of a corpus; see `Corpus.counters` for the events that count."""
        published = corpus.items["published"].cast(pa.int64()).fill_null(NO_TIME).to_numpy()
        return cls(corpus.counters, corpus.counts_at_times, corpus.user_counters, published)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all that is known as numeric arrays by name."""
        parts = {"items": self.items.arrays(), "catalogue": self.catalogue.arrays(), "users": self.users.arrays()}
        named = {f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}
        return {**named, "published": self.published}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Restore the result of `arrays`."""

        def part(prefix: str) -> dict[str, np.ndarray]:
            return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

        return cls(
            items=EventCounters.from_arrays(part("items.")),
            catalogue=CountsAtTimes.from_arrays(part("catalogue.")),
            users=EventCounters.from_arrays(part("users.")),
            published=arrays["published"],
        )

    def item_features(self, item: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return the features of items at times: float32 [n, ITEM_FEATURES], from int [n] and int64 [n]."""
        return self._of_items(self.items.counts(item, time), self.catalogue.first[item], self.published[item], time)

    def catalogue_features(self, time: int) -> np.ndarray:
        """Return the features of all items at one time: float32 [items, ITEM_FEATURES]."""
        return self._of_items(self.catalogue.at(time), self.catalogue.first, self.published, np.array(time))

    def user_features(self, user: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return the features of users at times: float32 [n, USER_FEATURES], from int [n] and int64 [n].

        Of a user −1, who is not in the corpus, no event is known.
        """
        present = user >= 0
        counts = np.zeros((len(user), len(WINDOWS)), np.float32)
        counts[present] = np.log1p(self.users.counts(user[present], time[present]))
        last = np.full(len(user), np.nan, np.float32)
        last[present] = self.users.since_last(user[present], time[present])
        hour = 2 * np.pi * (time % _DAY) / _DAY
        timed = time != NO_TIME
        clock = np.stack([np.sin(hour), np.cos(hour), np.ones(len(time))], axis=1) * timed[:, None]
        known = np.isfinite(last)
        recency = np.stack([np.log1p(np.where(known, last, 0.0)), known], axis=1)
        return np.concatenate([counts, recency, clock], axis=1).astype(np.float32)

    def _of_items(self, counts: np.ndarray, first: np.ndarray, published: np.ndarray, time: np.ndarray) -> np.ndarray:
        trend = np.log1p(counts[:, _WEEK]) - np.log1p(counts[:, _MONTH] / _WEEKS_PER_MONTH)
        timed = time != NO_TIME
        known = timed & (first < time)
        dated = timed & (published != NO_TIME) & (published <= time)
        since_first = np.log1p(np.where(known, time - np.where(known, first, 0), 0) / _DAY)
        since_published = np.log1p(np.where(dated, time - np.where(dated, published, 0), 0) / _DAY)
        others = np.stack([trend, known, since_first, since_published], axis=1)
        return np.concatenate([np.log1p(counts), others], axis=1).astype(np.float32)
