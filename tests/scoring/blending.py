"""Lists to fit weights on, drawn from a model of choice."""

import numpy as np

from interestrec.scoring.blend_lists import BlendLists


def blend_lists(features: np.ndarray, relevant: np.ndarray, cold: np.ndarray | None = None) -> BlendLists:
    """Lists of equal length: features [lists, rows, components], relevant and cold [lists, rows]."""
    count, rows, columns = features.shape
    return BlendLists(
        features=features.reshape(count * rows, columns),
        offsets=np.arange(0, count * rows + 1, rows),
        relevant=relevant.ravel(),
        cold=np.zeros(count * rows, dtype=bool) if cold is None else cold.ravel(),
        weight=np.ones(count),
        source=np.arange(count),
    )


def chosen(utility: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One row per list by the softmax of the utility [lists, rows]; bool of that shape."""
    drawn = utility + rng.gumbel(size=utility.shape)
    return np.asarray(drawn == drawn.max(axis=1, keepdims=True))
