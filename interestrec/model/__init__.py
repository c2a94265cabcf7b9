"""Networks: BERT, the two towers, the head, the losses. TensorFlow starts at this floor."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from interestrec.core.library_versions import require_safe

require_safe("keras")  # TensorFlow imports it, and so does every module of this floor


@contextmanager
def _silent() -> Iterator[None]:
    """Standard error to nowhere, for C++ code that logs before it reads any setting."""
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(nowhere)
        os.close(saved)


# The first import and the first look for devices print notices that no log level turns off. An ImportError still
# comes through: it is raised, not printed.
with _silent():
    import tensorflow as tf

    tf.config.list_physical_devices()
