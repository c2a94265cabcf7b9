"""The mean of all labels: what an intensity must beat to say anything."""

from __future__ import annotations

from interestrec.core.deferred_import import np
from interestrec.scorers.definition import LABELS, ScorerDefinition
from interestrec.scorers.item_scores import ItemScores
from interestrec.scorers.requests import Labels


def fit(labels: Labels) -> ItemScores:
    """The same intensity for everyone and everything; 0 without labels."""
    mean = labels.label.mean(dtype=np.float64) if len(labels.label) else 0.0
    return ItemScores(np.full(labels.n_items, mean, dtype=np.float32))


DEFINITION = ScorerDefinition(fit=fit, scorer=ItemScores, fitted_on=LABELS, predicts_intensity=True)
