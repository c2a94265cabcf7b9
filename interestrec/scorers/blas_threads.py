"""Sums over several threads come out different from run to run and from machine to machine."""

from typing import Any


def one_blas_thread() -> Any:
    """Context in which matrix products and factorisations run on one thread."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")
