"""From scores of the whole catalogue to lists, and from lists to rows."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from interestrec.io.schemas import BEFORE_RULES, OURS
from interestrec.metrics.topk import top_k
from interestrec.scorers.requests import Requests
from interestrec.scoring.ensemble import Ensemble, SystemScores
from interestrec.scoring.ranking_tables import TableLayout, Write, catalogue_block
from interestrec.scoring.rules import Rules, rearrange


@dataclass(frozen=True)
class ListWriter:
    """How scores become lists, and lists rows."""

    layout: TableLayout
    rules: Rules
    top_k: int
    category: np.ndarray  # int64 [items], −1 for none
    likeness: np.ndarray  # float32 [items, width], what tells how alike items are; not looked at without diversity
    cold: np.ndarray  # bool [items]
    wants_cold: np.ndarray  # bool [requests]

    def write(
        self,
        lineup: Ensemble,
        requests: Requests,
        start: int,
        stop: int,
        write: Write,
        write_cold: Write | None,
    ) -> None:
        """The lists of requests `start` to `stop`, and of those that went on to like a cold item, of cold ones only."""
        block = requests.block(start, stop)
        wanting = np.flatnonzero(self.wants_cold[start:stop])
        for scores in lineup.score_catalogue(block):
            self.rules.apply(scores.score, block)
            chosen = self._best(scores.score, self.top_k)
            if scores.system == OURS and self.rules.rearranges:
                before = scores._replace(system=BEFORE_RULES, components={})
                write(BEFORE_RULES, catalogue_block(self.layout, block, before, chosen))
                chosen = self._rearranged(scores.score)
            write(scores.system, catalogue_block(self.layout, block, scores, chosen))
            if write_cold is not None and len(wanting):
                write_cold(scores.system, self._of_cold(block, scores, wanting))

    def _of_cold(self, block: Requests, scores: SystemScores, wanting: np.ndarray) -> pa.Table:
        chosen = np.full((len(block), min(self.top_k, int(self.cold.sum()))), -1)
        only = np.where(self.cold, scores.score[wanting], -np.inf)
        chosen[wanting] = self._best(only, chosen.shape[1])
        return catalogue_block(self.layout, block, scores, chosen)

    def _best(self, score: np.ndarray, k: int) -> np.ndarray:
        """int64 [requests, k], −1 where nothing more may be listed."""
        chosen = top_k(score, k, self.layout.precedence)
        return np.where(np.take_along_axis(score, chosen, axis=1) > -np.inf, chosen, -1)

    def _rearranged(self, score: np.ndarray) -> np.ndarray:
        pool = top_k(score, self.rules.pool, self.layout.precedence)
        rules = self.rules
        return rearrange(score, pool, self.top_k, self.category, rules.per_category, self.likeness, rules.diversity)
