"""What had the most events lately."""

import numpy as np

from interestrec.corpus.store import NO_TIME
from interestrec.scoring.item_scores import ItemScores
from interestrec.scoring.requests import Events

_DAY = 86_400_000_000  # microseconds


def fit(events: Events, days: float) -> ItemScores:
    """log(1 + positive events in the last `days` days per 10,000 of them).

    The window ends with the latest event fitted on; events without a time are not counted, and where none
    has a time every item scores 0.
    """
    recent = events.time > max(int(events.time.max(initial=NO_TIME)) - int(days * _DAY), NO_TIME)
    count = np.bincount(events.item[recent], minlength=events.n_items)
    return ItemScores(np.log1p(count * (1e4 / max(int(recent.sum()), 1))).astype(np.float32))
