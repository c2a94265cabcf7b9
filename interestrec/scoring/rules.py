"""Rules of catalogue lists: seen and old items, availability, category limits, and reranking for diversity."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import DataError
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.io import files
from interestrec.scorers import queries
from interestrec.scorers.requests import Requests
from interestrec.scoring.rank_settings import RankSettings

_POOL = 5  # size of the reranking pool, as a multiple of the list length
_DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Rules:
    """Rules of the lists over the whole catalogue; rankings of shown candidates are not affected."""

    seen: str  # "out", "in" or "down"
    seen_penalty: float  # for "down", in standard deviations of the request's scores
    eligible: np.ndarray  # bool [items], available and recent items
    per_category: int | None  # maximum number of items of one category per list; None: no limit
    diversity: float  # 0 = score only, 1 = dissimilarity only
    pool: int  # number of best items that a list is reranked from

    @property
    def reranks(self) -> bool:
        """Whether lists are reranked, so that they differ from the best scores."""
        return self.per_category is not None or self.diversity > 0

    def apply(self, score: np.ndarray, requests: Requests) -> None:
        """Change scores, float64 [requests, items], in place: lower seen items, set −inf for excluded items."""
        rows = requests.owner
        if self.seen == "out":
            score[rows, requests.item] = -np.inf
        elif self.seen == "down":
            cells = np.unique(rows * score.shape[1] + requests.item)  # repeated items are penalised once
            row, item = cells // score.shape[1], cells % score.shape[1]
            score[row, item] -= self.seen_penalty * np.ascontiguousarray(score).std(axis=1)[row]
        score[:, ~self.eligible] = -np.inf

    def permit(self, item: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """bool [pairs]: whether a list may contain `item`, int [pairs], where `seen` marks items of the history."""
        return self.eligible[item] & ~(seen & (self.seen == "out"))


def load_rules(corpus: Corpus, settings: RankSettings, as_of: int | None) -> Rules:
    """Return the configured rules for a corpus.

    Args:
        as_of: time of the lists in microseconds; None: the start of the test split.

    Raises:
        DataError: the file `rank.rules.available` contains no item of the corpus.
    """
    rules = settings.rules
    eligible = np.ones(corpus.items.num_rows, dtype=bool)
    if rules.available is not None:
        stock = pa.array(files.read_lines(rules.available), pa.string())
        eligible = pc.is_in(corpus.items["item_id"], value_set=stock).to_numpy()
        if not eligible.any():
            raise DataError(f"{rules.available}: none of its lines is an item id of the corpus; write one per line")
    if rules.max_age_days is not None:
        shown = corpus.impressions
        now = as_of if as_of is not None else int(shown.time[shown.split == queries.TEST].min())
        eligible &= queries.published_since(corpus, max(now - int(rules.max_age_days * _DAY), NO_TIME))
    return Rules(
        seen=rules.seen,
        seen_penalty=rules.seen_penalty,
        eligible=eligible,
        per_category=rules.per_category,
        diversity=rules.diversity,
        pool=_POOL * settings.top_k,
    )


def rerank(
    score: np.ndarray,
    item: np.ndarray,
    k: int,
    category: np.ndarray,
    per_category: int | None,
    vectors: np.ndarray,
    diversity: float,
) -> np.ndarray:
    """Rerank lists greedily; places in the pool, int64 [requests, min(k, pool)], −1 if no further item is permitted.

    The next item has the largest (1 − diversity) · s_i − diversity · max_j cos(x_i, x_j) over the listed j
    (maximal marginal relevance, Carbonell and Goldstein 1998) among items whose category is not full; s_i is the score
    scaled to [0, 1] within the pool. Ties go to the item that is earlier in the pool.

    Args:
        score: float64 [requests, pool], of the best items of each request, best first; −inf for excluded items.
        item: int64 [requests, pool], the items.
        category: int64 [items], −1 for items without a category, which are not counted.
        per_category: maximum number of items of one category; None: no limit.
        vectors: float32 [items, width], rows of length 1 or zeros.
        diversity: within [0, 1].
    """
    requests, size = score.shape
    row = np.arange(requests)
    free = score > -np.inf
    gain = (1.0 - diversity) * _scaled(score, free)
    nearest = np.zeros((requests, size))  # maximum cosine to the listed items
    used = np.zeros((requests, int(category.max(initial=-1)) + 2), dtype=np.int64)  # last column: no category
    categories = category[item]
    directions = vectors[item] if diversity > 0 else None
    lists = np.full((requests, min(k, size)), -1)
    for place in range(lists.shape[1]):
        full = (used[row[:, None], categories] >= (per_category or size)) & (categories >= 0)
        value = np.where(free & ~full, gain - diversity * nearest, -np.inf)
        best = value.argmax(axis=1)
        has_next = value[row, best] > -np.inf
        lists[has_next, place] = best[has_next]
        free[row[has_next], best[has_next]] = False
        used[row[has_next], categories[row, best][has_next]] += 1
        if directions is not None:
            cosine = np.einsum("rpw,rw->rp", directions, directions[row, best])
            nearest = np.maximum(nearest, cosine) if place else cosine
    return lists


def _scaled(score: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Scale the valid scores of each row to [0, 1]; invalid scores become 0."""
    low = np.where(valid, score, np.inf).min(axis=1, keepdims=True)
    span = np.where(valid, score, -np.inf).max(axis=1, keepdims=True) - low
    safe = np.where(np.isfinite(span) & (span > 0), span, 1.0)
    return np.where(valid, (np.where(valid, score, 0.0) - np.where(np.isfinite(low), low, 0.0)) / safe, 0.0)
