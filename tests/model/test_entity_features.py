"""The sum of learned vectors of features: by hand, at the start, with features left out, and in narrow tables."""

import json

import numpy as np
import pytest
import tensorflow as tf

from interestrec.corpus.feature_codes import FeatureShape
from interestrec.model.entity_features import EntityFeatures
from interestrec.model.feature_tables import NARROW_WIDTH, cells, table_width

WIDTH = 8
SHAPES = (
    FeatureShape("category", (4, 3)),
    FeatureShape("emb", (), dense=3),
    FeatureShape("grapes", (6,), shared=3),
    FeatureShape("body", (5,)),
    FeatureShape("picture", (), dense=2),
)
RNG = np.random.default_rng(3)
CODES = np.array([[1, 2, 5, 2, 0, 4], [3, 0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 2]], np.int32)  # category, grapes, body
VALUES = RNG.normal(size=(3, 5)).astype(np.float32)
VALUES[1] = 0
PACKED = np.concatenate([CODES, VALUES.view(np.int32)], axis=1)
NOISE = tf.constant([7, 8])


def layer(rate: float = 0.0, shapes: tuple[FeatureShape, ...] = SHAPES, learned: bool = True) -> EntityFeatures:
    made = EntityFeatures(WIDTH, rate, shapes, name="features")
    made.build()
    for weight in made.trainable_variables if learned else []:
        weight.assign(np.random.default_rng(len(weight.path)).normal(size=weight.shape))
    return made


def test_a_new_layer_adds_nothing() -> None:
    np.testing.assert_array_equal(layer(learned=False)(PACKED), np.zeros((3, WIDTH)))


def test_the_sum_by_hand() -> None:
    made = layer()
    weights = {weight.path.rpartition("/")[2]: weight.numpy() for weight in made.trainable_variables}
    first, second, grapes, body = (weights[name] for name in ("category_0", "category_1", "grapes_0", "body_0"))
    expected = np.stack(
        [
            first[1] + second[2] + (grapes[5] + grapes[2]) / 2 + body[4],
            first[3] + second[0] + grapes[1] + body[0],
            first[0] + second[1] + grapes[0] + body[2],  # without a known grape
        ]
    )
    expected += VALUES[:, :3] @ weights["emb_kernel"] + VALUES[:, 3:] @ weights["picture_kernel"]
    np.testing.assert_allclose(made(PACKED), expected, rtol=1e-5, atol=1e-6)
    compiled = tf.function(made, input_signature=[tf.TensorSpec([None, None], tf.int32)])
    np.testing.assert_allclose(compiled(PACKED), expected, rtol=1e-5, atol=1e-6)


def test_shapes_from_json_make_the_same_layer() -> None:
    again = EntityFeatures(WIDTH, 0.0, json.loads(json.dumps(SHAPES)), name="features")
    again.build()
    described = [(weight.path, tuple(weight.shape)) for weight in again.trainable_variables]
    assert described == [(weight.path, tuple(weight.shape)) for weight in layer().trainable_variables]


def test_the_number_of_weights_is_known_beforehand() -> None:
    for shapes in (SHAPES, (FeatureShape("id", (10_001,)), FeatureShape("tags", (5_001,), shared=2))):
        made = EntityFeatures(100, 0.0, shapes)
        made.build()
        assert sum(cells(shape, 100) for shape in shapes) == sum(weight.numpy().size for weight in made.weights)


def test_features_are_left_out_whole_in_training() -> None:
    made = layer(rate=0.4)
    packed = np.tile(PACKED[:1], (5000, 1))
    found = made._drop_features(tf.constant(packed), NOISE).numpy()
    dropped = found != packed
    columns = {"category": [0, 1], "grapes": [2, 3], "body": [5], "emb": [6, 7, 8], "picture": [9, 10]}
    for name, places in columns.items():
        assert dropped[:, places[0]].mean() == pytest.approx(0.4, abs=0.03), name
        np.testing.assert_array_equal(dropped[:, places], dropped[:, places[:1]].repeat(len(places), axis=1))
    assert (found[dropped] == 0).all()
    assert (dropped[:, 0] & dropped[:, 6]).mean() == pytest.approx(0.16, abs=0.03)
    alone = EntityFeatures(WIDTH, 1.0, SHAPES, name="features")
    alone.build()
    for weight, value in zip(alone.trainable_variables, made.trainable_variables, strict=True):
        weight.assign(value)
    np.testing.assert_allclose(alone(PACKED, NOISE), made(np.zeros_like(PACKED)), rtol=1e-6)


def test_vectors_of_large_tables_are_narrow_and_can_be_learned() -> None:
    assert [table_width(size, 1, 384) for size in (10_000, 10_001)] == [384, NARROW_WIDTH]
    assert [table_width(1_000, shared, 384) for shared in (10, 11)] == [384, NARROW_WIDTH]
    assert table_width(1_000_000, 1, 32) == 32
    made = EntityFeatures(100, 0.0, [("id", (10_001,)), ("body", (5,))], name="features")
    made.build()
    shapes = {weight.path: tuple(weight.shape) for weight in made.weights}
    assert shapes == {
        "features/id_0": (10_001, NARROW_WIDTH),
        "features/id_0_map": (NARROW_WIDTH, 100),
        "features/body_0": (5, 100),
    }
    packed = np.array([[10_000, 1], [3, 0]], np.int32)
    np.testing.assert_array_equal(made(packed), np.zeros((2, 100)))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(made(packed)[:, 0])
    gradient = tape.gradient(loss, made.trainable_variables)[0]
    assert np.abs(gradient.numpy()).sum(axis=1).nonzero()[0].tolist() == [3, 10_000]
    made.trainable_variables[0].assign(RNG.normal(size=(10_001, NARROW_WIDTH)))
    table, matrix = (weight.numpy() for weight in made.trainable_variables[:2])
    np.testing.assert_allclose(made(packed), table[[10_000, 3]] @ matrix, rtol=1e-4, atol=1e-5)
    # A step of Adam moves each of 64 numbers by the rate; 100 numbers of the sum then move by about as much.
    assert np.linalg.norm(matrix, axis=1).mean() ** 2 * NARROW_WIDTH == pytest.approx(100, rel=0.1)


def test_every_weight_of_every_feature_is_learned() -> None:
    made = layer()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(made(PACKED)))
    for weight, gradient in zip(made.trainable_variables, tape.gradient(loss, made.trainable_variables), strict=True):
        assert isinstance(gradient, tf.Tensor), weight.path
        assert np.abs(gradient.numpy()).sum() > 0, weight.path
