"""The scorers by name: which are fitted on counts or labels, and which scorer each component of the decision is."""

from collections.abc import Callable, Mapping
from typing import Any

from interestrec.core.catalogue import pick
from interestrec.scoring import (
    als,
    bias,
    ease,
    factorization,
    item_item,
    item_knn,
    mean_intensity,
    mf,
    popularity,
    trending,
)
from interestrec.scoring.requests import Events, Labels, Scorer

# fitted on positive events, and again on train + valid under `rank.refit`
COUNT_BASED: dict[str, Callable[..., Scorer]] = {
    "popularity": popularity.fit,
    "trending": trending.fit,
    "item_knn": item_knn.fit,
    "item_item": item_item.fit,
    "als": als.fit,
    "ease": ease.fit,
    "bpr": factorization.fit,
}

# fitted on known labels, refitted like the others; their scores are intensities
LABEL_BASED: dict[str, Callable[..., Scorer]] = {
    "mean_intensity": mean_intensity.fit,
    "bias": bias.fit,
    "mf": mf.fit,
}

# component of the decision -> the scorer behind it
COMPONENTS = {
    "intensity": "intensity",
    "item_item": "item_item",
    "collaborative": "als",
    "ease": "ease",
    "factorization": "bpr",
    "popularity": "popularity",
    "trending": "trending",
    "content": "content",
}


def needed(systems: list[str], components: list[str]) -> list[str]:
    """Scorers behind the systems and, where `interestrec` is one of them, behind its components."""
    behind = [pick(COMPONENTS, name, "component") for name in components] if "interestrec" in systems else []
    return list(dict.fromkeys([*(name for name in systems if name != "interestrec"), *behind]))


def fit_counts(names: list[str], events: Events, options: Mapping[str, Mapping[str, Any]]) -> dict[str, Scorer]:
    """Fit those of the named scorers that count events; `options` are each one's keyword arguments."""
    return {name: COUNT_BASED[name](events, **options.get(name, {})) for name in names if name in COUNT_BASED}


def fit_labels(names: list[str], labels: Labels, options: Mapping[str, Mapping[str, Any]]) -> dict[str, Scorer]:
    """Fit those of the named scorers that predict labels; `options` are each one's keyword arguments."""
    return {name: LABEL_BASED[name](labels, **options.get(name, {})) for name in names if name in LABEL_BASED}
