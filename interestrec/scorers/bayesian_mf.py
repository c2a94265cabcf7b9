"""Bayesian matrix factorisation with side features: predicts intensity, also for new users with a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.row_products import one_blas_thread, pair_dots, row_products
from interestrec.core.section import Count, Section
from interestrec.scorers.bias import clip_intensity
from interestrec.scorers.definition import KEPT, LABELS, ScorerDefinition
from interestrec.scorers.requests import Events, Labels, Requests, user_rows
from interestrec.scorers.side_features import (
    attribute_features,
    occurrence_features,
    principal_features,
    ridge_guess,
)
from interestrec.scorers.stored_arrays import with_rows
from interestrec.scorers.variational_factors import Regression, Values, Vectors, posterior

if TYPE_CHECKING:
    import pyarrow as pa

_OCCURRENCES = 48  # features of what a user or an item occurs with; 24 and 96 are as good on MovieLens-100K
_TEXT = 64  # features of an item's text
_FIRST_NOISE = 10.0  # precision of labels in the first round: with a low one few labels leave all factors at 0
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
    unknown: np.ndarray  # float64 [factors + 1], the prior mean of users of whom nothing is known
    item: Vectors  # [items]
    occurrence: np.ndarray  # float64 [items, factors + 1]: what the item adds to the prior of a user it occurs with
    centre: np.ndarray  # float64 [factors + 1], the mean of what occurrences add for labelled users
    precision: np.ndarray  # float64 [factors + 1, factors + 1], of the prior of users
    histories_are_labels: bool
    new_item: Vectors  # [1], the prior of an item of which nothing is known

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]"""
        user = self._users(requests)
        dots = row_products(user[:, :-1], self.item.mean[:, :-1])
        return self._intensity(dots + user[:, -1:] + self.item.mean[:, -1])

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        user, of_item = self._users(requests)[ragged.owner(offsets)], self.item.mean[item]
        return self._intensity(pair_dots(user[:, :-1], of_item[:, :-1]) + user[:, -1] + of_item[:, -1])

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {
            "mean": np.array(self.mean),
            "scale": np.array(self.scale),
            "noise": np.array(self.noise),
            "user": self.user,
            "labelled": self.labelled,
            "unknown": self.unknown,
            "item": self.item.mean,
            "item_covariance": self.item.covariance,
            "occurrence": self.occurrence,
            "centre": self.centre,
            "precision": self.precision,
            "histories_are_labels": np.array(self.histories_are_labels),
            "new_item": self.new_item.mean,
            "new_item_covariance": self.new_item.covariance,
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
            unknown=arrays["unknown"],
            item=Vectors(arrays["item"], arrays["item_covariance"]),
            occurrence=arrays["occurrence"],
            centre=arrays["centre"],
            precision=arrays["precision"],
            histories_are_labels=bool(arrays["histories_are_labels"]),
            new_item=Vectors(arrays["new_item"], arrays["new_item_covariance"]),
        )

    def _intensity(self, value: np.ndarray) -> np.ndarray:
        return clip_intensity(self.mean + self.scale * value)

    def _users(self, requests: Requests) -> np.ndarray:
        """float64 [requests, factors + 1]"""
        user = user_rows(self.user, requests.user, self.unknown)
        labelled = user_rows(self.labelled, requests.user, False)
        new = np.flatnonzero(~labelled & (np.diff(requests.offsets) > 0))
        if not self.histories_are_labels or not len(new):
            return user
        asked = requests.rows(new)
        label = (asked.intensity.astype(np.float64) - self.mean) / self.scale
        items, column = np.unique(asked.item, return_inverse=True)
        values = Values.of(asked.owner, column, label, (len(new), len(items)))
        prior = user[new] - self.centre + _per_root(values) @ self.occurrence[items]
        seen = Vectors(self.item.mean[items], self.item.covariance[items])
        user[new] = posterior(values, seen, prior, self.precision, self.noise)[0].mean
        return user


def fit(
    labels: Labels,
    text_vectors: np.ndarray,
    user_attributes: Sequence[pa.ChunkedArray],
    histories_are_labels: bool,
    factors: int,
    iterations: int,
    seed: int,
) -> BayesianFactors:
    """Fit factors and biases by variational Bayes (Lim and Teh 2007) with priors that are regressions on features.

    Vectors are normal around a linear function of side features (Agarwal and Chen 2009; Simm et al. 2015): the items or
    users that occur with them, as in SVD++ (Koren 2008), an item's text and a user's attributes. The precisions of
    labels, vectors and regression weights are estimated along with them, so that nothing has to be tuned against
    over-fitting. Users and items without labels have no effect on the fit and get the means of their priors.

    Args:
        text_vectors: float32 [items, width], zeros for items without text.
        user_attributes: columns [users], float64 or string, null where unknown.
        histories_are_labels: whether intensities of histories are labels like those of the fit.
        factors: length of the vectors besides the bias.
        iterations: rounds of updating users, then items.
    """
    label = labels.label.astype(np.float64)
    if not len(label) or label.min() == label.max():
        return _constant(float(label[0]) if len(label) else 0.0, labels, factors + 1)
    mean, scale = float(label.mean()), float(label.std())
    users, user_row = np.unique(labels.user, return_inverse=True)
    items, item_row = np.unique(labels.item, return_inverse=True)
    values = Values.of(user_row, item_row, (label - mean) / scale, (len(users), len(items)))
    with one_blas_thread():
        of_user, of_item, projection = occurrence_features(values.count.sign(), _OCCURRENCES, seed)
        centre = of_user.mean(axis=0)
        of_user, of_item = of_user - centre, of_item - of_item.mean(axis=0)
        attributes = attribute_features(user_attributes, users, labels.n_users)
        text = principal_features(text_vectors, items, _TEXT)
        side = (of_user, attributes[users]), (of_item, text[items])
        fitted = _alternate(values, side, _start(len(items), factors + 1, seed), iterations)
        weights = fitted.user_prior.group_weights(0)
        occurrence = np.zeros((labels.n_items, factors + 1))
        occurrence[items] = projection @ weights
        return BayesianFactors(
            mean=mean,
            scale=scale,
            noise=fitted.noise,
            user=fitted.user_prior.extended(fitted.user, users, (None, attributes)).mean,
            labelled=np.isin(np.arange(labels.n_users), users),
            unknown=fitted.user_prior.offset,
            item=fitted.item_prior.extended(fitted.item, items, (ridge_guess(of_item, text[items], text), text)),
            occurrence=occurrence,
            centre=centre @ weights,
            precision=fitted.user_prior.precision,
            histories_are_labels=histories_are_labels,
            new_item=fitted.item_prior.unknown,
        )


def follow(scorer: BayesianFactors, after: Events, forgotten: np.ndarray) -> BayesianFactors:
    """Keep what was learned; new users and items, and forgotten users, are such that nothing is known of them."""
    user, labelled = with_rows(scorer.user, after.n_users, scorer.unknown), with_rows(scorer.labelled, after.n_users)
    user[forgotten], labelled[forgotten] = scorer.unknown, False
    mean = with_rows(scorer.item.mean, after.n_items, scorer.new_item.mean)
    covariance = with_rows(scorer.item.covariance, after.n_items, scorer.new_item.covariance)
    occurrence = with_rows(scorer.occurrence, after.n_items)
    return replace(scorer, user=user, labelled=labelled, item=Vectors(mean, covariance), occurrence=occurrence)


@dataclass(frozen=True)
class _Fitted:
    user: Vectors
    user_prior: Regression
    item: Vectors
    item_prior: Regression
    noise: float


def _alternate(
    by_user: Values, features: tuple[Sequence[np.ndarray], Sequence[np.ndarray]], item: Vectors, iterations: int
) -> _Fitted:
    """Update users, items and what their priors depend on in turn.

    Args:
        by_user: standardised values.
        features: groups of features of users, and of items.
        item: start values.
    """
    by_item, labels = by_user.transposed, float(by_user.count.sum())
    user_prior, item_prior = (Regression.start(groups, item.mean.shape[1]) for groups in features)
    noise = _FIRST_NOISE
    for _ in range(iterations):
        user, _ = posterior(by_user, item, user_prior.fitted_means, user_prior.precision, noise)
        user_prior = user_prior.fitted(user)
        item, error = posterior(by_item, user, item_prior.fitted_means, item_prior.precision, noise)
        item_prior = item_prior.fitted(item)
        noise = 1.0 / max(error / labels + 1.0, _LEAST_VARIANCE)
    return _Fitted(user, user_prior, item, item_prior, noise)


def _constant(intensity: float, labels: Labels, width: int) -> BayesianFactors:
    """Return factors that predict the same intensity for everyone."""
    users, items = (np.zeros((rows, width)) for rows in (labels.n_users, labels.n_items))
    item = Vectors(items, np.zeros((labels.n_items, width * (width + 1) // 2)))
    nobody, nothing = np.zeros(labels.n_users, dtype=bool), np.zeros(width)
    new = Vectors(np.zeros((1, width)), np.zeros((1, width * (width + 1) // 2)))
    return BayesianFactors(intensity, 1.0, 1.0, users, nobody, nothing, item, items, nothing, np.eye(width), False, new)


def _start(items: int, width: int, seed: int) -> Vectors:
    """Return vectors of small random factors, by which the symmetry of the factors is broken."""
    mean = np.random.default_rng(seed).normal(0.0, 0.3, (items, width))
    mean[:, -1] = 0.0
    row, column = np.triu_indices(width)
    return Vectors(mean, np.tile(np.where(row == column, 0.01, 0.0), (items, 1)))


def _per_root(values: Values) -> sparse.csr_matrix:
    """Rows of ones where there is a value, divided by √ of their number."""
    pairs = values.count.sign()
    return sparse.diags_array(1.0 / np.sqrt(np.maximum(np.diff(pairs.indptr), 1.0))) @ pairs


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=BayesianFactors,
    fitted_on=LABELS,
    follows=KEPT,
    follow=follow,
    needs=("text_vectors", "user_attributes", "histories_are_labels", "seed"),
    settings=BayesianMfSettings,
    is_baseline=False,
    predicts_intensity=True,
    is_estimator=True,
)
