"""Bayesian matrix factorisation with side features: predicts intensity, also for new users with a history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.section import Count, Section
from interestrec.scorers.bias import clip_intensity
from interestrec.scorers.definition import LABELS, ScorerDefinition
from interestrec.scorers.interactions import one_blas_thread
from interestrec.scorers.requests import Labels, Requests
from interestrec.scorers.side_features import completed, occurrence_features, principal_features
from interestrec.scorers.variational_factors import Regression, Values, Vectors, posterior

_OCCURRENCES = 48  # features of what a user or an item occurs with; 24 and 96 are as good on MovieLens-100K
_TEXT = 64  # features of an item's text
_LEAST_VARIANCE = 1e-3  # of the noise, relative to the labels


class BayesianMfSettings(Section):
    """Settings of `bayesian_mf`: intensity by factors whose priors depend on texts, attributes and occurrences."""

    factors: Count = 8
    """Length of the vectors of users and items. Longer ones over-fit little, as uncertain values are averaged over, and
    cost time."""
    iterations: Count = 30
    """Rounds of updating users and items in turn."""


@dataclass(frozen=True)
class BayesianFactors:
    """Predicts mean + scale (p_u · q_i + b_u + b_i), clipped to [0, 1].

    The vector of a user without labels is the prior mean, given the user's attributes; if histories contain labels, it
    is the posterior mean given the history of the request.
    """

    mean: float
    scale: float
    noise: float  # precision of a label in units of `scale`
    user: np.ndarray  # float64 [users, factors + 1], p and b; the prior mean, without occurrences, where not labelled
    labelled: np.ndarray  # bool [users]
    item: Vectors  # [items]
    occurrence: np.ndarray  # float64 [items, factors + 1]: what the item adds to the prior of a user it occurs with
    centre: np.ndarray  # float64 [factors + 1], the mean of what occurrences add for labelled users
    precision: np.ndarray  # float64 [factors + 1, factors + 1], of the prior of users
    histories_are_labels: bool

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]"""
        with one_blas_thread():
            user = self._users(requests)
            return self._intensity(user[:, :-1] @ self.item.mean[:, :-1].T + user[:, -1:] + self.item.mean[:, -1])

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        with one_blas_thread():
            user, of_item = self._users(requests)[ragged.owner(offsets)], self.item.mean[item]
        return self._intensity(np.einsum("nf,nf->n", user[:, :-1], of_item[:, :-1]) + user[:, -1] + of_item[:, -1])

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {
            "mean": np.array(self.mean),
            "scale": np.array(self.scale),
            "noise": np.array(self.noise),
            "user": self.user,
            "labelled": self.labelled,
            "item": self.item.mean,
            "item_covariance": self.item.covariance,
            "occurrence": self.occurrence,
            "centre": self.centre,
            "precision": self.precision,
            "histories_are_labels": np.array(self.histories_are_labels),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(
            mean=float(arrays["mean"]),
            scale=float(arrays["scale"]),
            noise=float(arrays["noise"]),
            user=arrays["user"],
            labelled=arrays["labelled"],
            item=Vectors(arrays["item"], arrays["item_covariance"]),
            occurrence=arrays["occurrence"],
            centre=arrays["centre"],
            precision=arrays["precision"],
            histories_are_labels=bool(arrays["histories_are_labels"]),
        )

    def _intensity(self, value: np.ndarray) -> np.ndarray:
        return clip_intensity(self.mean + self.scale * value)

    def _users(self, requests: Requests) -> np.ndarray:
        """float64 [requests, factors + 1]"""
        user = self.user[requests.user]
        new = np.flatnonzero(~self.labelled[requests.user] & (np.diff(requests.offsets) > 0))
        if not self.histories_are_labels or not len(new):
            return user
        asked = requests.rows(new)
        values = _values(asked.owner, asked.item, self._standardised(asked.intensity), (len(new), len(self.item.mean)))
        prior = user[new] - self.centre + _per_root(values) @ self.occurrence
        user[new] = posterior(values, self.item, prior, self.precision, self.noise)[0].mean
        return user

    def _standardised(self, label: np.ndarray) -> np.ndarray:
        return (label.astype(np.float64) - self.mean) / self.scale


def fit(
    labels: Labels,
    text_vectors: np.ndarray,
    user_features: np.ndarray,
    histories_are_labels: bool,
    factors: int,
    iterations: int,
    seed: int,
) -> BayesianFactors:
    """Fit factors and biases by variational Bayes (Lim and Teh 2007) with priors that are regressions on features.

    Vectors are normal around a linear function of side features (Agarwal and Chen 2009; Simm et al. 2015): the items or
    users that occur with them, as in SVD++ (Koren 2008), an item's text and a user's attributes. The precisions of
    labels, vectors and regression weights are estimated along with them, so that nothing has to be tuned against
    over-fitting. All labels are standardised.

    Args:
        text_vectors: float32 [items, width], zeros for items without text.
        user_features: float64 [users, features] of attributes.
        histories_are_labels: whether intensities of histories are labels like those of the fit.
        factors: length of the vectors besides the bias.
        iterations: rounds of updating users, then items.
    """
    shape, width = (labels.n_users, labels.n_items), factors + 1
    label = labels.label.astype(np.float64)
    if not len(label) or label.min() == label.max():
        return _constant(float(label[0]) if len(label) else 0.0, shape, width)
    mean, scale = float(label.mean()), float(label.std())
    value = (label - mean) / scale
    by_user = _values(labels.user, labels.item, value, shape)
    by_item = by_user.transposed
    user_rows, item_rows = (np.diff(side.count.indptr) > 0 for side in (by_user, by_item))
    with one_blas_thread():
        of_user, of_item, projection = occurrence_features(by_user.count.sign(), _OCCURRENCES, seed)
        text = principal_features(text_vectors, item_rows, _TEXT)
        centre = of_user[user_rows].mean(axis=0)
        user_groups = [np.where(user_rows[:, None], of_user - centre, 0.0), user_features]
        item_groups = [completed(of_item, item_rows, text), text]
        user_prior = Regression.start(user_groups, user_rows, width)
        item_prior = Regression.start(item_groups, item_rows, width)
        item, noise = _start(item_rows, width, seed), 1.0
        for _ in range(iterations):
            prior = user_prior.means(user_groups, shape[0])
            user, _ = posterior(by_user, item, prior, user_prior.precision, noise)
            user_prior = user_prior.fitted(user)
            prior = item_prior.means(item_groups, shape[1])
            item, error = posterior(by_item, user, prior, item_prior.precision, noise)
            item_prior = item_prior.fitted(item)
            noise = 1.0 / max((error + float(value @ value)) / len(value), _LEAST_VARIANCE)
        occurrence = user_prior.weights[user_prior.group == 0]
        return BayesianFactors(
            mean=mean,
            scale=scale,
            noise=noise,
            user=user.mean,
            labelled=user_rows,
            item=item,
            occurrence=projection @ occurrence,
            centre=centre @ occurrence,
            precision=user_prior.precision,
            histories_are_labels=histories_are_labels,
        )


def _constant(intensity: float, shape: tuple[int, int], width: int) -> BayesianFactors:
    """Return factors that predict the same intensity for everyone."""
    users, items = (np.zeros((rows, width)) for rows in shape)
    item = Vectors(items, np.zeros((shape[1], width * (width + 1) // 2)))
    nobody, nothing = np.zeros(shape[0], dtype=bool), np.zeros(width)
    return BayesianFactors(intensity, 1.0, 1.0, users, nobody, item, items, nothing, np.eye(width), False)


def _start(labelled: np.ndarray, width: int, seed: int) -> Vectors:
    """Return vectors of small random factors for labelled items, by which the symmetry of the factors is broken."""
    mean = np.zeros((len(labelled), width))
    mean[labelled, :-1] = np.random.default_rng(seed).normal(0.0, 0.3, (int(labelled.sum()), width - 1))
    row, column = np.triu_indices(width)
    return Vectors(mean, np.tile(np.where(row == column, 0.01, 0.0), (len(labelled), 1)))


def _values(row: np.ndarray, column: np.ndarray, value: np.ndarray, shape: tuple[int, int]) -> Values:
    count = sparse.csr_matrix((np.ones(len(value)), (row, column)), shape=shape)
    return Values(count, sparse.csr_matrix((value, (row, column)), shape=shape))


def _per_root(values: Values) -> sparse.csr_matrix:
    """Rows of ones where there is a value, divided by √ of their number."""
    pairs = values.count.sign()
    return sparse.diags_array(1.0 / np.sqrt(np.maximum(np.diff(pairs.indptr), 1.0))) @ pairs


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=BayesianFactors,
    fitted_on=LABELS,
    needs=("text_vectors", "user_features", "histories_are_labels", "seed"),
    settings=BayesianMfSettings,
    is_baseline=False,
    predicts_intensity=True,
    is_estimator=True,
)
