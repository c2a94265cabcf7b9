"""Dot products of users and candidates: equal to loops, whether or not candidates are shared."""

import numpy as np
import pytest
import tensorflow as tf

from interestrec.model.pair_products import entry_products, pair_products


@pytest.mark.parametrize("shared", [1, 3])
def test_products_are_those_of_loops(shared: int) -> None:
    rng = np.random.default_rng(1)
    users, history, items = rng.normal(size=(3, 5)), rng.normal(size=(3, 2, 5)), rng.normal(size=(shared, 4, 5))
    arrays = [tf.constant(array, tf.float32) for array in (users, history, items)]
    pairs, entries = pair_products(arrays[0], arrays[2]).numpy(), entry_products(arrays[1], arrays[2]).numpy()
    assert (pairs.shape, entries.shape) == ((3, 4), (3, 2, 4))
    for u in range(3):
        for c in range(4):
            item = items[u % shared, c]
            np.testing.assert_allclose(pairs[u, c], users[u] @ item, rtol=1e-5)
            for e in range(2):
                np.testing.assert_allclose(entries[u, e, c], history[u, e] @ item, rtol=1e-5)
