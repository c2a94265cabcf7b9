"""Side features of users and items for factor models: what they occur with, texts and attributes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np, sparse
from interestrec.core.row_products import one_blas_thread

if TYPE_CHECKING:
    import pyarrow as pa

_DENSE = 1 << 20  # cells up to which a matrix is decomposed whole
_PROJECTED = 1 << 28  # cells beyond which leading vectors are found by projections
_ITERATIONS = 8  # power iterations of a projection
_VALUES = 64  # most frequent values of an attribute that get a feature each


def occurrence_features(pairs: sparse.csr_matrix, rank: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features of users and items from who occurs with what, whatever the value (Koren 2008).

    They are the leading singular vectors, times singular values, of the matrix of pairs divided by √(degree of the user
    × degree of the item), scaled so that rows have a mean square of 1. A user's features are the sum of `projection`
    over the items that the user occurs with, divided by √ of their number.

    Args:
        pairs: float64 [users, items], 1 where the pair occurs, with a pair in every row and column.
        rank: number of features, fewer if the matrix is small.

    Returns:
        float64 [users, features], float64 [items, features], and `projection`, float64 [items, features].
    """
    user_scale, item_scale = (1.0 / np.sqrt(np.asarray(pairs.sum(axis=axis)).ravel()) for axis in (1, 0))
    matrix = sparse.diags_array(user_scale) @ pairs @ sparse.diags_array(item_scale)
    left, size, right = _leading(matrix, rank, seed)
    user_length, item_length = mean_length(left * size), mean_length(right * size)
    return left * size / user_length, right * size / item_length, right * item_scale[:, None] / user_length


def mean_length(features: np.ndarray) -> float:
    """Root mean square length of rows, [rows, any]; 1 if all are 0."""
    return float(np.sqrt((features**2).sum() / max(len(features), 1))) or 1.0


def _leading(matrix: sparse.csr_matrix, rank: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the leading singular vectors, [rows, rank] and [columns, rank], and values, [rank].

    Those of a large matrix are found by a random projection and power iterations (Halko et al. 2011, algorithm 4.4):
    a sparse log falls into many parts without a common user, each with the singular value 1, and Lanczos iterations
    separate them one by one.
    """
    if min(matrix.shape) <= rank or np.prod(matrix.shape, dtype=np.float64) <= _DENSE:
        left, size, right = np.linalg.svd(matrix.toarray(), full_matrices=False)
        return left[:, :rank], size[:rank], right[:rank].T
    if np.prod(matrix.shape, dtype=np.float64) > _PROJECTED:
        from sklearn.utils.extmath import randomized_svd

        with one_blas_thread():
            left, size, right = randomized_svd(matrix, rank, n_iter=_ITERATIONS, random_state=seed)
        return left, size, right.T
    from scipy.sparse.linalg import svds

    start = np.random.default_rng(seed).random(min(matrix.shape))
    left, size, right = svds(matrix, k=rank, v0=start)
    return left, size, right.T


def ridge_guess(features: np.ndarray, others: np.ndarray, others_of_all: np.ndarray) -> np.ndarray:
    """Guess features of all rows by a ridge regression on other features; float64 [all rows, features].

    Args:
        features: float64 [known rows, features], with means of 0.
        others: float64 [known rows, any], with lengths of about 1.
        others_of_all: float64 [all rows, any].
    """
    gram = others.T @ others + np.eye(others.shape[1])
    return others_of_all @ np.linalg.solve(gram, others.T @ features)


def principal_features(vectors: np.ndarray, fitted: np.ndarray, rank: int) -> np.ndarray:
    """Return the leading principal components of vectors scaled to length 1; float64 [rows, rank or fewer].

    Rows of zeros, without text, stay zeros. Components are scaled so that fitted rows have a mean square of 1.

    Args:
        vectors: float32 [rows, width].
        fitted: int64 [fitted rows]: rows that the components are computed from.
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True).astype(np.float64)
    known = length[:, 0] > 0
    fitted = fitted[known[fitted]]
    if not len(fitted):
        return np.zeros((len(vectors), 0))
    unit = np.divide(vectors, length, out=np.zeros(vectors.shape), where=length > 0)
    centred = np.where(known[:, None], unit - unit[fitted].mean(axis=0), 0.0)
    _, axes = np.linalg.eigh(centred[fitted].T @ centred[fitted])
    features = centred @ axes[:, ::-1][:, : min(rank, len(fitted))]
    return features / mean_length(features[fitted])


def attribute_features(columns: Iterable[pa.ChunkedArray], fitted: np.ndarray, rows: int) -> np.ndarray:
    """Return attributes as numbers: a standardised column per number, one per frequent value of a text.

    A missing value, and one that no fitted row has, is 0 in all columns. Rows have a mean square of about 1.

    Args:
        columns: [rows], float64 or string, null where unknown.
        fitted: int64 [fitted rows]: rows that means and values are taken from.

    Returns:
        float64 [rows, features].
    """
    features = [np.zeros((rows, 0))]
    for column in columns:
        values = np.array(column.to_pylist(), dtype=object)
        known = np.array([value is not None for value in values], dtype=bool)
        learned = fitted[known[fitted]]
        if not len(learned):
            continue
        if isinstance(values[learned[0]], float):
            encoded = np.where(known, values, 0.0).astype(np.float64)[:, None]
        else:
            names, counts = np.unique(values[learned].astype(str), return_counts=True)
            frequent = names[np.argsort(-counts, kind="stable")[:_VALUES]]
            known &= np.isin(values.astype(str), names)
            encoded = (values.astype(str)[:, None] == frequent).astype(np.float64)
        centred = np.where(known[:, None], encoded - encoded[learned].mean(axis=0), 0.0)
        features.append(centred / mean_length(centred[learned]))
    return np.concatenate(features, axis=1) / np.sqrt(max(len(features) - 1, 1))
