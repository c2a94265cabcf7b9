"""Writes ranked lists: builds lists from scores in blocks and writes the ranking tables."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from interestrec.core.prefetch import prefetch
from interestrec.core.progress import track
from interestrec.corpus.categories import category_codes
from interestrec.corpus.store import Corpus
from interestrec.io import files, schemas
from interestrec.io.artifact_files import CATALOGUE, COLD_CATALOGUE, IMPRESSIONS, TRUTH
from interestrec.io.schemas import BEFORE_RULES, OURS
from interestrec.metrics.topk import top_k
from interestrec.scorers import queries
from interestrec.scorers.permitted_items import PermittedItems
from interestrec.scorers.queries import RequestTruth
from interestrec.scorers.requests import Requests, request_blocks
from interestrec.scoring.candidate_scores import CandidateCatalogue
from interestrec.scoring.ensemble import CatalogueScores, Ensemble
from interestrec.scoring.fit_systems import tie_order
from interestrec.scoring.impression_scores import impression_blocks
from interestrec.scoring.list_limits import ListLimits
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.ranking_tables import (
    TableLayout,
    catalogue_block,
    impression_block,
    truth_table,
)
from interestrec.scoring.rules import Rules, rerank

ScoresAmong = Callable[[np.ndarray], CatalogueScores]  # takes bool [items]


@dataclass(frozen=True)
class ListBuilder:
    """Builds lists from catalogue scores."""

    layout: TableLayout
    rules: Rules
    top_k: int
    category: np.ndarray  # int64 [items], −1 for items without a category
    item_vectors: np.ndarray  # float32 [items, width], for diversity; empty if no rule needs it
    candidates: int | None = None  # best items of each component that a list is made of; None: all items are scored
    one_thread: bool = False  # whether blocks of lists are made one after the other

    @cached_property
    def permitted(self) -> PermittedItems:
        """The items that lists may hold."""
        return PermittedItems(self.rules.eligible, self.layout.tie_order)

    def scored(
        self, ensemble: Ensemble, requests: Requests, limits: ListLimits
    ) -> Iterator[tuple[CatalogueScores, ScoresAmong]]:
        """Yield the scores of each system within the limits, and what gives those of some items alone."""
        if self.candidates is None:
            for scores in ensemble.score_catalogue(requests):
                limits.apply(scores.score)
                yield scores, partial(_masked, scores)
            return
        catalogue = CandidateCatalogue(ensemble, requests, limits, self.candidates)
        longest = self.rules.pool if self.rules.reranks else self.top_k
        for name in ensemble.systems:
            yield catalogue.scores(name, longest), partial(catalogue.scores, name, longest)

    def best(self, score: np.ndarray, item: np.ndarray | None = None) -> np.ndarray:
        """int64 [requests, k]: columns of the best items, best first, −1 if no further item is permitted.

        Args:
            score: float64 [requests, columns], see CatalogueScores.
            item: int64 [requests, columns]; None: a column is an item.
        """
        return self._first(score, item, self.top_k)

    def lists(self, score: np.ndarray, item: np.ndarray | None = None) -> np.ndarray:
        """int64 [requests, k]: columns of the lists that are shown, reranked if the rules say so; see `best`."""
        rules = self.rules
        if not rules.reranks:
            return self.best(score, item)
        pool, row = self._first(score, item, rules.pool), np.arange(len(score))[:, None]
        of_pool = np.where(pool >= 0, score[row, pool], -np.inf)
        items = pool if item is None else item[row, pool]
        limit, vectors = rules.per_category, self.item_vectors
        place = rerank(of_pool, items, self.top_k, self.category, limit, vectors, rules.diversity)
        return np.where(place >= 0, np.take_along_axis(pool, place, axis=1), -1)

    def _first(self, score: np.ndarray, item: np.ndarray | None, k: int) -> np.ndarray:
        if score.shape[1] == 0:
            return np.zeros((len(score), 0), np.int64)
        top = top_k(score, k, self.layout.tie_order if item is None else np.arange(score.shape[1]))
        return np.where(np.take_along_axis(score, top, axis=1) > -np.inf, top, -1)


def _masked(scores: CatalogueScores, items: np.ndarray) -> CatalogueScores:
    """Return the scores of all items, of those in `items`, bool [items]."""
    return replace(scores, score=np.where(items, scores.score, -np.inf))


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


def list_builder(layout: TableLayout, rules: Rules, settings: RankSettings, vectors: np.ndarray | None) -> ListBuilder:
    """Return a list builder with the categories of the items.

    Args:
        settings: with the length of the lists, and whether all items are scored for them.
        vectors: float32 [items, width], rows of length 1 or zeros; None if the rules need none.
    """
    category = category_codes(layout.corpus.items["category"])[:, 0].astype(np.int64)
    vectors = np.zeros((0, 0), np.float32) if vectors is None else vectors
    candidates = settings.candidates_among(len(category))
    return ListBuilder(layout, rules, settings.top_k, category, vectors, candidates)


def cold_targets(corpus: Corpus, requests: Requests, truth: RequestTruth, rules: Rules) -> ColdTargets:
    """Return the cold items, and the requests with a relevant cold item that a list may contain."""
    items = corpus.cold_items(queries.TEST)
    targets = rules.permit(truth.item, truth.seen) & items[truth.item] & corpus.relevant(truth.label)
    has_target = np.zeros(len(requests), dtype=bool)
    has_target[truth.request[targets]] = True
    return ColdTargets(items, has_target)


def write_lists(
    directory: Path,
    ensemble: Ensemble,
    requests: Requests,
    builder: ListBuilder,
    cold: ColdTargets | None,
) -> None:
    """Write the catalogue list of each system per request, and with `cold` the lists of cold items.

    Scores do not depend on the threads that make blocks of them.
    """
    schema = schemas.with_components(schemas.RANKED_CATALOGUE, builder.layout.components)
    ranges = list(request_blocks(len(requests), builder.layout.corpus.items.num_rows))
    work = partial(_list_tables, ensemble, requests, builder, cold)
    tracked = track(ranges, "rank catalogue", unit="blocks")
    tables = map(work, tracked) if builder.one_thread or len(ranges) == 1 else prefetch(tracked, work)
    with ExitStack() as stack:
        names = [CATALOGUE, *([] if cold is None else [COLD_CATALOGUE])]
        writers = {name: stack.enter_context(builder.layout.writer(directory / name, schema)) for name in names}
        for block in tables:
            for name, system, table in block:
                writers[name](system, table)


def _list_tables(
    ensemble: Ensemble,
    requests: Requests,
    builder: ListBuilder,
    cold: ColdTargets | None,
    ends: tuple[int, int],
) -> list[tuple[str, str, pa.Table]]:
    """Return the file, the system and the rows of the lists of the requests between `ends`."""
    layout, rules, here = builder.layout, builder.rules, slice(*ends)
    block, found = requests.block(*ends), []
    for scores, among in builder.scored(ensemble, block, ListLimits(rules, block, builder.permitted)):
        plain = builder.best(scores.score, scores.item)
        if scores.system == OURS and rules.reranks:
            before = replace(scores, system=BEFORE_RULES, components=_no_components)
            found.append((CATALOGUE, BEFORE_RULES, catalogue_block(layout, block, before, plain)))
        lists = builder.lists(scores.score, scores.item) if scores.system == OURS else plain
        found.append((CATALOGUE, scores.system, catalogue_block(layout, block, scores, lists)))
        if cold is not None and cold.requests[here].any():
            of_cold = among(cold.items)
            lists = np.where(cold.requests[here, None], builder.best(of_cold.score, of_cold.item), -1)
            found.append((COLD_CATALOGUE, scores.system, catalogue_block(layout, block, of_cold, lists)))
    return found


def _no_components(row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
    return {}


def write_impressions(directory: Path, ensemble: Ensemble, impressions: np.ndarray, layout: TableLayout) -> None:
    """Write the candidate rankings of each system.

    Args:
        impressions: int64, rows of the corpus's impressions.
    """
    corpus = layout.corpus
    schema = schemas.with_components(schemas.RANKED_IMPRESSIONS, layout.components)
    with layout.writer(directory / IMPRESSIONS, schema) as write:
        ranges = list(impression_blocks(corpus, impressions))
        for start, stop in track(ranges, "rank impressions", unit="blocks"):
            query = queries.impression_queries(corpus, impressions[start:stop])
            for scores in ensemble.score_candidates(query, corpus.impressions.item[query.rows]):
                write(scores.system, impression_block(layout, impressions[start:stop], query, scores))


def write_truth(directory: Path, corpus: Corpus, requests: Requests, truth: RequestTruth, rules: Rules) -> int:
    """Write the true pairs that lists may contain; return their number."""
    table = truth_table(corpus, requests, truth, rules.permit(truth.item, truth.seen))
    files.write_parquet(directory / TRUTH, table, schemas.TRUTH)
    return table.num_rows
