"""`runtime.encoder: onnx-int8`: a frozen encoder of texts in 8-bit integers, by onnxruntime on the CPU."""

import os
from functools import cached_property
from typing import Any

import numpy as np

from interestrec.core.errors import ConfigError
from interestrec.encoding.encoder_settings import ONNX_INT8
from interestrec.model.backend import tf
from interestrec.model.encoder import Encoder

TOKENS_A_BATCH = 256  # whose activations stay in a core's cache from one operation to the next
_ERRORS = 3  # severity of what onnxruntime logs


class Int8Encoder:
    """An encoder's vectors by its weights as they are when the first text is encoded.

    A text's vector is the same to the last bit in any batch of its padded length: scales are those of tokens (see
    model/int8_nodes.py), sums of integers are exact, and one thread computes a batch.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.threads = tf.config.threading.get_intra_op_parallelism_threads() or len(os.sched_getaffinity(0))

    @property
    def width(self) -> int:
        """See Encoder."""
        return self.encoder.width

    @property
    def pooling(self) -> str:
        """See Encoder."""
        return self.encoder.pooling

    @property
    def max_length(self) -> int:
        """See Encoder."""
        return self.encoder.max_length

    @property
    def precision(self) -> str:
        """What vectors depend on besides the weights, for the names of caches."""
        return f"{ONNX_INT8} {_onnxruntime().__version__}"

    @cached_property
    def _session(self) -> Any:
        onnxruntime = _onnxruntime()
        options = onnxruntime.SessionOptions()
        # Batches run side by side. Threads within one would divide its rows by their number.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS
        return onnxruntime.InferenceSession(self.encoder.int8_graph(), options, providers=["CPUExecutionProvider"])

    def prepare(self) -> None:
        """Build the graph, which threads would otherwise do at once.

        Raises:
            ConfigError: the encoder is of a kind without a graph, or a package is missing.
        """
        _ = self._session

    def pooled(self, values: np.ndarray, mask: np.ndarray) -> tf.Tensor:
        """See Encoder; several threads may call it."""
        (hidden,) = self._session.run(None, {"ids": values, "mask": mask})
        return self.encoder.pool(tf.constant(hidden), tf.constant(mask))


def _onnxruntime() -> Any:
    """Import onnxruntime.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            f"runtime.encoder: onnx-int8 needs the package {error.name}; run: pip install 'interestrec[int8]'"
        ) from error
    return onnxruntime
