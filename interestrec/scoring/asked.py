"""Which requests are scored: parts of them, and all of them ahead of time."""

from collections.abc import Iterator

import numpy as np

from interestrec.corpus.store import Corpus
from interestrec.scoring import histories
from interestrec.scoring.blocks import blocks
from interestrec.scoring.fit_blend import blend_impressions
from interestrec.scoring.requests import Requests
from interestrec.scoring.search import selecting_impressions

_TOGETHER = 1 << 14  # requests


def part(requests: int, n_items: int, shard: tuple[int, int]) -> tuple[int, int]:
    """Where a shard (number from 1, how many) of the requests begins and ends.

    It is made of whole blocks, so that each is computed as it is in the whole; with fewer blocks than shards some
    shards are empty.
    """
    number, shards = shard
    bounds = [*(start for start, _ in blocks(requests, n_items)), requests]
    begin, end = (bounds[n * (len(bounds) - 1) // shards] for n in (number - 1, number))
    return begin, end


def ahead(corpus: Corpus, impressions: np.ndarray, requests: Requests) -> Iterator[Requests]:
    """Blocks of all requests that scorers will see, and of some more.

    Args:
        impressions: int64, rows of the test impressions that are ranked.
        requests: for lists over the catalogue.
    """
    seen = np.unique(np.concatenate([blend_impressions(corpus), impressions, selecting_impressions(corpus)]))
    for start in range(0, len(seen), _TOGETHER):
        yield histories.of_impressions(corpus, seen[start : start + _TOGETHER]).requests
    for asked in (histories.of_catalogue(corpus, histories.VALID), requests):
        for start in range(0, len(asked), _TOGETHER):
            yield asked.block(start, start + _TOGETHER)
