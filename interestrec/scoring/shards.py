"""Shards: the requests and impressions of one part of a run, and upcoming requests for scorers that encode texts."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import DataError
from interestrec.corpus.store import Corpus
from interestrec.io import files
from interestrec.scorers import queries
from interestrec.scorers.random import id_hashes
from interestrec.scorers.requests import Requests, request_blocks
from interestrec.scoring.impression_scores import impression_blocks

_BATCH = 1 << 14  # requests per block
_MAX_SHARDS = 64  # for workers: opening what all need takes seconds per shard


def shard_range(blocks: Iterable[tuple[int, int]], shard: tuple[int, int]) -> tuple[int, int]:
    """Return the range of rows of a shard, a pair of its number from 1 and the number of shards.

    A shard consists of complete blocks, so that the results equal those of an unsharded run; with fewer blocks than
    shards some shards are empty.

    Args:
        blocks: ranges of all rows, in order.
    """
    number, shards = shard
    bounds = [0, *(stop for _, stop in blocks)]
    begin, end = (bounds[n * (len(bounds) - 1) // shards] for n in (number - 1, number))
    return begin, end


@dataclass(frozen=True)
class ShardedRequests:
    """The requests and the impressions of a run, by shard."""

    log: Corpus
    as_of: int | None  # microseconds; None: the lists are those of the test split
    users: Path | None  # file with one user id per line; None: all users
    to_corpus_id: Callable[[str], str] | None  # see `user_rows`
    sample: int | None  # number of users of the test split; None: all
    seed: int

    def requests(self, shard: tuple[int, int]) -> Requests:
        """Return the requests for lists of a shard; for a point in time only the events of its users are read."""
        first, last = shard_range(request_blocks(self._count, self.log.items.num_rows), shard)
        if self.as_of is None:
            return self._of_test.block(first, last)
        return queries.requests_as_of(self.log, self.as_of, self._users[first:last])

    def impressions(self, shard: tuple[int, int]) -> np.ndarray:
        """int64: the rows of the test impressions of a shard; for a point in time there are none."""
        if self.as_of is not None:
            return np.zeros(0, np.int64)
        is_test = self.log.impressions.split == queries.TEST
        chosen = is_test if self._sampled is None else is_test & self._sampled[self.log.impressions.user]
        test = np.flatnonzero(chosen)
        return test[slice(*shard_range(impression_blocks(self.log, test), shard))]

    @property
    def shards(self) -> int:
        """Number of shards that workers make; it does not depend on their number, so that others may go on."""
        items = self.log.items.num_rows
        blocks = (request_blocks(self._count, items), impression_blocks(self.log, self.impressions((1, 1))))
        return min(max(1, *(sum(1 for _ in ranges) for ranges in blocks)), _MAX_SHARDS)

    @property
    def test_users(self) -> int | None:
        """Number of users that the sample is of; None: there is none."""
        return None if self._sampled is None else len(users_of_test(self.log))

    @property
    def _count(self) -> int:
        return len(self._of_test if self.as_of is None else self._users)

    @cached_property
    def _of_test(self) -> Requests:
        """All requests of the test split; a worker that makes several shards reads them once.

        Raises:
            DataError: the test split is empty.
        """
        if (self.log.impressions.split == queries.TEST).any():
            return queries.catalogue_requests(self.log, queries.TEST, self._sampled)
        raise DataError(
            f"{self.log.path}: the test split is empty, so there is nothing to rank; check preprocess.split, or "
            "request lists for a time with --as-of"
        )

    @cached_property
    def _users(self) -> np.ndarray:
        """int64: the users whose lists for a time are asked for, in the order of the lists.

        Raises:
            DataError: a user id is unknown.
        """
        if self.users is None:
            return np.arange(self.log.users.num_rows)
        return user_rows(self.users, self.log.users["user_id"], self.to_corpus_id)

    @cached_property
    def _sampled(self) -> np.ndarray | None:
        """The users of the test split that are ranked, bool [users]; None: all are."""
        if self.sample is None or self.as_of is not None:
            return None
        return sampled_users(self.log, self.sample, self.seed)


def users_of_test(corpus: Corpus) -> np.ndarray:
    """int32: the users with an impression in the test split, ascending."""
    return np.unique(corpus.impressions.user[corpus.impressions.split == queries.TEST])


def sampled_users(corpus: Corpus, most: int, seed: int) -> np.ndarray:
    """Return the users of the test split with the lowest hashes, bool [users].

    A hash depends on the user's id and the seed alone, so that a larger sample has the users of a smaller one.
    """
    users = users_of_test(corpus)
    hashes = id_hashes(corpus.users["user_id"].take(pa.array(users)).to_pylist(), seed)
    chosen = np.zeros(corpus.users.num_rows, dtype=bool)
    chosen[users[np.argsort(hashes)[:most]]] = True
    return chosen


def upcoming_requests(corpus: Corpus, impressions: np.ndarray, requests: Requests) -> Iterator[Requests]:
    """Yield blocks that include all requests that scorers receive.

    Args:
        impressions: int64, rows of the test impressions that are ranked.
        requests: requests for catalogue lists.
    """
    seen = np.unique(np.concatenate([np.flatnonzero(corpus.impressions.split == queries.VALID), impressions]))
    for start in range(0, len(seen), _BATCH):
        yield queries.impression_queries(corpus, seen[start : start + _BATCH]).requests
    for part in (queries.catalogue_requests(corpus, queries.VALID), requests):
        for start in range(0, len(part), _BATCH):
            yield part.block(start, start + _BATCH)


def user_rows(path: Path, known: pa.ChunkedArray, to_corpus_id: Callable[[str], str] | None = None) -> np.ndarray:
    """int64: the rows of the users in a file with one user id per line.

    Args:
        known: user ids of the corpus.
        to_corpus_id: maps an id of the file to an id of the corpus; messages then contain no ids.

    Raises:
        DataError: a user id is unknown.
    """
    lines = files.read_lines(path)
    ids = lines if to_corpus_id is None else [to_corpus_id(line) if line else "" for line in lines]
    rows = pc.index_in(pa.array(ids, pa.string()), value_set=known.combine_chunks())
    unknown = [
        number for number, (name, row) in enumerate(zip(ids, rows.to_pylist(), strict=True)) if name and row is None
    ]
    if unknown:
        first = unknown[0]
        who = f"user '{ids[first]}'" if to_corpus_id is None else "such user"
        raise DataError(f"{path}:{first + 1}: no {who} in the corpus; {len(unknown):,} such lines")
    return rows.drop_null().to_numpy().astype(np.int64)
