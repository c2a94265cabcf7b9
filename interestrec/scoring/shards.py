"""Shards: the requests and impressions of one part of a run, and upcoming requests for scorers that encode texts."""

from collections.abc import Callable, Iterable, Iterator
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


def shard_count(corpus: Corpus, requests: int, impressions: np.ndarray) -> int:
    """Return the number of shards that workers make; it does not depend on their number, so that others may go on."""
    blocks = (request_blocks(requests, corpus.items.num_rows), impression_blocks(corpus, impressions))
    return min(max(1, *(sum(1 for _ in ranges) for ranges in blocks)), _MAX_SHARDS)


def requests_of_test(corpus: Corpus, sample: np.ndarray | None) -> Requests:
    """Return all requests of the test split for catalogue lists.

    Args:
        sample: bool [users], the users of the test split that are ranked; None: all.

    Raises:
        DataError: the test split is empty.
    """
    if (corpus.impressions.split == queries.TEST).any():
        return queries.catalogue_requests(corpus, queries.TEST, sample)
    raise DataError(
        f"{corpus.path}: the test split is empty, so there is nothing to rank; check preprocess.split, or "
        "request lists for a time with --as-of"
    )


def requested_users(corpus: Corpus, users: Path | None, to_corpus_id: Callable[[str], str] | None) -> np.ndarray:
    """int64: the users whose lists for a time are asked for, in the order of the lists.

    Args:
        users: file with one user id per line; None: all users.
        to_corpus_id: see `user_rows`.

    Raises:
        DataError: a user id is unknown.
    """
    if users is None:
        return np.arange(corpus.users.num_rows)
    return user_rows(users, corpus.users["user_id"], to_corpus_id)


def shard_impressions(corpus: Corpus, shard: tuple[int, int], sample: np.ndarray | None = None) -> np.ndarray:
    """int64: rows of the test impressions of a shard; `sample` as in `requests_of_test`."""
    is_test = corpus.impressions.split == queries.TEST
    test = np.flatnonzero(is_test if sample is None else is_test & sample[corpus.impressions.user])
    return test[slice(*shard_range(impression_blocks(corpus, test), shard))]


def sampled_users(corpus: Corpus, most: int, seed: int) -> tuple[np.ndarray, int]:
    """Return the users of the test split with the lowest hashes, bool [users], and the number of all of them.

    A hash depends on the user's id and the seed alone, so that a larger sample has the users of a smaller one.
    """
    users = np.unique(corpus.impressions.user[corpus.impressions.split == queries.TEST])
    hashes = id_hashes(corpus.users["user_id"].take(pa.array(users)).to_pylist(), seed)
    chosen = np.zeros(corpus.users.num_rows, dtype=bool)
    chosen[users[np.argsort(hashes)[:most]]] = True
    return chosen, len(users)


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
