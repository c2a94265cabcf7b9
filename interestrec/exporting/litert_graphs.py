"""Writing of a LiteRT file, with the built-in operations alone."""

import tempfile
from pathlib import Path
from typing import Any

from interestrec.core.errors import ConfigError
from interestrec.exporting.exported_graph import ExportedGraph
from interestrec.model.backend import tf

FILE = "model.tflite"


def write_litert(graph: ExportedGraph, directory: Path) -> None:
    """Write one file with a signature per graph.

    Raises:
        ConfigError: an operation of a graph is not built into LiteRT.
    """
    frozen = {name: _frozen(function) for name, function in graph.functions.items()}
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        tf.saved_model.save(tf.Module(), scratch, signatures=frozen)
        converter = tf.lite.TFLiteConverter.from_saved_model(scratch, signature_keys=list(frozen))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            content = converter.convert()
        except Exception as error:  # the converter's own class is not public
            raise ConfigError(
                f"--to litert: the model has an operation that LiteRT lacks ({_reason(error)}); use --to savedmodel"
            ) from error
    (directory / FILE).write_bytes(content)


def _frozen(function: Any) -> Any:
    """Return a function with its weights as constants; LiteRT would expect somebody to assign its variables."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    concrete = function.get_concrete_function()
    constant = convert_variables_to_constants_v2(concrete)
    names = sorted(concrete.structured_outputs)  # the order of flat outputs

    @tf.function(input_signature=function.input_signature)
    def run(*inputs: Any) -> Any:
        return dict(zip(names, constant(*inputs), strict=True))

    return run


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "error:" in line]
    return lines[0].partition("error:")[2].strip() if lines else str(error).splitlines()[0]
