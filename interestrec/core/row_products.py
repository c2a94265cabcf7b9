"""Products of rows that do not depend on the other rows, bit for bit.

BLAS chooses its kernels by the shape of a product, and a kernel may sum the rows at its edge in another order than the
others. A request would then get other bits in a batch than alone. Here a product is always one of a matrix and a
vector, in shapes that the matrix determines.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any

from interestrec.core.deferred_import import np

_TILE = 1 << 17  # numbers of one product's matrix, 512 KiB of float32: they stay in a core's cache for all rows
_GROUP = 16  # others of a product are a multiple of it: kernels give those of an incomplete group other bits


class _BlasThreads:
    """The limit of one BLAS thread, which is one for all threads of the process: the last one to leave lifts it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.users = 0
        self.limit = ExitStack()
        self.controller: Any = None
        self.modules = 0  # that were loaded when the controller looked for libraries

    def enter(self) -> None:
        from threadpoolctl import ThreadpoolController

        with self.lock:
            is_new = self.modules != len(sys.modules)
            if is_new:  # looking takes 10 ms where TensorFlow is loaded
                self.modules, self.controller = len(sys.modules), ThreadpoolController()
            if is_new or self.users == 0:
                self.limit.enter_context(self.controller.limit(limits=1, user_api="blas"))
            self.users += 1

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self.limit.close()


_threads = _BlasThreads()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Run matrix products and factorisations on one thread.

    The rounding of multi-threaded sums depends on the run and the machine.
    """
    _threads.enter()
    try:
        yield
    finally:
        _threads.leave()


def row_products(rows: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return rows · rightᵀ, [rows, others] of the type of `right`; a row has the same bits whatever the others are.

    On processors with AVX2 or AVX-512 a product does not depend on the number of the others either, so that items that
    join a catalogue leave the scores of those before them as they were.

    One row costs a single pass over `right`. Products of matrices would cost many rows together 15 to 50 % less, but
    one row, padded to the shape of many, three times as much.

    Args:
        rows: float [rows, width].
        right: float [others, width], fastest where rows are contiguous.
    """
    rows, right = np.ascontiguousarray(rows, right.dtype), np.ascontiguousarray(right)
    others, width = right.shape
    out = np.empty((len(rows), others), right.dtype)
    step = max(1, _TILE // max(1, width) // _GROUP) * _GROUP
    complete = others // _GROUP * _GROUP
    with one_blas_thread():
        for first in range(0, complete, step):
            tile = slice(first, min(first + step, complete))
            np.matvec(right[tile], rows, out=out[:, tile])
        if complete < others:
            last = np.zeros((_GROUP, width), right.dtype)
            last[: others - complete] = right[complete:]
            out[:, complete:] = np.matvec(last, rows)[:, : others - complete]
    return out


def pair_dots(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return left[n] · right[n], [pairs] of the type of `right`, with the same bits whatever the other pairs are.

    Args:
        left: float [pairs, …, width].
        right: float, of the same shape or broadcast to it.
    """
    with one_blas_thread():  # einsum cuts long rows where its buffer ends
        return np.vecdot(np.ascontiguousarray(left, right.dtype), np.ascontiguousarray(right))


def row_sums(values: np.ndarray) -> np.ndarray:
    """Return the sums of rows, [rows] of the type of `values`, with the same bits whatever the other rows are.

    NumPy sums along the order in memory: by rows where they are contiguous, otherwise by columns.
    """
    return np.ascontiguousarray(values).sum(axis=1)
