"""Kept columns as categories, numbers, tags and vectors: by hand, and from train alone."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from interestrec.core.errors import ConfigError
from interestrec.corpus.feature_codes import FeatureCodes, FeatureShape, FittedFeatures
from interestrec.corpus.own_features import dense_values, fit_own, fit_tags, fit_vectors, number_codes, tag_codes
from interestrec.corpus.own_fields import CategoryField, NumberField, OwnField, TagsField, VectorField

LIKED = np.array([True, True, True, True, False, False])
WORDS = pa.chunked_array([["full", "light"], ["full", None, "light", "new"]])
NUMBERS = pa.chunked_array([pa.array([1.0, 2.0, 3.0, None, 99.0, -99.0])])
LISTS = pa.chunked_array([[["b", "a"], ["a", "c"], ["b", "b", "a"], None, ["new", "b"], []]])
VECTORS = pa.chunked_array([pa.array([[1, 5], [3, 5], None, None, [5, 7], [1e9, 5]], pa.list_(pa.float32()))])


def field(kind: str, **keys: Any) -> OwnField:
    sections = {"category": CategoryField, "number": NumberField, "tags": TagsField, "vector": VectorField}
    return sections[kind](name="it", kind=kind, **keys)


def fitted(kind: str, column: pa.ChunkedArray, before: dict[str, Any] | None = None, **keys: Any) -> FeatureCodes:
    return fit_own(field(kind, **keys), column, LIKED, before)


def test_a_category_is_known_from_two_train_rows_on() -> None:
    found = fitted("category", WORDS)
    assert found.fitted == {"kind": "category", "names": ["full"]}  # the second `light` is not of train
    assert found.shape == FeatureShape("it", (2,))
    np.testing.assert_array_equal(found.codes, [[1], [0], [1], [0], [0], [0]])


def test_numbers_can_be_categories() -> None:
    column = pa.chunked_array([[12.0, 12.0, 0.5, 0.5, 12.0, None]])
    found = fitted("category", column)
    assert found.fitted["names"] == ["0.5", "12"]
    np.testing.assert_array_equal(found.codes[:, 0], [2, 2, 1, 1, 2, 0])


def test_a_number_beyond_train_is_in_the_outermost_bucket() -> None:
    found = fitted("number", NUMBERS, buckets=3)
    assert found.fitted == {"kind": "number", "edges": [1.5, 2.5]}
    assert found.shape == FeatureShape("it", (4,))
    np.testing.assert_array_equal(found.codes[:, 0], [1, 2, 3, 0, 3, 1])
    np.testing.assert_array_equal(number_codes(np.array([np.nan, np.inf, 1.5]), [1.5]), [0, 0, 2])


def test_tags_by_hand() -> None:
    found = fitted("tags", LISTS)
    # `c` is in one train row, `new` in none; of train rows with known tags two have two and one has one.
    assert found.fitted == {"kind": "tags", "names": ["a", "b"], "most": 2}
    assert found.shape == FeatureShape("it", (3,), shared=2)
    np.testing.assert_array_equal(found.codes, [[2, 1], [1, 0], [2, 1], [0, 0], [2, 0], [0, 0]])


def test_tags_of_a_text_by_a_separator() -> None:
    column = pa.chunked_array([["a, b", "b,a", "a", None, "b,,c", ""]])
    assert fitted("tags", column, separator=",").fitted["names"] == ["a", "b"]
    np.testing.assert_array_equal(fitted("tags", column, separator=",").codes[[0, 4]], [[1, 2], [2, 0]])
    with_whole_texts = fitted("tags", column)
    assert with_whole_texts.fitted == {"kind": "tags", "names": [], "most": 1}


def test_the_number_of_tags_read_is_that_of_most_rows_and_at_most_16() -> None:
    everyone = np.ones(40, bool)
    names = [f"{n:02}" for n in range(30)]
    assert fit_tags([*[names[:3]] * 39, names], everyone)["most"] == 3
    assert fit_tags([names] * 40, everyone)["most"] == 16
    long = fit_tags([names] * 40, everyone)
    np.testing.assert_array_equal(tag_codes([names[::-1]], long)[0], np.arange(30, 14, -1))


def test_vectors_are_standardised_on_train_and_missing_ones_are_zero() -> None:
    found = fitted("vector", VECTORS)
    assert found.fitted == {"kind": "vector", "mean": [2.0, 5.0], "deviation": [1.0, 1.0]}
    assert found.shape == FeatureShape("it", (), dense=3)
    assert found.codes.shape == (6, 0)
    root = np.sqrt(2)
    expected = [[-1 / root, 0, 1], [1 / root, 0, 1], [0, 0, 0], [0, 0, 0], [3 / root, 2 / root, 1], [5 / root, 0, 1]]
    np.testing.assert_allclose(found.dense, expected, rtol=1e-6)


def test_standardised_vectors_have_a_norm_of_about_1() -> None:
    vectors = np.random.default_rng(0).normal(3, 7, (500, 50)).astype(np.float32)
    dense = dense_values(vectors, fit_vectors(vectors, np.ones(500, bool)))
    assert (dense[:, :-1] ** 2).sum(axis=1).mean() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "column"), [("category", WORDS), ("number", NUMBERS), ("tags", LISTS), ("vector", VECTORS)]
)
def test_what_was_fitted_before_is_used_as_it_is(kind: str, column: pa.ChunkedArray) -> None:
    before = fitted(kind, column)
    others = column.take([4, 4, 5, 0, 1, 2])
    again = fitted(kind, others, before.fitted)
    assert (again.fitted, again.shape) == (before.fitted, before.shape)
    np.testing.assert_array_equal(again.codes, before.codes[[4, 4, 5, 0, 1, 2]])
    if before.dense is not None:
        np.testing.assert_array_equal(again.dense, before.dense[[4, 4, 5, 0, 1, 2]])
    with pytest.raises(ConfigError, match=f"is of kind {kind}, but of kind id in the start model"):
        fitted(kind, column, {"kind": "id"})


@pytest.mark.parametrize(
    ("kind", "column", "told"),
    [
        ("number", WORDS, "of kind number, which needs numbers, but 'it' holds words; write kind: category"),
        ("number", LISTS, "'it' holds lists of words; write kind: tags"),
        ("category", LISTS, "'it' holds lists of words; write kind: tags"),
        ("tags", VECTORS, "'it' holds vectors; write kind: vector"),
        ("vector", NUMBERS, "'it' holds numbers; write kind: number"),
        ("vector", LISTS, "which needs lists of equally many numbers, but 'it' holds lists of words; write kind: tags"),
    ],
)
def test_a_column_that_does_not_fit_its_kind(kind: str, column: pa.ChunkedArray, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        fitted(kind, column)


def test_vectors_of_another_width_than_those_of_the_start_model() -> None:
    with pytest.raises(ConfigError, match="have 2 numbers, but those of the start model 3; train without --from"):
        fitted("vector", VECTORS, {"kind": "vector", "mean": [0.0] * 3, "deviation": [1.0] * 3})


def test_codes_and_bits_of_values_side_by_side() -> None:
    joined = FittedFeatures.joined([fitted("vector", VECTORS), fitted("tags", LISTS), fitted("number", NUMBERS)], 6)
    assert [shape.columns for shape in joined.sizes] == [0, 2, 1]
    packed = joined.packed
    assert (packed.shape, packed.dtype) == ((6, 6), np.int32)
    np.testing.assert_array_equal(packed[:, :3], joined.codes)
    np.testing.assert_array_equal(np.ascontiguousarray(packed[:, 3:]).view(np.float32), joined.dense)
    np.testing.assert_array_equal(packed[3], 0)  # of the fourth row nothing is known
    assert FittedFeatures.joined([], 4).packed.shape == (4, 0)
