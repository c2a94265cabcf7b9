"""Products of rows that do not depend on the other rows, bit for bit.

BLAS chooses its kernels by the shape of a product, and a kernel may sum the rows at its edge in another order than the
others. A request would then get other bits in a batch than alone. Here every product has one shape.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any

from interestrec.core.deferred_import import np

# Rows of one product. Kernels of OpenBLAS for AVX2 sum the columns of a product of 32 in groups, each in an order of
# its own; 8 are one group on every processor. More would also delay the answer to a single request.
_ROWS = 8
_OTHERS = 2048  # of one product: they stay in a core's cache for all rows


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

    Rows are multiplied 8 at a time, padded with zeros, as the columns of the product: they share the lanes of a vector
    and so the order of sums. With the rows as rows, OpenBLAS gave a row of float64 other bits by its place among 16.

    Args:
        rows: float [rows, width].
        right: float [others, width], fastest where rows are contiguous.
    """
    count, others = len(rows), len(right)
    if others == 1:  # BLAS would multiply by a vector
        return row_products(rows, np.repeat(right, 2, axis=0))[:, :1]
    right = np.ascontiguousarray(right)
    out = np.empty((count, others), right.dtype)
    padded = np.zeros((-(-count // _ROWS) * _ROWS, rows.shape[1]), right.dtype)
    padded[:count] = rows
    with one_blas_thread():
        for first in range(0, others - 1, _OTHERS):
            tile = slice(first, others if first + _OTHERS == others - 1 else first + _OTHERS)  # none of one row
            for start in range(0, count, _ROWS):
                product = right[tile] @ padded[start : start + _ROWS].T
                out[start : start + _ROWS, tile] = product.T[: count - start]
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
