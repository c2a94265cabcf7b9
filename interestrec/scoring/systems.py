"""The scorers by name: which are fitted on counts, and which scorer each component of the decision is."""

from collections.abc import Callable, Mapping
from typing import Any

from interestrec.core.catalogue import pick
from interestrec.scoring import als, item_knn, popularity, trending
from interestrec.scoring.requests import Events, Scorer

# fitted on positive events, and again on train + valid under `rank.refit`
COUNT_BASED: dict[str, Callable[..., Scorer]] = {
    "popularity": popularity.fit,
    "trending": trending.fit,
    "item_knn": item_knn.fit,
    "als": als.fit,
}

# component of the decision -> the scorer behind it
COMPONENTS = {
    "intensity": "intensity",
    "item_item": "item_knn",
    "collaborative": "als",
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
