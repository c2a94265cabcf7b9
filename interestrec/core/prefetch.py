"""Work done before it is asked for."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2


def prefetch(blocks: Iterable[T], work: Callable[[T], R]) -> Iterator[R]:
    """`work` of each block, in order; two threads are ahead of whoever takes the results."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(_AHEAD) as pool:
        for block in blocks:
            waiting.append(pool.submit(work, block))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
