"""The registry of scorers by name, from which configuration, fits and blend are derived.

To add a scorer, write interestrec/scorers/<name>.py with a `DEFINITION`, enter it in `SCORERS`, test it, and add a row
to the table of docs/ranking.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from interestrec.core.choices import suggestion
from interestrec.core.errors import ConfigError
from interestrec.scorers import (
    als,
    bayesian_mf,
    bias,
    bpr,
    category_trend,
    content,
    covisit,
    ease,
    intensity,
    item_item,
    item_knn,
    mean_intensity,
    mf,
    modality_intensity,
    personal_trend,
    popularity,
    random,
    repeat,
    sequence,
    session_knn,
    strength,
    tfidf,
    trending,
)
from interestrec.scorers.definition import ScorerDefinition

SCORERS: dict[str, ScorerDefinition] = {
    "random": random.DEFINITION,
    "popularity": popularity.DEFINITION,
    "trending": trending.DEFINITION,
    "category_trend": category_trend.DEFINITION,
    "personal_trend": personal_trend.DEFINITION,
    "item_knn": item_knn.DEFINITION,
    "item_item": item_item.DEFINITION,
    "als": als.DEFINITION,
    "ease": ease.DEFINITION,
    "bpr": bpr.DEFINITION,
    "sequence": sequence.DEFINITION,
    "tfidf": tfidf.DEFINITION,
    "session_knn": session_knn.DEFINITION,
    "covisit": covisit.DEFINITION,
    "repeat": repeat.DEFINITION,
    "content": content.DEFINITION,
    "mean_intensity": mean_intensity.DEFINITION,
    "bias": bias.DEFINITION,
    "mf": mf.DEFINITION,
    "bayesian_mf": bayesian_mf.DEFINITION,
    "intensity": intensity.DEFINITION,
    "strength": strength.DEFINITION,
}

# component of the blend -> its scorer
COMPONENTS = {entry.component: name for name, entry in SCORERS.items() if entry.component is not None}


def scorer_definition(name: str) -> ScorerDefinition:
    """Return the definition of a scorer; those of scorers/modality_intensity.py are named after modalities.

    Raises:
        ConfigError: the scorer is unknown; the message says how to add it.
    """
    if modality_intensity.is_modality_name(name):
        return modality_intensity.definition(name)
    if name not in SCORERS:
        raise ConfigError(
            f"unknown scorer '{name}'{suggestion(name, SCORERS)}; choose from: {', '.join(SCORERS)}, or write "
            f"interestrec/scorers/{name}.py and add '{name}' to SCORERS in interestrec/scorers/registry.py"
        )
    return SCORERS[name]


def component_scorer(component: str) -> str:
    """Return the name of the scorer of a component.

    Raises:
        ConfigError: the component is unknown; the message says how to add it.
    """
    if component not in COMPONENTS:
        raise ConfigError(
            f"unknown component '{component}'{suggestion(component, COMPONENTS)}; choose from: "
            f"{', '.join(COMPONENTS)}, or set component='{component}' in the DEFINITION of a scorer"
        )
    return COMPONENTS[component]


def required_scorers(names: Sequence[str]) -> list[str]:
    """Return the scorers and those that they are fitted on, each once, dependencies first.

    Raises:
        ConfigError: a scorer is unknown.
    """
    return list(dict.fromkeys([*(base for name in names for base in _bases(name)), *names]))


def _bases(name: str) -> list[str]:
    base = scorer_definition(name).fitted_on
    return [*_bases(base), base] if base in SCORERS else []
