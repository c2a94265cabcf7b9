"""Catalogue scores of candidates alone: what any component has among its best items, scored in full.

An exact list compares all items; this one compares those that at least one component finds. How much of the exact lists
it holds is measured (scoring/candidate_recall.py). Components are standardised by their mean and deviation over the
whole catalogue, so that an item has the score of the exact way, up to rounding.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from interestrec.scorers.catalogue_rows import CatalogueRows, RowMoments, catalogue_rows
from interestrec.scorers.permitted_items import PermittedItems
from interestrec.scorers.requests import Requests
from interestrec.scoring.decision import Decision, voters
from interestrec.scoring.ensemble import CatalogueScores, Ensemble, finite, scorers_of
from interestrec.scoring.list_limits import ListLimits


@dataclass(frozen=True)
class CandidateCatalogue:
    """The scores of requests by the systems of an ensemble; each scorer is asked once."""

    ensemble: Ensemble
    requests: Requests
    limits: ListLimits
    count: int  # best items of each component that become candidates
    _rows: dict[str, CatalogueRows] = field(default_factory=dict)
    _moments: dict[str, RowMoments] = field(default_factory=dict)
    _best: dict[tuple[str, PermittedItems], np.ndarray] = field(default_factory=dict)  # the longest asked for so far

    def scores(self, name: str, k: int, among: np.ndarray | None = None) -> CatalogueScores:
        """Return the scores of what the lists of a system may hold: the k best of a scorer, or more of a decision.

        Args:
            among: bool [items], the only items; None: all that are permitted.
        """
        permitted = self.limits.permitted if among is None else self.limits.permitted.among(among)
        system = self.ensemble.systems[name]
        if isinstance(system, Decision):
            item = self._candidates(system, max(self.count, k), permitted)
        else:
            item = permitted.in_tie_order(self.best(system, k, permitted))
        row, column = np.nonzero(item >= 0)
        score = np.full(item.shape, -np.inf)
        score[row, column] = finite(name, self._pair_scores(system, row, item[row, column]))
        scores_at = partial(self._at, scorers_of(system))
        return CatalogueScores(
            system=name,
            score=score,
            components=self.ensemble.components_at(name, scores_at),
            predicted=self.ensemble.predictor(name, scores_at, self.requests),
            item=item,
        )

    def rows(self, scorer: str) -> CatalogueRows:
        """Return the scores of a scorer for all items."""
        if scorer not in self._rows:
            self._rows[scorer] = catalogue_rows(self.ensemble.scorers[scorer], self.requests)
        return self._rows[scorer]

    def best(self, scorer: str, k: int, permitted: PermittedItems) -> np.ndarray:
        """Return the k best items of a scorer; see CatalogueRows. Shorter lists are the beginnings of longer ones."""
        known = self._best.get((scorer, permitted))
        if known is None or known.shape[1] < k:
            known = self._best[scorer, permitted] = self.rows(scorer).best(k, permitted, self.limits.excluded)
        return known[:, :k]

    def _at(self, own: set[str], scorer: str, row: np.ndarray, item: np.ndarray) -> np.ndarray | None:
        """Return scores of pairs by a system's own scorers, whatever other systems have asked."""
        return self.rows(scorer).at(row, item) if scorer in own else None

    def _candidates(self, decision: Decision, count: int, permitted: PermittedItems) -> np.ndarray:
        """Return the candidates of a decision in tie order, int64 [requests, columns], −1 after the end."""
        scorers = dict.fromkeys(voters(decision.components).values())
        pools = self._pools(decision, permitted)
        found = [self.best(scorer, count, pool) for pool in pools for scorer in scorers]
        return permitted.in_tie_order(self._with_choices(np.concatenate(found, axis=1), permitted))

    def _with_choices(self, found: np.ndarray, permitted: PermittedItems) -> np.ndarray:
        """Return the items, int64 [requests, columns], but of requests that name what they choose among, these."""
        excluded, choices = self.limits.excluded, self.limits.choices or ()
        named = {row: choice.among for row, choice in enumerate(choices) if choice and choice.among is not None}
        longest = max((len(items) for items in named.values()), default=0)
        if longest > found.shape[1]:
            found = np.pad(found, ((0, 0), (0, longest - found.shape[1])), constant_values=-1)
        for row, items in named.items():
            kept = items[permitted.items[items] & ~np.isin(items, excluded.of(row))]
            found[row], found[row, : len(kept)] = -1, kept
        return found

    def _pools(self, decision: Decision, permitted: PermittedItems) -> Iterator[PermittedItems]:
        """Yield the items that candidates are sought among: all, and those whose scores are weighed apart."""
        yield permitted
        if decision.weighs_cold_items:
            yield permitted.among(decision.cold_items)

    def _pair_scores(self, system: str | Decision, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Return the scores of a system for pairs, float64 [pairs]."""
        if not isinstance(system, Decision):
            return self.rows(system).at(row, item).astype(np.float64)
        standardised = []
        for scorer in voters(system.components).values():
            rows = self.rows(scorer)
            if scorer not in self._moments:
                self._moments[scorer] = rows.moments(system.known_items)
            standardised.append(self._moments[scorer].standardise(row, rows.at(row, item)))
        new = np.diff(self.requests.offsets) == 0
        return system.catalogue_blend(standardised, system.cold_items[item], new[row])
