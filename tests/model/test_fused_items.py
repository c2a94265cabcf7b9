"""Fused vectors of items: at the start, by hand, and their two roles."""

import numpy as np
import tensorflow as tf

from interestrec.model.fused_items import FusedItems
from tests.model.towers import ATTRIBUTES, ITEMS, TEXT_WIDTH, WIDTH, codes, randomised, texts

TEXTS = texts() / np.linalg.norm(texts(), axis=1, keepdims=True)
PACKED = codes().attributes


def layer(rate: float = 0.0, attributes: tuple = ATTRIBUTES) -> FusedItems:
    made = FusedItems(TEXT_WIDTH, WIDTH, rate, attributes, name="fused_items")
    made.build()
    return made


def test_new_items_are_alike_as_candidates_and_differ_as_entries() -> None:
    entries, candidates = (part.numpy() for part in layer()(TEXTS, PACKED))
    np.testing.assert_array_equal(candidates, np.zeros((ITEMS, WIDTH)))
    assert np.linalg.matrix_rank(entries) == WIDTH
    again = layer()(TEXTS, PACKED)[0]
    np.testing.assert_array_equal(again, entries)  # the start does not depend on the process


def features_by_hand(made: FusedItems, role: str) -> np.ndarray:
    weights = {weight.path.rpartition("/")[2]: weight.numpy() for weight in getattr(made, f"{role}_features").weights}
    found = np.zeros((ITEMS, WIDTH))
    for row, packed in enumerate(PACKED):
        for column, table in enumerate(("id_0", "category_0", "category_1")):
            found[row] += weights[table][packed[column]]
        found[row] += packed[3:].view(np.float32) @ weights["picture_kernel"]
    return found


def test_the_vectors_by_hand() -> None:
    made = randomised(layer())
    found = dict(zip(("entry", "candidate"), made(TEXTS, PACKED), strict=True))
    for role, vectors in found.items():
        centred = (TEXTS - made.centre.numpy()) * 2.5
        expected = centred @ getattr(made, f"{role}_map").numpy() + features_by_hand(made, role)
        np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-5)


def test_the_mean_text_is_no_reason_to_like_an_item() -> None:
    made = randomised(layer(attributes=()))
    made.centre.assign(TEXTS[0])
    for vectors in made(TEXTS[:1], PACKED[:1, :0]):
        np.testing.assert_allclose(vectors, np.zeros((1, WIDTH)), atol=1e-6)
    assert "fused_items/centre" not in [weight.path for weight in made.trainable_variables]


def test_a_feature_is_missing_in_both_roles_at_once() -> None:
    made = randomised(layer(rate=0.5))
    many = np.tile(PACKED[:1], (300, 1))
    quiet = made(np.tile(TEXTS[:1], (300, 1)), many)
    noisy = made(np.tile(TEXTS[:1], (300, 1)), many, noise=tf.constant([7, 8]))
    groups = [np.unique(part.numpy().round(4), axis=0, return_inverse=True)[1].ravel() for part in noisy]
    np.testing.assert_array_equal(groups[0][:, None] == groups[0], groups[1][:, None] == groups[1])
    assert len(np.unique(groups[0])) == 8  # each of three features is there or not
    assert all(len(np.unique(part.numpy().round(4), axis=0)) == 1 for part in quiet)
