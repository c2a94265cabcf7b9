"""Side features: by hand, and against scikit-learn."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from interestrec.scorers import side_features
from interestrec.scorers.side_features import attribute_features, occurrence_features, principal_features, ridge_guess


def some_pairs() -> sparse.csr_matrix:
    pairs = (np.random.default_rng(4).random((30, 20)) < 0.3).astype(np.float64)
    pairs[np.arange(30), np.arange(30) % 20] = 1.0  # none is empty
    return sparse.csr_matrix(pairs)


def test_users_of_the_same_items_have_the_same_occurrences() -> None:
    pairs = sparse.csr_matrix(np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]]))
    user, item, _ = occurrence_features(pairs, 2, seed=0)
    np.testing.assert_allclose(user[0], user[1])
    assert user[0] @ user[2] == pytest.approx(0.0, abs=1e-12)
    # rows of cells 1 / √(2 · 2), 1 / √(2 · 2) and 1 / √(2 · 1), two of each: squares 1/2, 1/2, 1; their mean is 2/3
    np.testing.assert_allclose((user**2).sum(axis=1), [0.75, 0.75, 1.5])
    np.testing.assert_allclose((item**2).sum(axis=1), 1.0)


def test_a_users_features_are_the_sum_of_the_projection_over_root_n() -> None:
    pairs = some_pairs()
    user, _, projection = occurrence_features(pairs, 6, seed=0)
    root = np.sqrt(pairs.toarray().sum(axis=1))
    np.testing.assert_allclose(user, pairs @ projection / root[:, None], atol=1e-12)


def test_large_matrices_have_the_same_leading_features(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = occurrence_features(some_pairs(), 6, seed=0)
    monkeypatch.setattr(side_features, "_DENSE", 0)
    for part, expected in zip(occurrence_features(some_pairs(), 6, seed=0), whole, strict=True):
        np.testing.assert_allclose(part @ part.T, expected @ expected.T, atol=1e-9)


def test_texts_become_principal_components_and_items_without_text_zeros() -> None:
    vectors = np.random.default_rng(1).normal(size=(25, 8)).astype(np.float32)
    vectors[[2, 20]] = 0.0
    fitted = np.arange(20)
    found = principal_features(vectors, fitted, 3)
    known = np.setdiff1d(np.arange(25), [2, 20])
    unit = vectors[known] / np.linalg.norm(vectors[known], axis=1, keepdims=True)
    pca = PCA(3).fit(unit[known < 20])
    expected = pca.transform(unit)
    expected /= np.sqrt((expected[known < 20] ** 2).sum(axis=1).mean())
    np.testing.assert_allclose(found[known] @ found[known].T, expected @ expected.T, atol=1e-6)
    assert not found[[2, 20]].any()
    assert principal_features(np.zeros((4, 8), np.float32), np.arange(4), 3).shape == (4, 0)


def test_numbers_are_standardised_and_texts_have_a_column_per_value() -> None:
    age = pa.chunked_array([[20.0, 40.0, None, 60.0]])
    city = pa.chunked_array([["a", None, "b"], ["c"]])
    found = attribute_features([age, city, pa.chunked_array([pa.nulls(4, pa.string())])], np.arange(3), 4)
    half = 1 / np.sqrt(2)
    np.testing.assert_allclose(found[:, 0], [-half, half, 0.0, 3 * half])
    # of a and b, each minus a mean of 1/2: (1/2, -1/2) with length 1/√2; c is not among the fitted rows
    np.testing.assert_allclose(found[:, 1:], [[0.5, -0.5], [0.0, 0.0], [-0.5, 0.5], [0.0, 0.0]])
    assert attribute_features([], np.arange(2), 5).shape == (5, 0)
    assert not attribute_features([pa.chunked_array([["a", "a"]])], np.arange(2), 2).any()


def test_unknown_features_are_guessed_from_others() -> None:
    rng = np.random.default_rng(2)
    others = rng.normal(size=(20, 3))
    features = (others @ rng.normal(size=(3, 2)))[:15]
    found = ridge_guess(features, others[:15], others)
    ridge = Ridge(alpha=1.0, fit_intercept=False).fit(others[:15], features)
    np.testing.assert_allclose(found, ridge.predict(others))
    assert not ridge_guess(features, np.zeros((15, 0)), np.zeros((20, 0))).any()
