"""TensorFlow and Keras, loaded at first use and without their start-up notices.

Every module writes `from interestrec.model.backend import tf` in place of `import tensorflow as tf`. Modules that
name losses, negatives or objectives can then be imported, and a configuration can be checked against them, without
the three seconds that TensorFlow takes to load.
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
    """Discard standard error, because C++ code logs there before it reads any setting."""
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
    """Import a module after TensorFlow's import and device discovery, whose notices no log level suppresses.

    An ImportError is still raised.
    """
    with _silent():
        importlib.import_module("tensorflow").config.list_physical_devices()
    return importlib.import_module(name)


class _QuietModule(DeferredModule):
    """A module that is imported at its first use, without TensorFlow's notices."""

    def _imported(self) -> ModuleType:
        return _load(self.__name__)


if TYPE_CHECKING:
    import keras as keras
    import tensorflow as tf
else:
    tf, keras = _QuietModule("tensorflow"), _QuietModule("keras")
