"""Writing of ONNX files by tf2onnx, with the operations that it does not know written in those of ONNX."""

import contextlib
import logging
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.core.errors import ConfigError
from interestrec.exporting.exported_graph import ExportedGraph

_FLOAT, _INT64 = 1, 7  # of onnx.TensorProto
OPSET = 17  # of ONNX, which onnxruntime reads from its release 1.12


def write_onnx(graph: ExportedGraph, directory: Path) -> None:
    """Write a file per graph.

    Raises:
        ConfigError: an operation of a graph does not exist in ONNX.
    """
    import onnx
    import tf2onnx

    for name, function in graph.functions.items():
        with _quiet("tf2onnx"):
            model, _ = tf2onnx.convert.from_function(
                function, function.input_signature, OPSET, custom_op_handlers=_HANDLERS
            )
        try:
            onnx.checker.check_model(model, full_check=True)
        except Exception as error:  # checker.ValidationError and shape_inference.InferenceError have no common base
            raise ConfigError(
                f"--to onnx: the graph '{name}' has an operation that ONNX lacks ({str(error).splitlines()[0]}); "
                "use --to savedmodel"
            ) from error
        onnx.save(model, directory / f"{name}.onnx")


def quantise(directory: Path) -> None:
    """Replace matrices and tables of all graphs in a directory by 8-bit integers; activations follow at run time."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    for path in sorted(directory.glob("*.onnx")):
        small = path.with_suffix(".int8")
        with _quiet(None):
            quantize_dynamic(
                path,
                small,
                op_types_to_quantize=["MatMul", "Gather"],
                weight_type=QuantType.QInt8,
                per_channel=True,
                nodes_to_exclude=_gathers_of_unknown(path),
            )
        small.replace(path)


def _gathers_of_unknown(path: Path) -> list[str]:
    """Return the names of the nodes that read tables with values that are not finite, such as unknown prices."""
    import onnx
    from onnx.numpy_helper import to_array

    graph = onnx.load(str(path)).graph
    tables = {table.name for table in graph.initializer if not np.isfinite(to_array(table)).all()}
    return [node.name for node in graph.node if node.op_type == "Gather" and node.input[0] in tables]


def _erfc(ctx: Any, node: Any, name: str, args: Any) -> Any:
    """Write erfc(x), of which TensorFlow makes the exact GELU, as 1 − erf(x)."""
    one = ctx.make_const(f"{name}/one", np.array(1, np.float32))
    erf = ctx.make_node("Erf", [node.input[0]])
    node.type = "Sub"
    ctx.replace_inputs(node, [one.output[0], erf.output[0]])
    return node


def _log1p(ctx: Any, node: Any, name: str, args: Any) -> Any:
    """Write ln(1 + n), of which the graphs have whole numbers n alone, as Log after Add."""
    one = ctx.make_const(f"{name}/one", np.array(1, np.float32))
    total = ctx.make_node("Add", [node.input[0], one.output[0]])
    node.type = "Log"
    ctx.replace_inputs(node, [total.output[0]])
    return node


def _select(ctx: Any, node: Any, name: str, args: Any) -> Any:
    """Write a choice as Where; tf2onnx multiplies by 0 and 1, and a NaN that is not chosen would stay."""
    node.type = "Where"
    return node


def _segment_sum(ctx: Any, node: Any, name: str, args: Any) -> Any:
    """Write sums of one-dimensional values by segment as additions to zeros.

    tf2onnx multiplies by a matrix of all values and all segments, which took 6.7 GB for 256 requests.
    """
    values, segments, count = node.input
    shape = ctx.make_node("Reshape", [_int64(ctx, count), ctx.make_const(f"{name}/one", np.array([1])).output[0]])
    zeros = ctx.make_node("ConstantOfShape", shape.output)
    rows = ctx.make_node(
        "Reshape", [_int64(ctx, segments), ctx.make_const(f"{name}/rows", np.array([-1, 1])).output[0]]
    )
    node.type = "ScatterND"
    node.set_attr("reduction", b"add")
    ctx.replace_inputs(node, [zeros.output[0], rows.output[0], values])
    return node


def _float_of_bits(ctx: Any, node: Any, name: str, args: Any) -> Any:
    """Write numbers that are stored as bits of integers by arithmetic: (−1)^s · (1 + m / 2²³) · 2^(e − 127), or 0.

    ONNX had no such operation before its version 26. Numbers below 2⁻¹²⁶ become 0.
    """

    from tf2onnx.utils import make_name

    def const(value: float, kind: type) -> str:
        output: str = ctx.make_const(make_name(name), np.array(value, kind)).output[0]
        return output

    def op(kind: str, *inputs: str, **attributes: Any) -> str:
        output: str = ctx.make_node(kind, list(inputs), attr=attributes).output[0]
        return output

    bits = _int64(ctx, node.input[0])
    negative = op("Less", bits, const(0, np.int64))
    bits = op("Mod", op("Add", bits, const(1 << 32, np.int64)), const(1 << 31, np.int64))  # without the sign
    exponent = op("Cast", op("Div", bits, const(1 << 23, np.int64)), to=_FLOAT)
    fraction = op("Cast", op("Mod", bits, const(1 << 23, np.int64)), to=_FLOAT)
    scale = op("Pow", const(2.0, np.float32), op("Sub", exponent, const(127.0, np.float32)))
    value = op("Mul", op("Add", op("Div", fraction, const(2.0**23, np.float32)), const(1.0, np.float32)), scale)
    value = op("Where", op("Equal", exponent, const(0.0, np.float32)), const(0.0, np.float32), value)
    signed = op("Where", negative, op("Neg", value), value)
    node.type = "Identity"
    node.attr.clear()
    ctx.replace_inputs(node, [signed])
    return node


def _int64(ctx: Any, tensor: str) -> str:
    cast: str = ctx.make_node("Cast", [tensor], attr={"to": _INT64}).output[0]
    return cast


_HANDLERS: dict[str, tuple[Any, list[Any]]] = {
    "Bitcast": (_float_of_bits, []),
    "Erfc": (_erfc, []),
    "Log1p": (_log1p, []),
    "SelectV2": (_select, []),
    "UnsortedSegmentSum": (_segment_sum, []),
}


@contextlib.contextmanager
def _quiet(name: str | None) -> Any:
    """Keep the remarks of a logger below errors; None is the root logger."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
