"""Terms of the moment: nothing at the start, by hand, and for items that users share."""

import numpy as np

from interestrec.corpus.moments import ITEM_FEATURES, USER_FEATURES
from interestrec.model.backend import tf
from interestrec.model.moment_terms import MomentTerms
from tests.model.towers import randomised

RNG = np.random.default_rng(2)
ITEMS = RNG.normal(size=(3, 5, ITEM_FEATURES)).astype(np.float32)
USERS = RNG.normal(size=(3, USER_FEATURES)).astype(np.float32)


def terms(rate: float = 0.0) -> MomentTerms:
    made = MomentTerms(rate)
    made.build()
    return made


def test_a_new_layer_adds_nothing() -> None:
    np.testing.assert_array_equal(terms()(ITEMS, USERS), np.zeros((3, 5)))


def test_the_terms_by_hand() -> None:
    made = randomised(terms())
    kernel, bias = made.first.kernel.numpy(), made.first.bias.numpy()
    expected = np.empty((3, 5))
    for u in range(3):
        weights = made.shared.numpy() + USERS[u] @ made.personal.numpy()
        for i in range(5):
            inner = np.maximum(ITEMS[u, i] @ kernel + bias, 0)
            expected[u, i] = np.concatenate([ITEMS[u, i], inner]) @ weights
    np.testing.assert_allclose(made(ITEMS, USERS), expected, rtol=1e-4, atol=1e-5)


def test_items_that_all_users_share_are_scored_like_repeated_ones() -> None:
    made = randomised(terms())
    repeated = made(np.tile(ITEMS[:1], (3, 1, 1)), USERS)
    np.testing.assert_allclose(made(ITEMS[:1], USERS), repeated, rtol=1e-5, atol=1e-5)


def test_in_training_the_moment_of_some_requests_is_unknown() -> None:
    made = randomised(terms(rate=0.5))
    items, users = np.tile(ITEMS, (200, 1, 1)), np.tile(USERS, (200, 1))
    known, learned = made(items, users).numpy(), made(items, users, tf.constant([1, 2])).numpy()
    unknown = (learned == 0).all(axis=1)
    np.testing.assert_array_equal(learned[~unknown], known[~unknown])  # none is scaled: it is known or not
    assert 0.4 < unknown.mean() < 0.6
