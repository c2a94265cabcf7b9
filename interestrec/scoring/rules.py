"""What may be listed, and how a list is reranked: seen and old items, availability, categories, diversity."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import DataError
from interestrec.corpus.store import Corpus
from interestrec.io import files
from interestrec.scorers import queries
from interestrec.scorers.requests import Requests
from interestrec.scoring.rank_settings import RankSettings

_POOL = 5  # times the length of a list: the best items that it is reranked from
_DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Rules:
    """Of the lists over the whole catalogue; those of candidates that were shown are left as they are."""

    seen: str  # "out", "in" or "down"
    seen_penalty: float  # of "down", in standard deviations of the request's scores
    eligible: np.ndarray  # bool [items], available and fresh
    per_category: int | None  # most items of one category in a list
    diversity: float  # 0 = by score alone, 1 = by unlikeness alone
    pool: int  # items of the best scores that a list is reranked from

    @property
    def reranks(self) -> bool:
        """Whether lists are more than the best scores."""
        return self.per_category is not None or self.diversity > 0

    def apply(self, score: np.ndarray, requests: Requests) -> None:
        """Change scores, float64 [requests, items], in place: −inf for what may not be listed."""
        rows = requests.owner
        if self.seen == "out":
            score[rows, requests.item] = -np.inf
        elif self.seen == "down":
            cells = np.unique(rows * score.shape[1] + requests.item)  # an item seen twice is not twice as bad
            row, item = cells // score.shape[1], cells % score.shape[1]
            score[row, item] -= self.seen_penalty * score.std(axis=1)[row]
        score[:, ~self.eligible] = -np.inf

    def permit(self, item: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """bool [pairs]: which pairs of a request and an `item` a list may hold, by whether it was `seen` before."""
        return self.eligible[item] & ~(seen & (self.seen == "out"))


def load_rules(corpus: Corpus, settings: RankSettings, as_of: int | None) -> Rules:
    """The configured rules for a corpus.

    Args:
        as_of: the time of the lists in microseconds; None: when the test split begins.

    Raises:
        DataError: `rank.rules.available` names no item of the corpus.
    """
    rules = settings.rules
    eligible = np.ones(corpus.items.num_rows, dtype=bool)
    if rules.available is not None:
        stock = pa.array(files.read_lines(rules.available), pa.string())
        eligible = pc.is_in(corpus.items["item_id"], value_set=stock).to_numpy()
        if not eligible.any():
            raise DataError(f"{rules.available}: none of its lines is the id of an item of the corpus")
    if rules.max_age_days is not None:
        shown = corpus.impressions
        now = as_of if as_of is not None else int(shown.time[shown.split == queries.TEST].min())
        eligible &= queries.published_since(corpus, now - int(rules.max_age_days * _DAY))
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
    pool: np.ndarray,
    k: int,
    category: np.ndarray,
    per_category: int | None,
    vectors: np.ndarray,
    diversity: float,
) -> np.ndarray:
    """Lists chosen one item after another; int64 [requests, min(k, pool)], −1 where nothing more is permitted.

    The next item has the largest (1 − diversity) · s_i − diversity · max_j cos(x_i, x_j) over the chosen j
    (maximal marginal relevance, Carbonell and Goldstein 1998), with s_i the score scaled to 0 … 1 within the pool,
    among those whose category is not full. Ties go to the earlier of the pool.

    Args:
        score: float64 [requests, items], −inf for what may not be listed.
        pool: int64 [requests, pool], each request's best items, best first.
        category: int64 [items], −1 where there is none; those without one are not counted.
        per_category: most items of one category; None: any number.
        vectors: float32 [items, width] of length 1, or 0.
        diversity: within [0, 1].
    """
    requests, size = pool.shape
    row = np.arange(requests)
    pool_score = score[row[:, None], pool]
    free = pool_score > -np.inf
    gain = (1.0 - diversity) * _scaled(pool_score, free)
    nearest = np.zeros((requests, size))  # cosine to the nearest of those already listed
    used = np.zeros((requests, int(category.max(initial=-1)) + 2), dtype=np.int64)  # the last is no category
    categories = category[pool]
    directions = vectors[pool] if diversity > 0 else None
    lists = np.full((requests, min(k, size)), -1)
    for place in range(lists.shape[1]):
        full = (used[row[:, None], categories] >= (per_category or size)) & (categories >= 0)
        value = np.where(free & ~full, gain - diversity * nearest, -np.inf)
        best = value.argmax(axis=1)
        has_next = value[row, best] > -np.inf
        lists[has_next, place] = pool[row, best][has_next]
        free[row[has_next], best[has_next]] = False
        used[row[has_next], categories[row, best][has_next]] += 1
        if directions is not None:
            cosine = np.einsum("rpw,rw->rp", directions, directions[row, best])
            nearest = np.maximum(nearest, cosine) if place else cosine
    return lists


def _scaled(score: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Each row's valid scores from 0 to 1, the others 0."""
    low = np.where(valid, score, np.inf).min(axis=1, keepdims=True)
    span = np.where(valid, score, -np.inf).max(axis=1, keepdims=True) - low
    safe = np.where(np.isfinite(span) & (span > 0), span, 1.0)
    return np.where(valid, (np.where(valid, score, 0.0) - np.where(np.isfinite(low), low, 0.0)) / safe, 0.0)
