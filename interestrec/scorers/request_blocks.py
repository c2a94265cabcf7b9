"""Work in blocks, so that memory does not grow with the number of requests."""

from collections.abc import Iterator

_CELLS = 1 << 22  # requests × items of one dense block


def blocks(requests: int, n_items: int) -> Iterator[tuple[int, int]]:
    """Ranges of requests, each small enough for a dense matrix over all items."""
    step = max(1, _CELLS // max(n_items, 1))
    for start in range(0, requests, step):
        yield start, min(start + step, requests)
