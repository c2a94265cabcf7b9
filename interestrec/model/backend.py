"""TensorFlow and Keras, loaded at their first use and without the notices that they print at start.

`from interestrec.model.backend import tf` takes the place of `import tensorflow as tf` everywhere: modules that name
losses, negatives or objectives can then be imported, and a configuration be checked against them, without the three
seconds that TensorFlow takes.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import DeferredModule


@contextmanager
def _silent() -> Iterator[None]:
    """Standard error to nowhere, for C++ code that logs before it reads any setting."""
    saved = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(null)
        os.close(saved)


@cache
def _load(name: str) -> ModuleType:
    """The module, after TensorFlow's first import and first look for devices, whose notices no log level turns off.

    An ImportError still comes through: it is raised, not printed.
    """
    with _silent():
        importlib.import_module("tensorflow").config.list_physical_devices()
    return importlib.import_module(name)


class _QuietModule(DeferredModule):
    """A module that is imported at its first use, TensorFlow's notices aside."""

    def _imported(self) -> ModuleType:
        return _load(self.__name__)


if TYPE_CHECKING:
    import keras as keras
    import tensorflow as tf
else:
    tf, keras = _QuietModule("tensorflow"), _QuietModule("keras")
