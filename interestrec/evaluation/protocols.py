"""The protocols: ranking tables read once, block by block, and what is left of them as cells."""

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
    cut_lists,
    holding,
    impression_lists_of,
    sub_lists,
)
from interestrec.evaluation.metric_sums import CATALOGUE, IMPRESSIONS, INTENSITY, MetricSums, SlicedCell, WholeCell
from interestrec.evaluation.population import Population
from interestrec.evaluation.ranking_blocks import IdNumbers, RankingBlock
from interestrec.evaluation.slices import COLD_ITEMS, Slice, part_of_item


@dataclass(frozen=True)
class EvaluationContext:
    """By what lists are judged."""

    facts: Population
    slices: list[Slice]
    truth: ListTruth
    ids: IdNumbers
    graded: bool  # whether the gain of ndcg is the label

    @property
    def n_users(self) -> int:
        return len(self.ids.user)

    @cached_property
    def parts(self) -> np.ndarray:
        """int64 [items], the slice by relevant items that an item belongs to, −1 for none."""
        return part_of_item(self.slices, len(self.ids.item))

    def holds(self, owner: np.ndarray, item: np.ndarray, n_lists: int) -> np.ndarray:
        """bool [lists, slices by relevant items]: which lists have which of the relevant items' slices."""
        return holding(owner, self.parts[item], n_lists, int(self.parts.max(initial=-1)) + 1)


@dataclass
class ProtocolResult:
    """All that was measured."""

    cells: list[MetricSums] = field(default_factory=list)
    singles: list[WholeCell] = field(default_factory=list)
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)  # slices with too few lists, by protocol
    suppressed: int = 0  # rows of the table of metrics that are left out for being of too few users

    def add(self, protocol: str, sliced: SlicedCell) -> None:
        """Cells of a protocol."""
        self.cells += sliced.cells
        self.left_out.setdefault(protocol, {}).update(sliced.left_out)


def truth_of(table: pa.Table, ids: IdNumbers) -> ListTruth:
    """A table of schemas.TRUTH by user, then item."""
    user = pc.index_in(table["user_id"], value_set=ids.user).to_numpy().astype(np.int64)
    item = pc.index_in(table["item_id"], value_set=ids.item).to_numpy().astype(np.int64)
    order = np.lexsort((item, user))
    return ListTruth(
        offsets=ragged.from_owner(user[order], len(ids.user)),
        item=item[order],
        label=table["label"].to_numpy()[order],
        relevant=table["relevant"].to_numpy()[order],
    )


def impressions(
    measured: ProtocolResult,
    path: Path,
    systems: Sequence[str],
    of_lists: Sequence[str],
    of_rows: Sequence[str],
    by: EvaluationContext,
) -> None:
    """Add the protocols `impressions`, where any impression offers a choice, and `intensity`.

    Kept are a value a list and metric, and of one system at a time what its intensity metrics need of each row.
    """
    whole, cold = ({system: SystemLists(of_lists) for system in systems} for _ in range(2))
    predicted: dict[str, PredictedRows] = {}
    pending: dict[str, IntensityRows] = {}
    for block in ranking_blocks.blocks(
        path, ["impression_id", "user_id"], ["label", "relevant", "score", "predicted"], by.ids
    ):
        if block.system not in pending:
            predicted |= {system: rows.summed() for system, rows in pending.items()}
            pending = {block.system: IntensityRows(of_rows, by.n_users)}
        numbers = block.numbers
        user = block.user[block.owner]
        pending[block.system].add(user, numbers["label"], numbers["relevant"], numbers["predicted"])
        if of_lists:
            _rank_shown(whole[block.system], cold[block.system], block, by)
    predicted |= {system: rows.summed() for system, rows in pending.items()}
    if any(listed.longest > 1 for listed in whole.values()):
        measured.add(IMPRESSIONS, metric_sums.list_cells(IMPRESSIONS, list(whole.values()), by.n_users, by.slices))
        measured.add(IMPRESSIONS, metric_sums.cut_cells(IMPRESSIONS, COLD_ITEMS, list(cold.values()), by.n_users))
    if of_rows:
        nothing = IntensityRows(of_rows, by.n_users)
        known = [predicted[s] if s in predicted else nothing.summed() for s in systems]
        sliced, singles = metric_sums.intensity_cells(of_rows, known, by.slices)
        measured.add(INTENSITY, sliced)
        measured.singles += singles


def catalogue(
    measured: ProtocolResult,
    path: Path,
    systems: Sequence[str],
    names: Sequence[str],
    items: beyond_accuracy.BeyondItems,
    by: EvaluationContext,
) -> Mapping[str, TopLists]:
    """Add the protocols `catalogue`, over the users with a test impression, and `beyond`; give what was shown.

    Relevant items beyond the stored list count as missed, so `mrr` and `rr` give them 0.
    """
    names = [name for name in names if name != "auc"]  # needs the whole list, which is not stored
    shown = {system: TopLists(items) for system in systems}
    if names:
        listed = _cut(path, systems, names, by, by.truth, shown)
        measured.add(CATALOGUE, metric_sums.list_cells(CATALOGUE, list(listed.values()), by.n_users, by.slices))
    else:
        _cut(path, systems, names, by, by.truth, shown)
    found, singles = beyond_accuracy.beyond_cells(list(shown.values()), by.n_users)
    measured.cells += found
    measured.singles += singles
    return shown


def cold_catalogue(
    measured: ProtocolResult, path: Path, systems: Sequence[str], names: Sequence[str], by: EvaluationContext
) -> None:
    """Add the slice `cold_items` of the protocol `catalogue`: lists of cold items alone, held against the cold truth.

    What is cold is decided here, by the corpus: other items in the lists are passed over. A user who had no cold item
    has no relevant one and is dropped, as everywhere.
    """
    names = [name for name in names if name != "auc"]
    truth = by.truth
    kept = by.facts.cold[truth.item]
    offsets = ragged.filtered(truth.offsets, kept)
    cold = ListTruth(offsets, truth.item[kept], truth.label[kept], truth.relevant[kept])
    listed = _cut(path, systems, names, by, cold, {}, by.facts.cold)
    measured.add(CATALOGUE, metric_sums.cut_cells(CATALOGUE, COLD_ITEMS, list(listed.values()), by.n_users))


def _rank_shown(whole: SystemLists, cold: SystemLists, block: RankingBlock, by: EvaluationContext) -> None:
    """Measure a block's lists, and what is left of them when only cold items are ranked."""
    score, label, relevant = (block.numbers[name] for name in ("score", "label", "relevant"))
    liked = np.flatnonzero(relevant)
    holds = by.holds(block.owner[liked], block.item[liked], len(block.user))
    whole.rank(block.user, impression_lists_of(block.offsets, score, label, relevant, by.graded), holds)
    kept = by.facts.cold[block.item]
    if kept.any():
        user, offsets = sub_lists(block.user, block.offsets, kept)
        cold.rank(user, impression_lists_of(offsets, score[kept], label[kept], relevant[kept], by.graded))


def _cut(
    path: Path,
    systems: Sequence[str],
    names: Sequence[str],
    by: EvaluationContext,
    truth: ListTruth,
    shown: Mapping[str, TopLists],
    only: np.ndarray | None = None,
) -> dict[str, SystemLists]:
    """Every user's stored list of every system held against the truth; a user without one has an empty list.

    Args:
        only: bool [items], which items of the lists to look at; None for all.
    """
    listed = {system: SystemLists(names) for system in systems}
    answered = {system: np.zeros(by.n_users, dtype=bool) for system in systems}

    def add(system: str, user: np.ndarray, offsets: np.ndarray, item: np.ndarray, score: np.ndarray) -> None:
        rows, place = truth.of(user)
        liked = truth.relevant[rows]
        holds = by.holds(place[liked], truth.item[rows][liked], len(user))
        listed[system].rank(user, cut_lists(user, offsets, item, score, truth, by.graded), holds)
        answered[system][user] = True

    for block in ranking_blocks.blocks(path, ["user_id"], ["score", "rank"], by.ids):
        if answered[block.system][block.user].any():
            raise ArtifactError(f"{path}: the rows of a user are not together; run `interestrec rank` again")
        user, offsets, item, score = block.user, block.offsets, block.item, block.numbers["score"]
        if only is not None:
            kept = only[item]
            user, offsets = sub_lists(user, offsets, kept)
            item, score = item[kept], score[kept]
        add(block.system, user, offsets, item, score)
        if block.system in shown:
            shown[block.system].add(block.user, block.offsets, block.item, block.numbers["rank"], by.facts.past)
    none = np.zeros(0, dtype=np.int64)
    for system in systems:
        without = np.flatnonzero(~answered[system])
        add(system, without, np.zeros(len(without) + 1, dtype=np.int64), none, none.astype(np.float64))
    return listed
