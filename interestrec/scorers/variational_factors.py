"""Variational Bayes for factors with biases: posteriors of vectors, and priors that are regressions on features.

The vector x of a user or an item consists of its factors and, last, its bias. A value of the pair is x · z + b, where z
is the vector of the other side with 1 in the place of its bias b.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from interestrec.core.deferred_import import np, sparse
from interestrec.core.row_products import pair_dots, row_products

_CELLS = 1 << 22  # numbers in the matrices of one block of rows
_RELEVANCE = 5.0  # precision of regression weights at the start


@dataclass(frozen=True)
class Vectors:
    """Normal posteriors of the vectors of one side."""

    mean: np.ndarray  # float64 [rows, width]
    covariance: np.ndarray  # float64 [rows, width (width + 1) / 2], upper triangles

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return E z and E b, float64 [rows, width + 1], and E zzᵀ (triangle), E zb and E b² side by side."""
        width = self.mean.shape[1]
        row, column = np.triu_indices(width)
        bias = self.mean[:, -1:]
        second = self.covariance + self.mean[:, row] * self.mean[:, column]
        with_bias = second[:, column == width - 1]  # E xb, whose last is E b²
        first = np.concatenate([self.mean[:, :-1], np.ones_like(bias), bias], axis=1)
        second[:, column == width - 1] = first[:, :-1]
        return first, np.concatenate([second, with_bias[:, :-1], bias, with_bias[:, -1:]], axis=1)


@dataclass(frozen=True)
class Values:
    """Known values of one side's rows by the other side's rows; a pair may have several."""

    count: sparse.csr_matrix  # float64 [rows, others], number of values
    total: sparse.csr_matrix  # float64 [rows, others], their sum; the same pattern

    @classmethod
    def of(cls, row: np.ndarray, column: np.ndarray, value: np.ndarray, shape: tuple[int, int]) -> Values:
        """Return the values of pairs, [pairs] each."""
        count = sparse.csr_matrix((np.ones(len(value)), (row, column)), shape=shape)
        return cls(count, sparse.csr_matrix((value, (row, column)), shape=shape))

    @property
    def transposed(self) -> Values:
        """The same values with the sides exchanged."""
        return Values(self.count.T.tocsr(), self.total.T.tocsr())


def posterior(
    values: Values, others: Vectors, prior: np.ndarray, precision: np.ndarray, noise: float
) -> tuple[Vectors, float]:
    """Return the posterior of each row's vector, and E Σ (x · z + b)² − 2 Σ value (x · z + b) over the values.

    The posterior is the normal of precision Λ + ν Σ E zzᵀ and of the mean that solves
    (Λ + ν Σ E zzᵀ) x = Λ prior + ν Σ (value E z − E zb): the update of Lim and Teh 2007 with biases.

    Args:
        prior: float64 [rows, width], prior means.
        precision: Λ, float64 [width, width].
        noise: ν, the precision of a value.
    """
    rows, width = prior.shape
    row, column = np.triu_indices(width)
    twice = np.where(row == column, 1.0, 2.0)
    first, second = others.moments()
    mean, covariance = np.empty((rows, width)), np.empty((rows, len(row)))
    error = 0.0
    step = max(1, _CELLS // (width * width))
    for start in range(0, rows, step):
        block = slice(start, start + step)
        linear, squares = values.total[block] @ first, values.count[block] @ second
        gram, cross = squares[:, : len(row)], squares[:, len(row) : -1]
        matrix = np.empty((len(gram), width, width))
        matrix[:, row, column] = matrix[:, column, row] = gram
        inverse = np.linalg.inv(noise * matrix + precision)
        right = noise * (linear[:, :-1] - cross) + row_products(prior[block], precision.T)
        x = pair_dots(inverse, right[:, None, :])
        mean[block], covariance[block] = x, inverse[:, row, column]
        expected = (covariance[block] + x[:, row] * x[:, column]) * twice
        error += float((gram * expected).sum() + squares[:, -1].sum() - 2.0 * linear[:, -1].sum())
        error += 2.0 * float((x * (cross - linear[:, :-1])).sum())
    return Vectors(mean, covariance), error


@dataclass(frozen=True)
class Regression:
    """Prior of one side: x is normal with mean offset + features · weights and a precision, as in Simm et al. 2015.

    Weights are normal with the same covariance divided by the relevance of their group of features, so that a group
    that says nothing is drawn to 0.
    """

    features: np.ndarray  # float64 [rows, features], of the rows that it is fitted on
    group: np.ndarray  # int64 [features], the number of a feature's group
    gram: np.ndarray  # float64 [features, features], featuresᵀ features
    offset: np.ndarray  # float64 [width]
    weights: np.ndarray  # float64 [features, width]
    relevance: np.ndarray  # float64 [groups]
    precision: np.ndarray  # float64 [width, width]

    @classmethod
    def start(cls, groups: Sequence[np.ndarray], width: int) -> Regression:
        """Return the prior before any fit; `groups` are features, float64 [rows, any] each."""
        features = np.concatenate(groups, axis=1)
        number = np.repeat(np.arange(len(groups)), [group.shape[1] for group in groups])
        weights, relevance = np.zeros((features.shape[1], width)), np.full(len(groups), _RELEVANCE)
        gram = features.T @ features
        return cls(features, number, gram, np.zeros(width), weights, relevance, np.eye(width))

    @property
    def fitted_means(self) -> np.ndarray:
        """Prior means of the rows that it is fitted on, float64 [rows, width]."""
        return self.offset + self.features @ self.weights

    @property
    def unknown(self) -> Vectors:
        """The prior of a row of which nothing is known; one row."""
        spread = np.linalg.inv(self.precision)[np.triu_indices(len(self.offset))]
        return Vectors(self.offset[None].copy(), spread[None])

    def group_weights(self, number: int) -> np.ndarray:
        """Weights of a group of features, float64 [features of the group, width]."""
        return self.weights[self.group == number]

    def extended(self, vectors: Vectors, rows: np.ndarray, groups: Sequence[np.ndarray | None]) -> Vectors:
        """Return the vectors of all rows: the given ones of the fitted rows, and the prior of the others.

        Args:
            rows: int64 [fitted rows].
            groups: features of all rows, float64 [all rows, any] each; None is 0 throughout.
        """
        size = next(len(features) for features in groups if features is not None)
        mean = np.tile(self.offset, (size, 1))
        for number, features in enumerate(groups):
            if features is not None:
                mean += features @ self.group_weights(number)
        covariance = np.tile(self.unknown.covariance, (size, 1))
        mean[rows], covariance[rows] = vectors.mean, vectors.covariance
        return Vectors(mean, covariance)

    def fitted(self, vectors: Vectors) -> Regression:
        """Return the regression of the vectors, with the relevances and the precision that follow from it.

        The precision is the inverse of the expected scatter of vectors and weights, with an identity matrix as one
        more row per dimension, so that few rows do not make it infinite.
        """
        x, width = vectors.mean, len(self.offset)
        count = np.bincount(self.group, minlength=len(self.relevance))
        ridge = self.relevance[self.group]
        offset = (x - self.features @ self.weights).mean(axis=0)
        spread = np.linalg.inv(self.gram + np.diag(ridge))
        weights = spread @ (self.features.T @ (x - offset))
        size = np.einsum("fi,ij,fj->f", weights, self.precision, weights) + width * np.diag(spread)
        relevance = (count * width + 1.0) / (np.bincount(self.group, size, minlength=len(count)) + 1.0)
        left = x - offset - self.features @ weights
        row, column = np.triu_indices(width)
        scatter = np.eye(width) + left.T @ left + (weights * relevance[self.group][:, None]).T @ weights
        covariance = vectors.covariance.sum(axis=0)
        scatter[row, column] += covariance
        scatter[column[row != column], row[row != column]] += covariance[row != column]
        precision = np.linalg.inv(scatter / (len(x) + width + len(weights)))
        return replace(self, offset=offset, weights=weights, relevance=relevance, precision=precision)
