"""The category terms of the head over plain arrays: one value per user and category, looked up by items."""

from __future__ import annotations

from collections.abc import Iterator

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.model.read_weights import MATCH_SMOOTHING
from interestrec.model.user_arrays import UserArrays


def category_matches(user: UserArrays, categories: np.ndarray, weights: np.ndarray) -> Iterator[np.ndarray | None]:
    """Yield w_l match_l of each level l: float32 [users, codes + 1], the last column for items without a category.

    None stands for a level that has no effect.

    Args:
        categories: int32 [items, levels] of the catalogue, -1 for none.
        weights: float32 [levels], w.
    """
    size = np.diff(user.offsets)
    total = (size + MATCH_SMOOTHING).astype(np.float32)[:, None]
    owner = ragged.owner(user.offsets)
    of_entries = user.items.categories[user.row]
    for level, weight in enumerate(weights):
        codes = int(categories[:, level].max(initial=-1)) + 1
        if not codes or not weight:
            yield None
            continue
        code = of_entries[:, level]
        known = (code >= 0) & (code < codes)
        cells = owner[known] * (codes + 1) + code[known]
        counts = np.bincount(cells, minlength=len(user) * (codes + 1)).astype(np.float32)
        yield weight * np.sqrt(counts.reshape(len(user), codes + 1) / total)
