"""The scorers by name: which are fitted on counts, which on labels, and which is behind each component."""

from collections.abc import Callable, Sequence

from interestrec.core.choices import pick
from interestrec.io.schemas import OURS
from interestrec.scorers import als, bias, bpr, ease, item_item, item_knn, mean_intensity, mf, popularity, trending
from interestrec.scorers.requests import Scorer

# fitted on positive events, and again on train + valid under `rank.refit`
COUNT_BASED: dict[str, Callable[..., Scorer]] = {
    "popularity": popularity.fit,
    "trending": trending.fit,
    "item_knn": item_knn.fit,
    "als": als.fit,
    "ease": ease.fit,
    "bpr": bpr.fit,
}

# fitted on candidates with a known label, and again in the same way
LABEL_BASED: dict[str, Callable[..., Scorer]] = {
    "mean_intensity": mean_intensity.fit,
    "bias": bias.fit,
    "mf": mf.fit,
}

# made of another one that is fitted here: its name, and how
DERIVED: dict[str, tuple[str, Callable[..., Scorer]]] = {"item_item": ("item_knn", item_item.fit)}

# scorers whose score is an intensity
PREDICTORS = frozenset({"intensity", *LABEL_BASED})

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


def required_scorers(systems: Sequence[str], components: Sequence[str], estimators: Sequence[str]) -> list[str]:
    """Scorers behind the systems and, where `interestrec` is one of them, behind its components and intensity.

    What is made of another scorer comes after it.
    """
    behind = [*(pick(COMPONENTS, name, "component") for name in components), *estimators] if OURS in systems else []
    names = [*(name for name in systems if name != OURS), *behind]
    bases = [DERIVED[name][0] for name in names if name in DERIVED]
    return list(dict.fromkeys([*bases, *names]))
