"""Prefetching with threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_THREADS = 2


def prefetch(blocks: Iterable[T], work: Callable[[T], R]) -> Iterator[R]:
    """Yield `work(block)` for each block in order, while two threads compute the next results."""
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for block in blocks:
            pending.append(pool.submit(work, block))
            if len(pending) > _THREADS:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
