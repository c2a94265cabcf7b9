"""The evaluation protocols: ranking tables are read once, block by block, and summed into cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.core.errors import ArtifactError
from interestrec.evaluation import beyond_accuracy, metric_sums, ranking_blocks
from interestrec.evaluation.beyond_accuracy import TopLists
from interestrec.evaluation.intensity_metrics import IntensityRows, PredictedRows
from interestrec.evaluation.list_metrics import (
    ListTruth,
    SystemLists,
    part_membership,
    rank_impressions,
    rank_stored_lists,
    sub_lists,
)
from interestrec.evaluation.metric_sums import CATALOGUE, IMPRESSIONS, INTENSITY, MetricSums, PooledMetric, SliceMetrics
from interestrec.evaluation.pair_lists import PairLists
from interestrec.evaluation.pair_parts import PairParts
from interestrec.evaluation.population import Population
from interestrec.evaluation.ranking_blocks import IdNumbers, RankingBlock
from interestrec.evaluation.slices import COLD_ITEMS, Slice, parts_of_items


@dataclass(frozen=True)
class EvaluationContext:
    """Everything that lists are evaluated against."""

    population: Population
    slices: list[Slice]
    truth: ListTruth
    pairs: PairParts
    ids: IdNumbers
    graded: bool  # whether the gain of ndcg is the label instead of the relevance

    @property
    def n_users(self) -> int:
        return len(self.ids.user)

    @cached_property
    def parts(self) -> list[np.ndarray]:
        """See `parts_of_items`."""
        return parts_of_items(self.slices, len(self.ids.item))

    def pair_lists(self, systems: Sequence[str], metrics: Sequence[str]) -> PairLists:
        """Return empty lists of memorised and generalised pairs."""
        return PairLists(systems, metrics, self.pairs, self.truth, self.graded)

    def holds(self, owner: np.ndarray, item: np.ndarray, n_lists: int) -> np.ndarray:
        """Return which lists have a relevant item of which slice; bool [lists, slices by relevant items]."""
        held = np.zeros((n_lists, sum(part.by == "relevant" for part in self.slices)), bool)
        for part in self.parts:
            held |= part_membership(owner, part[item], n_lists, held.shape[1])
        return held


@dataclass
class ProtocolResult:
    """The cells of all protocols."""

    cells: list[MetricSums] = field(default_factory=list)
    pooled: list[PooledMetric] = field(default_factory=list)
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)  # slices with too few lists, by protocol
    suppressed: int = 0  # number of metric rows that are withheld because too few users are behind them

    def add(self, protocol: str, sliced: SliceMetrics) -> None:
        """Add the cells of a protocol."""
        self.cells += sliced.cells
        self.left_out.setdefault(protocol, {}).update(sliced.left_out)


def truth_by_user(table: pa.Table, ids: IdNumbers) -> ListTruth:
    """Sort a table of schemas.TRUTH by user and item."""
    user = pc.index_in(table["user_id"], value_set=ids.user).to_numpy().astype(np.int64)
    item = pc.index_in(table["item_id"], value_set=ids.item).to_numpy().astype(np.int64)
    order = np.lexsort((item, user))
    return ListTruth(
        offsets=ragged.from_owner(user[order], len(ids.user)),
        item=item[order],
        label=table["label"].to_numpy()[order],
        relevant=table["relevant"].to_numpy()[order],
    )


def add_impression_metrics(
    result: ProtocolResult,
    path: Path,
    systems: Sequence[str],
    ranking_metrics: Sequence[str],
    intensity_metrics: Sequence[str],
    context: EvaluationContext,
) -> None:
    """Add the protocols `impressions`, if any impression has two candidates, and `intensity`.

    Memory holds one value per list and metric, and for one system at a time the rows of its intensity metrics.
    """
    all_items, cold_items = ({system: SystemLists(ranking_metrics) for system in systems} for _ in range(2))
    pair_lists = context.pair_lists(systems, ranking_metrics)
    predicted: dict[str, PredictedRows] = {}
    open_rows: dict[str, IntensityRows] = {}
    for block in ranking_blocks.blocks(
        path, ["impression_id", "user_id"], ["label", "relevant", "score", "predicted"], context.ids
    ):
        if block.system not in open_rows:
            predicted |= {system: system_rows.summed() for system, system_rows in open_rows.items()}
            open_rows = {block.system: IntensityRows(intensity_metrics, context.n_users)}
        numbers = block.numbers
        user = block.user[block.owner]
        open_rows[block.system].add(user, numbers["label"], numbers["relevant"], numbers["predicted"])
        if ranking_metrics:
            _rank_block(all_items[block.system], cold_items[block.system], block, context)
            pair_lists.add_impressions(block)
    predicted |= {system: system_rows.summed() for system, system_rows in open_rows.items()}
    if any(lists.longest > 1 for lists in all_items.values()):
        result.add(
            IMPRESSIONS,
            metric_sums.list_metric_sums(IMPRESSIONS, list(all_items.values()), context.n_users, context.slices),
        )
        result.add(
            IMPRESSIONS,
            metric_sums.candidate_slice_sums(IMPRESSIONS, COLD_ITEMS, list(cold_items.values()), context.n_users),
        )
        result.add(IMPRESSIONS, pair_lists.sums(IMPRESSIONS, context.n_users))
    if intensity_metrics:
        no_rows = IntensityRows(intensity_metrics, context.n_users)
        rows = [predicted[s] if s in predicted else no_rows.summed() for s in systems]
        sliced, pooled = metric_sums.intensity_metric_sums(intensity_metrics, rows, context.slices)
        result.add(INTENSITY, sliced)
        result.pooled += pooled


def add_catalogue_metrics(
    result: ProtocolResult,
    path: Path,
    systems: Sequence[str],
    metrics: Sequence[str],
    items: beyond_accuracy.ItemStatistics,
    context: EvaluationContext,
) -> Mapping[str, TopLists]:
    """Add the protocols `catalogue`, over the users with a test impression, and `beyond`; return the top lists.

    Relevant items beyond the stored list count as missed; `mrr` and `rr` give them 0.
    """
    metrics = [name for name in metrics if name != "auc"]  # auc needs the whole list, which is not stored
    top_lists = {system: TopLists(items) for system in systems}
    pair_lists = context.pair_lists(systems, metrics)
    lists = _rank_catalogue(path, systems, metrics, context, context.truth, top_lists, pair_lists)
    if metrics:
        result.add(
            CATALOGUE, metric_sums.list_metric_sums(CATALOGUE, list(lists.values()), context.n_users, context.slices)
        )
        result.add(CATALOGUE, pair_lists.sums(CATALOGUE, context.n_users))
    sums, pooled = beyond_accuracy.beyond_metrics(list(top_lists.values()), context.n_users)
    result.cells += sums
    result.pooled += pooled
    return top_lists


def add_cold_catalogue_metrics(
    result: ProtocolResult, path: Path, systems: Sequence[str], metrics: Sequence[str], context: EvaluationContext
) -> None:
    """Add the slice `cold_items` of the protocol `catalogue`: lists and truth restricted to cold items.

    The corpus determines which items are cold; other items in the lists are ignored. A user without a relevant cold
    item is dropped, as in every protocol.
    """
    metrics = [name for name in metrics if name != "auc"]
    truth = context.truth
    kept = context.population.cold[truth.item]
    offsets = ragged.filtered(truth.offsets, kept)
    cold = ListTruth(offsets, truth.item[kept], truth.label[kept], truth.relevant[kept])
    lists = _rank_catalogue(path, systems, metrics, context, cold, {}, item_filter=context.population.cold)
    result.add(
        CATALOGUE, metric_sums.candidate_slice_sums(CATALOGUE, COLD_ITEMS, list(lists.values()), context.n_users)
    )


def _rank_block(
    all_items: SystemLists, cold_items: SystemLists, block: RankingBlock, context: EvaluationContext
) -> None:
    """Add the metrics of a block's lists, and of these lists restricted to cold items."""
    score, label, relevant = (block.numbers[name] for name in ("score", "label", "relevant"))
    relevant_rows = np.flatnonzero(relevant)
    holds = context.holds(block.owner[relevant_rows], block.item[relevant_rows], len(block.user))
    all_items.rank(block.user, rank_impressions(block.offsets, score, label, relevant, context.graded), holds)
    kept = context.population.cold[block.item]
    if kept.any():
        user, offsets = sub_lists(block.user, block.offsets, kept)
        cold_items.rank(user, rank_impressions(offsets, score[kept], label[kept], relevant[kept], context.graded))


def _rank_catalogue(
    path: Path,
    systems: Sequence[str],
    metrics: Sequence[str],
    context: EvaluationContext,
    truth: ListTruth,
    top_lists: Mapping[str, TopLists],
    pair_lists: PairLists | None = None,
    item_filter: np.ndarray | None = None,
) -> dict[str, SystemLists]:
    """Evaluate the stored list of every user and system; a user without a stored list has an empty one.

    Args:
        pair_lists: the lists by pairs to add to; None for none.
        item_filter: bool [items], the items of the lists to keep; None for all.
    """
    lists = {system: SystemLists(metrics) for system in systems}
    has_list = {system: np.zeros(context.n_users, dtype=bool) for system in systems}

    def add(system: str, user: np.ndarray, offsets: np.ndarray, item: np.ndarray, score: np.ndarray) -> None:
        rows, owner = truth.user_rows(user)
        relevant = truth.relevant[rows]
        holds = context.holds(owner[relevant], truth.item[rows][relevant], len(user))
        lists[system].rank(user, rank_stored_lists(user, offsets, item, score, truth, context.graded), holds)
        has_list[system][user] = True
        if pair_lists is not None:
            pair_lists.add_stored(system, user, offsets, item, score)

    for block in ranking_blocks.blocks(path, ["user_id"], ["score", "rank"], context.ids):
        if has_list[block.system][block.user].any():
            raise ArtifactError(f"{path}: the rows of a user are not contiguous; run `interestrec rank` again")
        user, offsets, item, score = block.user, block.offsets, block.item, block.numbers["score"]
        if item_filter is not None:
            kept = item_filter[item]
            user, offsets = sub_lists(user, offsets, kept)
            item, score = item[kept], score[kept]
        add(block.system, user, offsets, item, score)
        if block.system in top_lists:
            top_lists[block.system].add(
                block.user, block.offsets, block.item, block.numbers["rank"], context.population.past
            )
    no_items = np.zeros(0, dtype=np.int64)
    for system in systems:
        missing = np.flatnonzero(~has_list[system])
        add(system, missing, np.zeros(len(missing) + 1, dtype=np.int64), no_items, no_items.astype(np.float64))
    return lists
