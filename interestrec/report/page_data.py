"""Further content of the HTML report: leak audit, reliability, recall by rank, training curves, example users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.small_groups import distinct_users, is_disclosable
from interestrec.corpus.store import Corpus
from interestrec.evaluation import leak_audit, ranking_blocks
from interestrec.evaluation.leak_audit import AuditCheck
from interestrec.evaluation.list_metrics import rank_impressions
from interestrec.evaluation.metric_sums import CATALOGUE
from interestrec.evaluation.population import PastEvents
from interestrec.evaluation.ranking_blocks import IdNumbers
from interestrec.evaluation.verdicts import strongest_rival
from interestrec.io import artifact_files, files, schemas
from interestrec.io.schemas import OURS
from interestrec.metrics import ranking
from interestrec.metrics.intensity_errors import equal_mass_bins

N_USERS = 3  # example users
VALID_FIGURES = {"valid_auc": "valid AUC", "valid_ndcg": "valid ndcg@10"}  # of the training log: name -> title
_MAX_PERMUTED_LISTS = 20_000  # with this number, the standard error of the mean auc is below 0.003
_MAX_HISTORY, _MAX_ITEMS, _MIN_HISTORY = 6, 6, 3  # per example: shown events, shown items, events required


@dataclass(frozen=True)
class PageData:
    """The data of the report's sections; empty values leave their section out."""

    checks: Sequence[AuditCheck] = ()
    reliability: "Reliability | None" = None
    recall_by_rank: Mapping[str, np.ndarray] = field(default_factory=dict)  # share of relevant items, [top_k] by system
    training: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)  # steps and values by name
    examples: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Reliability:
    """Mean prediction and mean label in bins of predictions, which are as equal in size as ties allow."""

    predicted: np.ndarray  # float64 [bins]
    label: np.ndarray  # float64 [bins]
    rows: np.ndarray  # int64 [bins], number of rows


def gather_page_data(
    corpus: Corpus,
    rankings_path: Path,
    systems_file: Mapping[str, Any],
    metrics: Sequence[dict[str, Any]],
    past: PastEvents,
    ids: IdNumbers,
    seed: int,
    min_users: int = 1,
    with_examples: bool = True,
) -> PageData:
    """Collect the data of a report; without our system among the rankings, only the audit of the corpus.

    Args:
        systems_file: content of the rankings' systems.json.
        metrics: rows of report_schemas.METRICS.
        past: histories of the users of `ids`.
        ids: ids of the rankings' users and of the items.
        min_users: minimum number of users behind a figure.
        with_examples: whether to include the lists of single users; ignored if `min_users` is above 1.
    """
    checks = [check.without_small_counts(min_users) for check in leak_audit.audit_leaks(corpus)]
    if OURS not in systems_file["systems"]:
        return PageData(checks)
    impressions, catalogue = rankings_path / artifact_files.IMPRESSIONS, rankings_path / artifact_files.CATALOGUE
    if len(ids.user) < min_users:
        return PageData(checks)
    if (check := leak_audit.permute_labels(permuted_auc(impressions, ids, seed))) is not None:
        checks = [*checks, check]
    rival = strongest_rival(metrics, CATALOGUE, OURS)
    systems = list(
        dict.fromkeys(
            system for system in (OURS, rival, "popularity") if system is not None and system in systems_file["systems"]
        )
    )
    truth = files.read_parquet(rankings_path / artifact_files.TRUTH, schemas.TRUTH)
    log = rankings_path / artifact_files.TRAINING_LOG
    components = list(systems_file["systems"][OURS].get("components", {}))
    return PageData(
        checks=checks,
        reliability=reliability(impressions, min_users=min_users),
        recall_by_rank=recall_by_rank(catalogue, truth, systems, systems_file["settings"]["top_k"])
        if _users_with_relevant_item(truth) >= min_users
        else {},
        training=training_curves(files.read_parquet(log, schemas.TRAINING_LOG))
        if log.exists() and _min_request_users(corpus) >= min_users
        else {},
        examples=examples(corpus, catalogue, truth, components, past, ids, seed)
        if with_examples and min_users == 1
        else [],
    )


def reliability(impressions: Path, system: str = OURS, min_users: int = 1) -> Reliability | None:
    """Bin a system's predictions with a known label in its ranked impressions; None if there are none.

    Bins with fewer users than `min_users` are left out.
    """
    tables = list(_system_rows(impressions, ["label", "predicted", *(["user_id"] if min_users > 1 else [])], system))
    if not tables:
        return None
    table = pa.concat_tables(tables)
    has_label = ~np.isnan(table["label"].to_numpy())
    label, predicted = (table[name].to_numpy()[has_label] for name in ("label", "predicted"))
    if len(label) == 0:
        return None
    bin_number = equal_mass_bins(predicted)
    rows = np.bincount(bin_number)
    disclosed = rows > 0
    if min_users > 1:
        user = table["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()[has_label]
        disclosed &= is_disclosable(distinct_users(bin_number, user, len(rows)), min_users)
    means = [np.bincount(bin_number, values) / np.maximum(rows, 1) for values in (predicted, label)]
    return Reliability(means[0][disclosed], means[1][disclosed], rows[disclosed]) if disclosed.any() else None


def _users_with_relevant_item(truth: pa.Table) -> int:
    """Count the users with a relevant item."""
    return pc.count_distinct(truth.filter(truth["relevant"])["user_id"]).as_py()


def _min_request_users(corpus: Corpus) -> int:
    """Return the number of users with a request in train or in valid, whichever is smaller."""
    shown = corpus.impressions
    return min(len(np.unique(shown.user[shown.split == split])) for split in (schemas.TRAIN, schemas.VALID))


def permuted_auc(impressions: Path, ids: IdNumbers, seed: int) -> np.ndarray:
    """Return our system's `auc` of the first impressions with permuted labels; float64 [lists], NaN with one class."""
    generator, values, lists = np.random.default_rng(seed), [np.zeros(0)], 0
    for block in ranking_blocks.blocks(impressions, ["impression_id", "user_id"], ["relevant", "score"], ids, OURS):
        order = np.lexsort((generator.random(len(block.item)), block.owner))
        relevant = block.numbers["relevant"][order]
        ranked = rank_impressions(
            block.offsets, block.numbers["score"], relevant.astype(np.float32), relevant, graded=False
        )
        values.append(ranking.auc(ranked))
        lists += len(block.user)
        if lists >= _MAX_PERMUTED_LISTS:
            break
    return np.concatenate(values)


def recall_by_rank(catalogue: Path, truth: pa.Table, systems: Sequence[str], top_k: int) -> dict[str, np.ndarray]:
    """Return the share of all relevant items in a system's lists up to each rank; float64 [top_k] by system.

    Args:
        truth: a table of schemas.TRUTH.
    """
    relevant = truth.filter(truth["relevant"]).select(["user_id", "item_id"])
    shares = {}
    for system in systems:
        hits = np.zeros(top_k + 1, dtype=np.int64)
        for table in _system_rows(catalogue, ["user_id", "item_id", "rank"], system):
            joined = table.join(relevant, ["user_id", "item_id"], join_type="inner")
            hits += np.bincount(joined["rank"].to_numpy(), minlength=top_k + 1)[: top_k + 1]
        shares[system] = np.cumsum(hits[1:]) / max(relevant.num_rows, 1)
    return shares


def examples(
    corpus: Corpus,
    catalogue: Path,
    truth: pa.Table,
    components: Sequence[str],
    past: PastEvents,
    ids: IdNumbers,
    seed: int,
) -> list[dict[str, Any]]:
    """Draw a few users with a history at random; return their history, list and component scores as JSON values.

    Args:
        truth: a table of schemas.TRUTH.
        components: columns with component scores in the lists.
        past: histories of the users of `ids`.
    """
    tables = list(_system_rows(catalogue, ["user_id", "item_id", "rank", "score", "predicted", *components], OURS))
    if not tables:
        return []
    lists = pa.concat_tables(tables)
    lists = lists.filter(pc.less_equal(lists["rank"], _MAX_ITEMS))
    eligible = np.flatnonzero(np.diff(past.offsets) >= _MIN_HISTORY)
    users = np.sort(np.random.default_rng(seed).permutation(eligible)[:N_USERS])
    return [
        _example(
            corpus, ids.user[int(user)].as_py(), past.item[past.offsets[user] : past.offsets[user + 1]], lists, truth
        )
        for user in users
    ]


def _example(corpus: Corpus, user_id: str, history: np.ndarray, lists: pa.Table, truth: pa.Table) -> dict[str, Any]:
    relevant = truth.filter(pc.and_(pc.equal(truth["user_id"], user_id), truth["relevant"]))["item_id"].to_pylist()
    rows = lists.filter(pc.equal(lists["user_id"], user_id)).sort_by("rank").to_pylist()
    numbers = pc.index_in(
        pa.array([row["item_id"] for row in rows], pa.string()), value_set=corpus.items["item_id"].combine_chunks()
    )
    for row, number in zip(rows, numbers.to_pylist(), strict=True):
        row.update(_item_label(corpus, number), hit=row["item_id"] in relevant)
    return {
        "user_id": user_id,
        "events": len(history),
        "history": [_item_label(corpus, int(item)) for item in history[::-1][:_MAX_HISTORY]],
        "list": rows,
        "relevant": len(relevant),
    }


def _item_label(corpus: Corpus, item: int) -> dict[str, Any]:
    row = corpus.items.slice(item, 1).to_pylist()[0]
    return {"title": row["title"] or row["item_id"], "category": row["category"]}


def _system_rows(path: Path, columns: Sequence[str], system: str) -> Sequence[pa.Table]:
    """Return a system's rows, one table per row group; row groups of other systems are not read."""
    tables = files.stream_parquet(path, ["system", *columns], ["system"], containing=("system", system))
    return [table.filter(pc.equal(table["system"].cast(pa.string()), system)).select(list(columns)) for table in tables]


def training_curves(log: pa.Table) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """Return steps and values of the loss and of the validation figures that the log has, by name.

    The loss is averaged over at most 100 ranges of steps.

    Args:
        log: a table of schemas.TRAINING_LOG.
    """
    curves = {}
    for name in (*VALID_FIGURES, "loss"):
        rows = log.filter(pc.equal(log["name"], name))
        step, value = rows["step"].to_numpy(), rows["value"].to_numpy()
        if name == "loss" and len(step) > 100:
            stretch = np.arange(len(step)) * 100 // len(step)
            count = np.bincount(stretch)
            step, value = np.bincount(stretch, step) / count, np.bincount(stretch, value) / count
        if len(step):
            curves[name] = (step, value)
    return curves
