"""Posteriors and regressions: by hand, as ridge regressions, and against sampled expectations."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from interestrec.scorers import variational_factors
from interestrec.scorers.variational_factors import Regression, Values, Vectors, posterior


def values(triples: list[tuple[int, int, float]], rows: int, others: int) -> Values:
    row, column, value = (np.array(part) for part in zip(*triples, strict=True))
    return Values.of(row, column, value.astype(np.float64), (rows, others))


def some_vectors(rows: int, width: int, spread: float, seed: int) -> tuple[Vectors, np.ndarray]:
    """Vectors and their covariances, [rows, width, width]."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(rows, width, width)) * spread
    covariance = root @ root.transpose(0, 2, 1)
    row, column = np.triu_indices(width)
    return Vectors(rng.normal(size=(rows, width)), covariance[:, row, column]), covariance


def test_a_bias_is_the_shrunk_mean_of_what_other_biases_leave() -> None:
    others = Vectors(np.array([[0.2], [0.0]]), np.array([[0.1], [0.0]]))
    known = values([(0, 0, 1.0), (0, 1, 0.5)], 2, 2)
    found, error = posterior(known, others, np.array([[0.0], [0.7]]), np.array([[2.0]]), noise=1.0)
    np.testing.assert_allclose(found.mean[:, 0], [((1.0 - 0.2) + 0.5) / (2 + 2), 0.7])
    np.testing.assert_allclose(found.covariance[:, 0], [1 / 4, 1 / 2])
    # E (x + b)² = (0.325 + 0.2)² + 1/4 + 0.1 and 0.325² + 1/4; minus 2 · value · E (x + b)
    assert error == pytest.approx(0.525**2 + 0.35 + 0.325**2 + 0.25 - 2 * (1.0 * 0.525 + 0.5 * 0.325))


def test_with_certain_others_each_row_is_a_ridge_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    others = Vectors(rng.normal(size=(7, 4)), np.zeros((7, 10)))
    triples = [(r, c, rng.normal()) for r in range(5) for c in range(7) if rng.random() < 0.7] + [(4, 2, 0.3)]
    known = values(triples, 5, 7)
    found, _ = posterior(known, others, np.zeros((5, 4)), 0.8 * np.eye(4), noise=2.0)
    for row in range(5):
        column = [c for r, c, _ in triples if r == row]
        left = np.array([value for r, _, value in triples if r == row]) - others.mean[column, -1]
        design = np.concatenate([others.mean[column, :-1], np.ones((len(column), 1))], axis=1)
        expected = Ridge(alpha=0.8 / 2.0, fit_intercept=False).fit(design, left).coef_
        np.testing.assert_allclose(found.mean[row], expected, atol=1e-10)
    monkeypatch.setattr(variational_factors, "_CELLS", 1)
    parts, _ = posterior(known, others, np.zeros((5, 4)), 0.8 * np.eye(4), noise=2.0)
    np.testing.assert_allclose(parts.covariance, found.covariance, atol=1e-12)


def test_uncertain_others_enter_by_their_moments() -> None:
    others, spread = some_vectors(6, 3, 0.5, seed=1)
    triples = [(0, c, 0.4 * c - 1.0) for c in range(6)] + [(0, 1, 2.0)]
    noise, precision, prior = 1.5, np.diag([1.0, 2.0, 0.5]), np.array([[0.3, -0.2, 0.1]])
    found, error = posterior(values(triples, 1, 6), others, prior, precision, noise)
    rng = np.random.default_rng(0)
    draws = {c: rng.multivariate_normal(others.mean[c], spread[c], 400_000) for c in range(6)}
    gram, right = precision.copy(), precision @ prior[0]
    for _, c, value in triples:
        z = draws[c].copy()
        z[:, -1] = 1.0
        gram += noise * z.T @ z / len(z)
        right += noise * (z * (value - draws[c][:, -1:])).mean(axis=0)
    np.testing.assert_allclose(found.mean[0], np.linalg.solve(gram, right), atol=5e-3)
    covariance = np.linalg.inv(gram)
    np.testing.assert_allclose(found.covariance[0], covariance[np.triu_indices(3)], atol=5e-3)
    x = rng.multivariate_normal(found.mean[0], covariance, 400_000)
    expected = 0.0
    for _, c, value in triples:
        predicted = (x[:, :-1] * draws[c][:, :-1]).sum(axis=1) + x[:, -1] + draws[c][:, -1]
        expected += float((predicted**2 - 2.0 * value * predicted).mean())
    assert error == pytest.approx(expected, abs=0.1)


def test_weights_are_a_ridge_regression_and_carry_to_other_rows() -> None:
    rng = np.random.default_rng(5)
    features = [rng.normal(size=(40, 3)), rng.normal(size=(40, 2))]
    rows = np.flatnonzero(np.arange(40) % 4)
    mean = features[0] @ rng.normal(size=(3, 2)) + 1.5 + 0.1 * rng.normal(size=(40, 2))
    vectors = Vectors(mean[rows], np.tile([0.02, 0.0, 0.02], (30, 1)))
    prior = Regression.start([group[rows] for group in features], 2).fitted(vectors)
    np.testing.assert_allclose(prior.offset, mean[rows].mean(axis=0))
    ridge = Ridge(alpha=5.0, fit_intercept=False)
    expected = ridge.fit(np.hstack(features)[rows], mean[rows] - prior.offset).coef_.T
    np.testing.assert_allclose(prior.weights, expected, atol=1e-10)
    design = np.hstack(features)[rows]
    spread = 2 * np.diag(np.linalg.inv(design.T @ design + 5.0 * np.eye(5))) + (expected**2).sum(axis=1)
    np.testing.assert_allclose(
        prior.relevance, [(3 * 2 + 1) / (spread[:3].sum() + 1), (2 * 2 + 1) / (spread[3:].sum() + 1)]
    )
    for _ in range(50):
        prior = prior.fitted(vectors)
    assert prior.relevance[1] > 20 * prior.relevance[0]  # the second group says nothing
    whole = prior.extended(vectors, rows, features)
    np.testing.assert_array_equal(whole.mean[rows], mean[rows])
    np.testing.assert_allclose(whole.mean, mean, atol=0.4)
    covariance = np.linalg.inv(prior.precision)
    np.testing.assert_allclose(whole.covariance[0], covariance[np.triu_indices(2)])
    assert np.linalg.eigvalsh(covariance).max() < 0.15
    unknown = prior.extended(vectors, rows, [None, features[1]]).mean[0]
    np.testing.assert_allclose(unknown, prior.offset + features[1][0] @ prior.group_weights(1))


def test_without_features_the_prior_is_the_mean_and_the_scatter() -> None:
    vectors, _ = some_vectors(50, 2, 0.3, seed=2)
    prior = Regression.start([np.zeros((50, 0))], 2).fitted(vectors)
    np.testing.assert_allclose(prior.fitted_means, np.tile(vectors.mean.mean(axis=0), (50, 1)))
    scatter = (vectors.mean - prior.offset).T @ (vectors.mean - prior.offset) + np.eye(2)
    first, mixed, second = vectors.covariance.sum(axis=0)
    scatter += [[first, mixed], [mixed, second]]
    np.testing.assert_allclose(np.linalg.inv(prior.precision), scatter / 52)
