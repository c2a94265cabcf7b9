"""ImpressionEvidence: validation impressions that blend weights are fitted on and compared on, whole."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.metrics import ranked_lists, ranking
from interestrec.scorers import queries
from interestrec.scoring.blend import standardise_lists
from interestrec.scoring.blend_lists import BlendLists
from interestrec.scoring.evidence import COLD, WHOLE, Contest, folds, time_weights

_IMPRESSIONS = 20_000  # that weights are fitted on and compared on; further ones are left out at regular intervals


@dataclass(frozen=True)
class ImpressionEvidence:
    """Impressions with at least two candidates, judged by auc."""

    lists: BlendLists
    new: np.ndarray
    user: np.ndarray
    metric = "auc"

    @property
    def stand_in(self) -> np.ndarray:
        """See Evidence; none."""
        return np.zeros(len(self.user), dtype=bool)

    @property
    def weight(self) -> np.ndarray:
        """See Evidence."""
        return self.lists.weight

    def proposals(self, among: str) -> BlendLists:
        """See Evidence; all candidates."""
        return self.lists if among == WHOLE else self.lists.keep(self.lists.cold == (among == COLD))

    def select_voters(self, kept: Sequence[bool]) -> "ImpressionEvidence":
        """Return the same lists with some of the voters."""
        return replace(self, lists=self.lists.with_features(self.lists.features[:, kept]))

    def compare(self, contests: Sequence[Contest]) -> list[np.ndarray]:
        """See Evidence."""
        found = []
        for contest in contests:
            lists = self.proposals(contest.among)
            lists = lists.select(contest.lists[lists.source])
            fold = ragged.repeat(lists.offsets, folds(self.user)[lists.source])
            values = np.full((len(contest.alternatives[0]), len(self.user)), np.nan)
            for number, score in enumerate(contest.scores(fold, list(lists.features.T), lists.cold)):
                ranked = ranked_lists.rank_lists(lists.offsets, score, lists.relevant, lists.relevant * 1.0)
                values[number, lists.source] = ranking.metric(self.metric)(ranked)
            found.append(values)
        return found


def impression_evidence(corpus: Corpus, scores: Sequence[np.ndarray]) -> ImpressionEvidence:
    """Return the impressions of valid_blend.

    Args:
        scores: of each voter those of all candidates of the validation impressions of valid_blend.
    """
    impression = queries.valid_impressions(corpus, select=False)
    asked = queries.impression_queries(corpus, impression)
    several = np.flatnonzero(np.diff(asked.offsets) > 1)
    several = several[:: max(1, -(-len(several) // _IMPRESSIONS))]
    shown = corpus.impressions
    everything = BlendLists(
        features=np.stack([standardise_lists(score, asked.offsets) for score in scores], axis=1),
        offsets=asked.offsets,
        relevant=corpus.relevant(shown.label[asked.rows]),
        cold=corpus.cold_items(queries.VALID)[shown.item[asked.rows]],
        weight=np.ones(len(impression)),
        source=np.arange(len(impression)),
    )
    chosen = everything.select(np.isin(everything.source, several))
    time = shown.time[impression][several]
    return ImpressionEvidence(
        lists=replace(chosen, weight=time_weights(time), source=np.arange(len(chosen))),
        new=asked.without_history[several],
        user=shown.user[impression][several],
    )
