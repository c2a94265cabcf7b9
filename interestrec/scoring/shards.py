"""Which requests are scored: parts of them, and all of them ahead of time."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import DataError
from interestrec.corpus.store import Corpus
from interestrec.io import files
from interestrec.scorers import queries
from interestrec.scorers.request_blocks import blocks
from interestrec.scorers.requests import Requests

_TOGETHER = 1 << 14  # requests


def shard_range(requests: int, n_items: int, shard: tuple[int, int]) -> tuple[int, int]:
    """Where a shard (number from 1, how many) of the requests begins and ends.

    It is made of whole blocks, so that each is computed as it is in the whole; with fewer blocks than shards some
    shards are empty.
    """
    number, shards = shard
    bounds = [*(start for start, _ in blocks(requests, n_items)), requests]
    begin, end = (bounds[n * (len(bounds) - 1) // shards] for n in (number - 1, number))
    return begin, end


def upcoming_requests(corpus: Corpus, impressions: np.ndarray, requests: Requests) -> Iterator[Requests]:
    """Blocks of all requests that scorers will see, and of some more.

    Args:
        impressions: int64, rows of the test impressions that are ranked.
        requests: for lists over the catalogue.
    """
    seen = np.unique(np.concatenate([np.flatnonzero(corpus.impressions.split == queries.VALID), impressions]))
    for start in range(0, len(seen), _TOGETHER):
        yield queries.impression_queries(corpus, seen[start : start + _TOGETHER]).requests
    for asked in (queries.catalogue_requests(corpus, queries.VALID), requests):
        for start in range(0, len(asked), _TOGETHER):
            yield asked.block(start, start + _TOGETHER)


def user_rows(path: Path, known: pa.ChunkedArray, named: Callable[[str], str] | None = None) -> np.ndarray:
    """int64: the rows of the users that a file lists, one id a line.

    Args:
        named: from an id in the file to that in `known`; ids are then quoted in no message.

    Raises:
        DataError: an id is unknown.
    """
    lines = files.read_lines(path)
    ids = lines if named is None else [named(line) if line else "" for line in lines]
    rows = pc.index_in(pa.array(ids, pa.string()), value_set=known.combine_chunks())
    unknown = [
        number for number, (name, row) in enumerate(zip(ids, rows.to_pylist(), strict=True)) if name and row is None
    ]
    if unknown:
        first = unknown[0]
        who = f"user '{ids[first]}'" if named is None else "such user"
        raise DataError(f"{path}:{first + 1}: no {who} in the corpus; {len(unknown):,} such lines")
    return rows.drop_null().to_numpy().astype(np.int64)
