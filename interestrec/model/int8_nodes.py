"""Nodes of an ONNX graph whose matrix products are of 8-bit integers, for onnxruntime on a CPU.

Every row of activations, which is a token, has a scale of its own, found when it is computed (dynamic quantisation by
token, as ZeroQuant, Yao et al. 2022): x ≈ s (q − 128) with s = max |x| / 127. So what becomes of a text does not
depend on the texts beside it. Every output of a matrix has a scale, too. The products of integers are exact.

Weights have 7 bits: pairs of products of 8 by 7 bits fit in 16 bits, in which processors without VNNI add them up and
would saturate. The integers are therefore the same on all processors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from interestrec.core.errors import ConfigError

if TYPE_CHECKING:
    import onnx

NO_INT8_GRAPH = "runtime.encoder: onnx-int8 runs encoders of the BERT family only; set it to float32"
MICROSOFT = "com.microsoft"  # the domain of onnxruntime's own operations
_OPSET, _IR = 17, 8  # which onnxruntime reads from its release 1.12
_MOST_ACTIVATION, _MOST_WEIGHT = 127, 64
_LEAST = 1e-9  # of a largest absolute value, so that rows of zeros have a scale


class TokenIntegers(NamedTuple):
    """Names of the values of activations: integers, and the scale of every row."""

    integers: str  # uint8 [..., inputs], 128 for 0
    scale: str  # float32 [..., 1]


class Int8Nodes:
    """The nodes and constants of a graph, in the order of computation."""

    def __init__(self) -> None:
        """
        Raises:
            ConfigError: the package onnx is not installed.
        """
        try:
            import onnx
        except ImportError as error:
            raise ConfigError(
                f"runtime.encoder: onnx-int8 needs the package {error.name}; run: pip install 'interestrec[int8]'"
            ) from error
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self.one = self.constant("one", np.float32(1))
        self._zero = self.constant("zero", np.uint8(128))
        self._most = self.constant("most", np.float32(_MOST_ACTIVATION))
        self._least = self.constant("least", np.float32(_LEAST))

    def constant(self, name: str, value: np.ndarray | np.generic) -> str:
        """Add a constant, unless one of this name is there already, and return the name."""
        if name not in self._constants:
            array = np.ascontiguousarray(value).reshape(np.shape(value))
            self._constants[name] = self._onnx.numpy_helper.from_array(array, name)
        return name

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output; an input of the name "" is left out."""
        output = f"{kind}_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def integers(self, x: str) -> TokenIntegers:
        """Quantise activations, float32 [..., inputs], by row."""
        largest = self.node("ReduceMax", self.node("Abs", x), axes=[-1], keepdims=1)
        scale = self.node("Div", self.node("Max", largest, self._least), self._most)
        return TokenIntegers(self.node("QuantizeLinear", self.node("Div", x, scale), self.one, self._zero), scale)

    def product(self, x: TokenIntegers, name: str, kernel: np.ndarray) -> str:
        """Multiply activations by a matrix, float32 [inputs, outputs]: float32 [..., outputs].

        Args:
            name: of the matrix; one of this name is stored once.
        """
        scale = (np.maximum(np.abs(kernel).max(axis=0), _LEAST) / _MOST_WEIGHT).astype(np.float32)
        weights = self.constant(name, np.rint(kernel / scale).astype(np.int8))
        scales = self.constant(f"{name}/scale", scale)
        y = self.node("MatMulIntegerToFloat", x.integers, weights, self.one, scales, self._zero, domain=MICROSOFT)
        return self.node("Mul", y, x.scale)

    def model(self, inputs: list[onnx.ValueInfoProto], output: str, width: int) -> bytes:
        """Return the file of the graph from its inputs to a float32 output [texts, length, width]."""
        helper, onnx = self._onnx.helper, self._onnx
        found = helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["texts", "length", width])
        graph = helper.make_graph(self._nodes, "encoder", inputs, [found], list(self._constants.values()))
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR)
        return bytes(model.SerializeToString())

    def token_inputs(self) -> list[onnx.ValueInfoProto]:
        """Return the inputs `ids`, int32 [texts, length], and `mask`, float32 [texts, length]."""
        types = {"ids": self._onnx.TensorProto.INT32, "mask": self._onnx.TensorProto.FLOAT}
        return [
            self._onnx.helper.make_tensor_value_info(name, kind, ["texts", "length"]) for name, kind in types.items()
        ]
