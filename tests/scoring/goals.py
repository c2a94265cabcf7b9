"""Goals of searches by a function from a scorer to a number."""

from collections.abc import Callable

import numpy as np

from interestrec.scorers.requests import Scorer
from interestrec.scoring.search_goals import SearchGoal


def goal_by(metric: str, lower: bool, measure: Callable[[Scorer], float]) -> SearchGoal:
    """Return a goal whose metric is the function's value."""
    return SearchGoal(metric, lambda scorer: np.array([measure(scorer)]), np.zeros(1, np.int64), lower)
