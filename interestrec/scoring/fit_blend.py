"""Blend weights: proposed by fits on two thirds of the users of valid_blend, chosen by the metric of the other third.

Users with and without a history, and items with and without events, get choices of their own where there are lists to
tell. Each choice starts from the best single component and moves away from it only as far as held-out users ask for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from interestrec.scoring.blend import POWERS, Powers, raise_to
from interestrec.scoring.blend_lists import BlendLists
from interestrec.scoring.evidence import COLD, FOLDS, WARM, WHOLE, Contest, Evidence, folds
from interestrec.scoring.segments import ItemWeights, SegmentBlend, SegmentWeights, item_weights
from interestrec.scoring.weight_objectives import fit_logit, weight_objectives

KNOWN_USERS, NEW_USERS = "users with a history", "users without a history"
LEAST = 40  # lists with a value, of a segment that gets choices of its own
_PRIOR = 20.0  # lists of all users that each segment's quality of components is shrunk by
_SHARES = (0.25, 0.5, 0.75, 1.0)  # of fitted weights; the remainder is the best component's
_CAUTION = 0.5  # standard errors that a gain over the best component must exceed
_BEHIND = -1e6  # offset that puts cold items behind all others


class Method(NamedTuple):
    """How weights are made: `share` of those that the objective wants, the remainder of the best component."""

    objective: str  # "one component" or a name of weight_objectives
    power: float = 1.0
    share: float = 0.0


@dataclass(frozen=True)
class WeightChoice:
    """Weights for a kind of lists, and the held-out evidence for them."""

    weights: ItemWeights
    of_folds: list[ItemWeights]  # by the same method, each fitted without its fold
    method: Method
    best: int  # position of the best component alone
    lists: int  # lists with a value that decided
    held_out: float  # the metric of held-out users by this method; NaN without lists
    component: float  # the same of the best component, chosen without the held-out users
    optimism: float  # by how much the choice among methods flatters `held_out`


@dataclass(frozen=True)
class SegmentChoice:
    """Weights of one kind of users."""

    weights: SegmentWeights
    items: dict[str, WeightChoice]  # by WHOLE, or by WARM and COLD
    borrowed: bool  # decided on the lists of all users, because there are few of this kind
    stand_ins: int  # lists of users with a history who were asked without it


@dataclass(frozen=True)
class BlendFit:
    """The fitted blend."""

    blend: SegmentBlend
    metric: str
    lists: int  # with a value
    choices: dict[str, SegmentChoice] = field(default_factory=dict)  # by KNOWN_USERS, NEW_USERS; empty: fixed weights
    alone: np.ndarray | None = None  # float64 [components], metric of each on all lists


def fixed_blend(weights: np.ndarray, evidence: Evidence, voters: int) -> BlendFit:
    """Return the blend with these weights, float64 [components], for everyone and everything."""
    of_all = SegmentWeights(item_weights(weights, np.zeros(len(weights)), 1.0, voters))
    return BlendFit(SegmentBlend(of_all, of_all), evidence.metric, len(evidence.user))


def fit_blend(evidence: Evidence, components: int, voters: int) -> BlendFit:
    """Choose the weights of both kinds of users.

    Args:
        components: number of the first voters that get weights.
        voters: all voters; a further one breaks ties.
    """
    fit = _Fit(evidence, components, voters)
    known, new = fit.users(~evidence.new), fit.users(evidence.new)
    return BlendFit(
        blend=SegmentBlend(known.weights, new.weights),
        metric=evidence.metric,
        lists=fit.told(WHOLE, fit.everyone),
        choices={KNOWN_USERS: known, NEW_USERS: new},
        alone=fit.alone_means(WHOLE, fit.everyone),
    )


class _Fit:
    """Choices on one evidence."""

    def __init__(self, evidence: Evidence, components: int, voters: int) -> None:
        self.evidence, self.components, self.voters = evidence, components, voters
        self.fold = folds(evidence.user)
        self.everyone = ~evidence.stand_in
        self.objectives = weight_objectives(evidence.metric)
        single = [SegmentWeights(ItemWeights(one)) for one in np.eye(voters)[:components]]
        kinds = (WHOLE, WARM, COLD)
        every_list = np.ones(len(evidence.user), dtype=bool)
        contests = [Contest(every_list, among, [single] * FOLDS) for among in kinds]
        self.alone = dict(zip(kinds, evidence.compare(contests), strict=True))  # float64 [components, lists]

    def told(self, among: str, lists: np.ndarray) -> int:
        """Number of lists, of bool [lists], with a value."""
        return int((lists & ~np.isnan(self.alone[among][0])).sum())

    def alone_means(self, among: str, lists: np.ndarray) -> np.ndarray:
        """Return the metric of each component over the lists, shrunk to that over all lists; float64 [components]."""
        overall = _mean(self.alone[among], self.evidence.weight, self.everyone)
        own = _mean(self.alone[among], self.evidence.weight, lists)
        count = self.told(among, lists)
        return (count * np.nan_to_num(own) + _PRIOR * np.nan_to_num(overall)) / (count + _PRIOR)

    def users(self, lists: np.ndarray) -> SegmentChoice:
        """Choose the weights of a kind of users by their lists, bool [lists], or by those of all where they are few."""
        if self.told(WHOLE, lists) < LEAST:
            return replace(self.of_everyone, borrowed=True)
        if (lists == self.everyone).all():
            return self.of_everyone
        return self.segment(lists)

    @cached_property
    def of_everyone(self) -> SegmentChoice:
        """The choice by the lists of all users."""
        return self.segment(self.everyone)

    def segment(self, lists: np.ndarray) -> SegmentChoice:
        """Choose the weights of users by these lists, bool [lists]."""
        whole = self.choose(WHOLE, lists)
        of_cold = lists if self.told(COLD, lists) >= LEAST else self.everyone
        if self.told(COLD, of_cold) < LEAST or self.told(WARM, lists) < LEAST:
            return self.segment_choice(SegmentWeights(whole.weights), {WHOLE: whole}, lists)
        warm, cold = self.choose(WARM, lists), self.choose(COLD, of_cold)
        together = [self.merge(warm, cold, lists, fold) for fold in range(FOLDS)]
        # The first is preferred: it orders cold items among each other by what held-out lists of them ask for.
        alternatives = [
            [together[fold], replace(together[fold], offset=_BEHIND), SegmentWeights(whole.of_folds[fold])]
            for fold in range(FOLDS)
        ]
        [values] = self.evidence.compare([Contest(lists, WHOLE, alternatives)])
        best = self.prefer(values, lists)
        if best == 2:
            return self.segment_choice(SegmentWeights(whole.weights), {WHOLE: whole}, lists)
        merged = self.merge(warm, cold, lists, None)
        weights = merged if best == 0 else replace(merged, offset=_BEHIND)
        return self.segment_choice(weights, {WARM: warm, COLD: cold}, lists)

    def segment_choice(
        self, weights: SegmentWeights, items: dict[str, WeightChoice], lists: np.ndarray
    ) -> SegmentChoice:
        """Return the choice of users by these lists, bool [lists], of their own."""
        stand_ins = self.told(WHOLE, lists & self.evidence.stand_in)
        return SegmentChoice(weights, items, borrowed=False, stand_ins=stand_ins)

    def choose(self, among: str, lists: np.ndarray) -> WeightChoice:
        """Choose the weights for lists of such items alone."""
        by_fold = [self.alternatives(among, lists & (self.fold != fold)) for fold in range(FOLDS)]
        contest = Contest(lists, among, [[SegmentWeights(w) for w in found.values()] for found in by_fold])
        [values] = self.evidence.compare([contest])
        methods = list(by_fold[0])
        chosen = self.prefer(values, lists)
        nested = np.full(len(lists), np.nan)
        for fold in range(FOLDS):
            here = lists & (self.fold == fold)
            nested[here] = values[self.prefer(values, lists & ~here), here]
        held_out, component, honest = _mean(np.stack([values[chosen], values[0], nested]), self.evidence.weight, lists)
        method = methods[chosen]
        return WeightChoice(
            weights=self.alternatives(among, lists, [method])[method],
            of_folds=[found[method] for found in by_fold],
            method=method,
            best=int(np.argmax(self.alone_means(among, lists))),
            lists=self.told(among, lists),
            held_out=float(held_out),
            component=float(component),
            optimism=float(held_out - honest),
        )

    def alternatives(
        self, among: str, lists: np.ndarray, methods: Sequence[Method] | None = None
    ) -> dict[Method, ItemWeights]:
        """Return weights by method, fitted on these lists; the first method is the best component alone."""
        quality = self.alone_means(among, lists)
        one = np.full(self.components, 1.0 / self.components)  # where nothing tells components apart
        if quality.any():
            one = np.eye(self.components)[int(np.argmax(quality))]
        fitted_on = self.evidence.proposals(among)
        fitted_on = fitted_on.select(lists[fitted_on.source])
        fitted_on = fitted_on.with_features(fitted_on.features[:, : self.components])
        every = [Method("one component")] + [
            Method(name, power, share) for power in POWERS for name in self.objectives for share in _SHARES
        ]
        found: dict[Method, ItemWeights] = {}
        wanted: dict[tuple[str, float], np.ndarray] = {}
        for method in every if methods is None else methods:
            weights = one
            if method.share:
                key = method.objective, method.power
                if key not in wanted:
                    features = raise_to(fitted_on.features, method.power)
                    wanted[key] = self.objectives[method.objective](fitted_on.with_features(features))
                weights = method.share * wanted[key] / wanted[key].sum() + (1.0 - method.share) * one
            found[method] = item_weights(weights, quality, method.power, self.voters)
        return found

    def prefer(self, values: np.ndarray, lists: np.ndarray) -> int:
        """Return the alternative whose gain over the first, less half its standard error, is the largest.

        Args:
            values: float64 [alternatives, all lists].
            lists: bool [all lists].
        """
        told = lists & ~np.isnan(values[0])
        if not told.any():
            return 0
        weight = self.evidence.weight[told]
        gain = (values - values[0])[:, told]
        mean = gain @ weight / weight.sum()
        user = np.unique(self.evidence.user[told], return_inverse=True)[1]
        errors = [np.bincount(user, weight * row) for row in gain - mean[:, None]]
        return int(np.argmax(mean - _CAUTION * np.linalg.norm(errors, axis=1) / weight.sum()))

    def merge(self, warm: WeightChoice, cold: WeightChoice, lists: np.ndarray, fold: int | None) -> SegmentWeights:
        """Return both kinds of items in one list: scale and offset of cold ones by conditional logit.

        Args:
            fold: the fold that is left out; None: the final weights.
        """
        rows = self.evidence.proposals(WHOLE)
        rows = rows.select(lists[rows.source] & (self.fold[rows.source] != (-1 if fold is None else fold)))
        of_warm, of_cold = (c.weights if fold is None else c.of_folds[fold] for c in (warm, cold))
        features = np.stack([*_utilities(rows, of_warm, of_cold), rows.cold.astype(np.float64)], axis=1)
        own, scale, offset = fit_logit(rows.with_features(features), free=1)
        if own <= 0:
            return SegmentWeights(of_warm, of_cold, offset=_BEHIND)
        return SegmentWeights(of_warm, of_cold, float(max(scale / own, 1e-3)), float(offset / own))


def _utilities(rows: BlendLists, warm: ItemWeights, cold: ItemWeights) -> tuple[np.ndarray, np.ndarray]:
    parts = Powers(list(rows.features.T))
    return warm.utility(parts) * ~rows.cold, cold.utility(parts) * rows.cold


def _mean(values: np.ndarray, weight: np.ndarray, lists: np.ndarray) -> np.ndarray:
    """Return the weighted means of values [alternatives, lists] over the lists with a value; NaN without any."""
    chosen = values[:, lists]
    told = ~np.isnan(chosen)
    weights = weight[lists] * told
    total = weights.sum(axis=1)
    summed = (np.where(told, chosen, 0.0) * weights).sum(axis=1)
    return np.divide(summed, total, out=np.full(len(values), np.nan), where=total > 0)
