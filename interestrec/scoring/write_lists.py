"""Writes ranked lists: builds lists from scores in blocks and writes the ranking tables."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interestrec.core.progress import track
from interestrec.corpus.categories import category_codes
from interestrec.corpus.store import Corpus
from interestrec.io import files, schemas
from interestrec.io.artifact_files import CATALOGUE, COLD_CATALOGUE, IMPRESSIONS, TRUTH
from interestrec.io.schemas import BEFORE_RULES, OURS
from interestrec.metrics.topk import top_k
from interestrec.scorers import queries
from interestrec.scorers.queries import RequestTruth
from interestrec.scorers.requests import Requests, request_blocks
from interestrec.scoring.ensemble import Ensemble
from interestrec.scoring.fit_systems import tie_order
from interestrec.scoring.ranking_tables import (
    TableLayout,
    catalogue_block,
    impression_block,
    truth_table,
)
from interestrec.scoring.rules import Rules, rerank


@dataclass(frozen=True)
class ListBuilder:
    """Builds lists from catalogue scores."""

    layout: TableLayout
    rules: Rules
    top_k: int
    category: np.ndarray  # int64 [items], −1 for items without a category
    item_vectors: np.ndarray  # float32 [items, width], for diversity; empty if no rule needs it

    def best(self, score: np.ndarray, k: int) -> np.ndarray:
        """int64 [requests, k]: items best first, −1 if no further item is permitted."""
        top = top_k(score, k, self.layout.tie_order)
        return np.where(np.take_along_axis(score, top, axis=1) > -np.inf, top, -1)

    def best_of(self, items: np.ndarray, score: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """int64 [requests, at most k]: lists restricted to `items`, bool [items]; lists outside `rows` are empty."""
        lists = np.full((len(score), min(self.top_k, int(items.sum()))), -1)
        lists[rows] = self.best(np.where(items, score[rows], -np.inf), lists.shape[1])
        return lists

    def lists(self, score: np.ndarray) -> np.ndarray:
        """int64 [requests, k]: the lists that are shown, reranked if the rules say so."""
        return self.reranked(score) if self.rules.reranks else self.best(score, self.top_k)

    def reranked(self, score: np.ndarray) -> np.ndarray:
        """int64 [requests, k]: lists reranked by the rules from the pool of best items."""
        rules = self.rules
        pool = top_k(score, rules.pool, self.layout.tie_order)
        return rerank(score, pool, self.top_k, self.category, rules.per_category, self.item_vectors, rules.diversity)


@dataclass(frozen=True)
class ColdTargets:
    """Requests with a relevant cold item, for which lists of cold items alone are also written."""

    items: np.ndarray  # bool [items], items without positive events before the test split
    requests: np.ndarray  # bool [requests]


def table_layout(corpus: Corpus, ensemble: Ensemble, rules: Rules, components: list[str], seed: int) -> TableLayout:
    """Return the systems and columns of the ranking tables of an ensemble."""
    return TableLayout(
        corpus=corpus,
        systems=[*ensemble.systems, *([BEFORE_RULES] if rules.reranks else [])],
        components=components if OURS in ensemble.systems else [],
        tie_order=tie_order(corpus, seed),
    )


def list_builder(layout: TableLayout, rules: Rules, k: int, vectors: np.ndarray | None) -> ListBuilder:
    """Return a list builder with the categories of the items.

    Args:
        k: list length.
        vectors: float32 [items, width], rows of length 1 or zeros; None if the rules need none.
    """
    category = category_codes(layout.corpus.items["category"])[:, 0].astype(np.int64)
    return ListBuilder(layout, rules, k, category, np.zeros((0, 0), np.float32) if vectors is None else vectors)


def cold_targets(corpus: Corpus, requests: Requests, truth: RequestTruth, rules: Rules) -> ColdTargets:
    """Return the cold items, and the requests with a relevant cold item that a list may contain."""
    items = corpus.cold_items(queries.TEST)
    targets = rules.permit(truth.item, truth.seen) & items[truth.item] & corpus.relevant(truth.label)
    has_target = np.zeros(len(requests), dtype=bool)
    has_target[truth.request[targets]] = True
    return ColdTargets(items, has_target)


def write_lists(
    directory: Path, ensemble: Ensemble, requests: Requests, builder: ListBuilder, cold: ColdTargets | None
) -> None:
    """Write the catalogue list of each system per request, and with `cold` the lists of cold items."""
    layout, rules = builder.layout, builder.rules
    schema = schemas.with_components(schemas.RANKED_CATALOGUE, layout.components)
    with ExitStack() as stack:
        write = stack.enter_context(layout.writer(directory / CATALOGUE, schema))
        if cold is not None:
            write_cold = stack.enter_context(layout.writer(directory / COLD_CATALOGUE, schema))
        ranges = list(request_blocks(len(requests), layout.corpus.items.num_rows))
        for start, stop in track(ranges, "rank catalogue", unit="blocks"):
            block = requests.block(start, stop)
            for scores in ensemble.score_catalogue(block):
                rules.apply(scores.score, block)
                plain = builder.best(scores.score, builder.top_k)
                if scores.system == OURS and rules.reranks:
                    before = scores._replace(system=BEFORE_RULES, components={})
                    write(BEFORE_RULES, catalogue_block(layout, block, before, plain))
                lists = builder.lists(scores.score) if scores.system == OURS else plain
                write(scores.system, catalogue_block(layout, block, scores, lists))
                if cold is not None and cold.requests[start:stop].any():
                    rows = np.flatnonzero(cold.requests[start:stop])
                    lists = builder.best_of(cold.items, scores.score, rows)
                    write_cold(scores.system, catalogue_block(layout, block, scores, lists))


def write_impressions(directory: Path, ensemble: Ensemble, impressions: np.ndarray, layout: TableLayout) -> None:
    """Write the candidate rankings of each system.

    Args:
        impressions: int64, rows of the corpus's impressions.
    """
    corpus = layout.corpus
    schema = schemas.with_components(schemas.RANKED_IMPRESSIONS, layout.components)
    with layout.writer(directory / IMPRESSIONS, schema) as write:
        ranges = list(request_blocks(len(impressions), corpus.items.num_rows))
        for start, stop in track(ranges, "rank impressions", unit="blocks"):
            query = queries.impression_queries(corpus, impressions[start:stop])
            for scores in ensemble.score_candidates(query, corpus.impressions.item[query.rows]):
                write(scores.system, impression_block(layout, impressions[start:stop], query, scores))


def write_truth(directory: Path, corpus: Corpus, requests: Requests, truth: RequestTruth, rules: Rules) -> int:
    """Write the true pairs that lists may contain; return their number."""
    table = truth_table(corpus, requests, truth, rules.permit(truth.item, truth.seen))
    files.write_parquet(directory / TRUTH, table, schemas.TRUTH)
    return table.num_rows
