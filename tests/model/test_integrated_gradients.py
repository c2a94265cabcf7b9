"""Integrated gradients: functions whose attributions are known."""

import numpy as np
import pytest
import tensorflow as tf

from interestrec.model.integrated_gradients import integrated_gradients


def test_a_linear_function_is_attributed_by_its_weights() -> None:
    weight, point, baseline = np.array([1.0, -2.0, 0.5]), np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, -2.0])
    found = integrated_gradients(lambda x: tf.linalg.matvec(x, weight.astype(np.float32)), point, baseline, 2)
    np.testing.assert_allclose(found.parts, weight * (point - baseline), atol=1e-6)
    assert found.error < 1e-6


def test_a_product_is_shared_alike_and_a_square_is_its_own() -> None:
    point, baseline = np.array([2.0, 3.0, 4.0]), np.zeros(3)
    found = integrated_gradients(lambda x: x[:, 0] * x[:, 1] + x[:, 2] ** 2, point, baseline, 3)
    np.testing.assert_allclose(found.parts, [3.0, 3.0, 16.0], rtol=1e-6)
    assert (found.value, found.baseline_value) == (22.0, 0.0)


@pytest.mark.parametrize("steps", [64, 100])
def test_it_is_complete(steps: int) -> None:
    rng = np.random.default_rng(1)
    first, second = (rng.normal(size=shape).astype(np.float32) for shape in ((12, 8), (8,)))
    point, baseline = rng.normal(size=(2, 3, 4))
    found = integrated_gradients(
        lambda x: tf.linalg.matvec(tf.tanh(tf.reshape(x, [-1, 12]) @ first), second), point, baseline, steps
    )
    assert found.parts.shape == (3, 4)
    assert found.error < 1e-4


def test_too_few_steps_are_told_by_the_error() -> None:
    steep = integrated_gradients(lambda x: tf.tanh(40 * (x[:, 0] - 0.3)), np.array([1.0]), np.array([0.0]), 2)
    assert steep.error > 0.02
    flat = integrated_gradients(lambda x: 0 * x[:, 0], np.array([1.0]), np.array([0.0]), 2)
    assert flat.error == 0
