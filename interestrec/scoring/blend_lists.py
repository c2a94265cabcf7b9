"""BlendLists: ranked lists with standardised features that blend weights are fitted on."""

from dataclasses import dataclass, replace

import numpy as np

from interestrec.core import ragged


@dataclass(frozen=True)
class BlendLists:
    """Lists with the standardised scores of the components; no list is empty."""

    features: np.ndarray  # float [rows, components]
    offsets: np.ndarray  # int64 [lists + 1]
    relevant: np.ndarray  # bool [rows]
    cold: np.ndarray  # bool [rows], of items without events
    weight: np.ndarray  # float64 [lists], > 0
    source: np.ndarray  # int64 [lists], the list that it is taken from

    def __len__(self) -> int:
        return len(self.weight)

    def select(self, lists: np.ndarray) -> "BlendLists":
        """Return some of the lists, bool [lists]."""
        return self.keep(ragged.repeat(self.offsets, lists))

    def keep(self, rows: np.ndarray) -> "BlendLists":
        """Return some rows, bool [rows], and the lists that have any of them."""
        reached = ragged.filtered(self.offsets, rows)
        some = np.diff(reached) > 0
        return BlendLists(
            features=self.features[rows],
            offsets=np.append(reached[:-1][some], reached[-1]),
            relevant=self.relevant[rows],
            cold=self.cold[rows],
            weight=self.weight[some],
            source=self.source[some],
        )

    def with_both_classes(self) -> "BlendLists":
        """Return the lists with relevant and irrelevant rows; others do not inform weights."""
        size = np.diff(self.offsets)
        positives = np.bincount(ragged.owner(self.offsets)[self.relevant], minlength=len(size))
        return self.select((positives > 0) & (positives < size))

    def first_rows(self, score: np.ndarray, k: int) -> "BlendLists":
        """Return the k rows of each list with the highest scores, float [rows]; ties by the order of the rows."""
        owner = ragged.owner(self.offsets)
        order = np.lexsort((-score, owner))
        kept = np.zeros(len(owner), dtype=bool)
        kept[order[ragged.positions(self.offsets) < k]] = True
        return self.keep(kept)

    def with_features(self, features: np.ndarray) -> "BlendLists":
        """Return the same lists with other features, float [rows, columns]."""
        return replace(self, features=features)
