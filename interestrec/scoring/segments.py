"""Blend weights of warm and cold users and items, apart where held-out lists say that it pays."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from interestrec.core import ragged
from interestrec.scoring.blend import fit_weights, has_both_classes, list_losses

_FOLDS = 3
_LEAST = 60  # lists that tell something, of a segment that gets weights of its own


@dataclass(frozen=True)
class SegmentWeights:
    """Of one kind of users."""

    warm: np.ndarray  # float64 [components], ≥ 0, for items with events
    cold: np.ndarray  # float64 [components], ≥ 0, for items without
    offset: float = 0.0  # added to cold items


@dataclass(frozen=True)
class SegmentBlend:
    """Weights for users with a history and for those without."""

    known: SegmentWeights
    new: SegmentWeights
    power: float = 1.0  # of the standardised scores' size; below 1, what one component is sure of counts less

    def __call__(self, standardised: Iterable[np.ndarray], cold: np.ndarray, new: np.ndarray) -> np.ndarray:
        """The weighed sum, float64.

        Args:
            standardised: a component each, [rows] or [requests, items].
            cold: bool, whose items are cold; broadcasts against the components.
            new: bool, whose users have no history; broadcasts against the components.
        """
        total = np.where(cold, np.where(new, self.new.offset, self.known.offset), 0.0)
        for component, scores in enumerate(apply_power(part, self.power) for part in standardised):
            of_warm = np.where(new, self.new.warm[component], self.known.warm[component])
            of_cold = np.where(new, self.new.cold[component], self.known.cold[component])
            total = total + np.where(cold, of_cold, of_warm) * scores
        return total


def apply_power(scores: np.ndarray, power: float) -> np.ndarray:
    """sign(z) |z|^power."""
    return scores if power == 1.0 else np.sign(scores) * np.abs(scores) ** power


def uniform(weights: np.ndarray) -> SegmentBlend:
    """The same weights for everyone and everything."""
    of_all = SegmentWeights(weights, weights)
    return SegmentBlend(of_all, of_all)


@dataclass(frozen=True)
class BlendLists:
    """Ranked lists with standardised features: what weights are fitted on."""

    features: np.ndarray  # float [rows, components]
    offsets: np.ndarray  # int64 [lists + 1]
    relevant: np.ndarray  # bool [rows]
    cold: np.ndarray  # bool [rows], of items
    new: np.ndarray  # bool [lists], of users
    contested: np.ndarray  # bool [rows], that weights are fitted on

    def contested_only(self) -> "BlendLists":
        """Without the other rows, and without lists that have nothing else.

        What no component has among its first cannot come first in a blend, whatever the weights: left in, such relevant
        items would flatten them.
        """
        return self._keep(self.contested)

    def select(self, lists: np.ndarray) -> "BlendLists":
        """Those of the lists, bool [lists]."""
        return self._keep(ragged.repeat(self.offsets, lists))

    def _keep(self, rows: np.ndarray) -> "BlendLists":
        """Some rows, bool [rows], and the lists that have any of them."""
        reached = ragged.filtered(self.offsets, rows)
        some = np.diff(reached) > 0
        return BlendLists(
            features=self.features[rows],
            offsets=np.append(reached[:-1][some], reached[-1]),
            relevant=self.relevant[rows],
            cold=self.cold[rows],
            new=self.new[some],
            contested=self.contested[rows],
        )

    def scores(self, blend: SegmentBlend) -> np.ndarray:
        """float64 [rows]"""
        return blend(list(self.features.T), self.cold, ragged.repeat(self.offsets, self.new))


@dataclass(frozen=True)
class SegmentChoice:
    """The blend, which segmentation it has, and the held-out loss of each that was tried."""

    blend: SegmentBlend
    segments: str
    lists: int  # that told something
    held_out: dict[str, float] = field(default_factory=dict)


def _together(lists: BlendLists) -> SegmentBlend:
    return uniform(fit_weights(lists.features, lists.offsets, lists.relevant))


def _by_item(lists: BlendLists) -> SegmentBlend:
    cold = lists.cold[:, None]
    columns = np.concatenate([lists.features * ~cold, lists.features * cold, cold], axis=1)
    found = fit_weights(columns, lists.offsets, lists.relevant, free=1)
    warm, of_cold = np.split(found[:-1], 2)
    weights = SegmentWeights(warm, of_cold, float(found[-1]))
    return SegmentBlend(weights, weights)


def _by_user(fit: Callable[[BlendLists], SegmentBlend]) -> Callable[[BlendLists], SegmentBlend]:
    def apart(lists: BlendLists) -> SegmentBlend:
        return SegmentBlend(fit(lists.select(~lists.new)).known, fit(lists.select(lists.new)).new)

    return apart


# From the simplest on: a later one is taken when it is better by more than chance.
SEGMENTATIONS: dict[str, Callable[[BlendLists], SegmentBlend]] = {
    "none": _together,
    "items": _by_item,
    "users": _by_user(_together),
    "users and items": _by_user(_by_item),
}


def choose(lists: BlendLists) -> SegmentChoice:
    """Weights, segmented as held-out lists want it.

    Lists are held out in thirds. A segmentation takes the place of a simpler one when its mean loss on held-out
    lists is lower by more than the standard error of the difference.
    """
    told = lists.select(has_both_classes(lists.offsets, lists.relevant))
    count = len(told.offsets) - 1
    possible = [name for name in SEGMENTATIONS if _possible(name, told)]
    if len(possible) == 1:
        return SegmentChoice(_together(told), "none", count)
    fold = np.arange(count) % _FOLDS
    losses = {name: _held_out(SEGMENTATIONS[name], told, fold) for name in possible}
    best = "none"
    for name in possible[1:]:
        gain = losses[best] - losses[name]
        if gain.mean() > gain.std() / np.sqrt(count):
            best = name
    means = {name: round(float(loss.mean()), 6) for name, loss in losses.items()}
    return SegmentChoice(SEGMENTATIONS[best](told), best, count, means)


def _possible(name: str, lists: BlendLists) -> bool:
    """Whether there are enough lists to fit each segment on."""
    with_cold = np.maximum.reduceat(lists.cold & lists.relevant, lists.offsets[:-1]) if len(lists.new) else lists.new
    enough = {"items": with_cold.sum() >= _LEAST, "users": min(lists.new.sum(), (~lists.new).sum()) >= _LEAST}
    return all(enough[segment] for segment in enough if segment in name)


def _held_out(fit: Callable[[BlendLists], SegmentBlend], lists: BlendLists, fold: np.ndarray) -> np.ndarray:
    """Each list's loss under weights that were fitted on the other folds; float64 [lists]."""
    losses = np.empty(len(fold))
    for number in range(_FOLDS):
        here = fold == number
        held = lists.select(here)
        losses[here] = list_losses(held.scores(fit(lists.select(~here))), held.offsets, held.relevant)
    return losses
