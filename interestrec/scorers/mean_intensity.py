"""Mean intensity: predicts the mean of all labels, the baseline of all other predictors."""

from __future__ import annotations

from interestrec.core.deferred_import import np
from interestrec.scorers.definition import AGAIN, LABELS, ScorerDefinition
from interestrec.scorers.item_scores import ItemScores
from interestrec.scorers.requests import Events, Labels
from interestrec.scorers.stored_arrays import with_rows


def fit(labels: Labels) -> ItemScores:
    """Return a scorer that predicts the mean label for every user and item; 0 without labels."""
    mean = labels.label.mean(dtype=np.float64) if len(labels.label) else 0.0
    return ItemScores(np.full(labels.n_items, mean, dtype=np.float32))


def follow(scorer: ItemScores, after: Events, forgotten: np.ndarray) -> ItemScores:
    """Keep the mean, also for new items."""
    return ItemScores(with_rows(scorer.score, after.n_items, scorer.score[:1]))


DEFINITION = ScorerDefinition(
    fit=fit, scorer=ItemScores, fitted_on=LABELS, follows=AGAIN, follow=follow, predicts_intensity=True
)
