"""What had the most events lately."""

import numpy as np

from interestrec.corpus.store import NO_TIME
from interestrec.scorers import recency
from interestrec.scorers.item_scores import ItemScores
from interestrec.scorers.requests import Events


def fit(events: Events, half_life: float) -> ItemScores:
    """log(1 + 10⁴ · Σ 2^(−age / half_life) over the item's positive events / the same over all items' events).

    Ages count back from the latest event fitted on. Events without a time are not counted, and where none has a
    time every item scores 0.

    Args:
        half_life: days.
    """
    weight = np.where(events.time == NO_TIME, 0.0, recency.event_recency(events, half_life))
    lately = np.bincount(events.item, weight, minlength=events.n_items)
    total = lately.sum()
    return ItemScores(np.log1p(lately * (1e4 / total if total > 0 else 0.0)).astype(np.float32))
