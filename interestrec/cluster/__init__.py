"""Dask distributed: places parts of stages on workers."""
