"""Products of 8-bit integers: against integers in NumPy."""

import sys

import numpy as np
import onnxruntime
import pytest

from interestrec.core.errors import ConfigError
from interestrec.model.int8_nodes import Int8Nodes


def product(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The product of x, float32 [texts, inputs], where `mask` stands for x."""
    nodes = Int8Nodes()
    y = nodes.product(nodes.integers("mask"), "kernel", kernel)
    graph = nodes.model(nodes.token_inputs(), y, kernel.shape[1])
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run(None, {"ids": np.zeros(x.shape, np.int32), "mask": x})[0]


def quantised(values: np.ndarray, most: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
    scale = (np.abs(values).max(axis=axis, keepdims=True) / np.float32(most)).astype(np.float32)
    return np.rint(values / scale).astype(np.int64), scale


def test_a_product_is_that_of_the_integers() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 48)).astype(np.float32) * rng.lognormal(size=(5, 1)).astype(np.float32)
    kernel = rng.standard_normal((48, 7)).astype(np.float32)
    (a, of_rows), (b, of_columns) = quantised(x, 127, 1), quantised(kernel, 64, 0)
    np.testing.assert_allclose(product(x, kernel), (a @ b) * of_rows * of_columns, rtol=1e-6, atol=1e-9)


def test_the_largest_pairs_of_products_do_not_saturate() -> None:
    # 255 · 64 + 255 · 64 is the largest sum of two products; with weights of 8 bits it would not fit in 16 bits.
    x, kernel = np.full((1, 64), 3, np.float32), np.full((64, 2), 0.5, np.float32)
    np.testing.assert_allclose(product(x, kernel), 64 * 3 * 0.5, rtol=1e-6)


def test_a_row_of_zeros_stays_zero_and_a_large_one_beside_it_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    x, kernel = rng.standard_normal((3, 16)).astype(np.float32), rng.standard_normal((16, 4)).astype(np.float32)
    alone = product(x, kernel)
    x[1], x[2] = 0, 1e6
    found = product(x, kernel)
    np.testing.assert_array_equal(found[1], 0)
    np.testing.assert_array_equal(found[0], alone[0])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"interestrec\[int8\]"):
        Int8Nodes()
