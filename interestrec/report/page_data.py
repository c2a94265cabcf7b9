"""What the page shows beside figures: reliability, where relevant items stand, and lists of a few users."""

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
from interestrec.evaluation.list_metrics import impression_lists_of
from interestrec.evaluation.metric_sums import CATALOGUE
from interestrec.evaluation.population import PastEvents
from interestrec.evaluation.ranking_blocks import IdNumbers
from interestrec.evaluation.verdicts import strongest_rival
from interestrec.io import artifact_files, files, schemas
from interestrec.io.schemas import OURS
from interestrec.metrics import ranking
from interestrec.metrics.intensity_errors import equal_mass_bins

USERS = 3  # whose lists are shown
_PERMUTED = 20_000  # lists whose labels are permuted; their mean's standard error is below 0.003
_HISTORY, _LISTED, _LEAST = 6, 6, 3  # of them: latest events, first items; and events that they must have


@dataclass(frozen=True)
class PageData:
    """All of it."""

    checks: Sequence[AuditCheck] = ()
    reliability: "Reliability | None" = None
    found_by_rank: Mapping[str, np.ndarray] = field(default_factory=dict)  # share of relevant items, [top_k] by system
    training: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)  # steps and values by name
    examples: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Reliability:
    """Bins of predictions, as near to equal in size as ties allow: mean prediction, mean label, rows."""

    predicted: np.ndarray  # float64 [bins]
    label: np.ndarray  # float64 [bins]
    rows: np.ndarray  # int64 [bins]


def gather_page_data(
    corpus: Corpus,
    rankings_path: Path,
    described: Mapping[str, Any],
    metrics: Sequence[dict[str, Any]],
    past: PastEvents,
    ids: IdNumbers,
    seed: int,
    min_users: int = 1,
    with_examples: bool = True,
) -> PageData:
    """All of it for a page; without our system only the audit of the corpus.

    Args:
        described: content of the rankings' systems.json.
        metrics: rows of schemas.METRICS.
        past: histories of the users of `ids`.
        ids: of the rankings' users and items.
        min_users: least users behind a figure.
        with_examples: whether to show what single users get; with a `min_users` above 1 that is never shown.
    """
    checks = [check.told(min_users) for check in leak_audit.audit_leaks(corpus)]
    if OURS not in described["systems"]:
        return PageData(checks)
    impressions, catalogue = rankings_path / artifact_files.IMPRESSIONS, rankings_path / artifact_files.CATALOGUE
    if len(ids.user) < min_users:
        return PageData(checks)
    if (check := leak_audit.permute_labels(permuted_auc(impressions, ids, seed))) is not None:
        checks = [*checks, check]
    rival = strongest_rival(metrics, CATALOGUE, OURS)
    shown = list(dict.fromkeys(s for s in (OURS, rival, "popularity") if s is not None and s in described["systems"]))
    truth = files.read_parquet(rankings_path / artifact_files.TRUTH, schemas.TRUTH)
    log = rankings_path / artifact_files.TRAINING_LOG
    components = list(described["systems"][OURS].get("components", {}))
    return PageData(
        checks=checks,
        reliability=reliability(impressions, min_users=min_users),
        found_by_rank=found_by_rank(catalogue, truth, shown, described["settings"]["top_k"])
        if _liking(truth) >= min_users
        else {},
        training=training_curves(files.read_parquet(log, schemas.TRAINING_LOG))
        if log.exists() and _fewest(corpus) >= min_users
        else {},
        examples=examples(corpus, catalogue, truth, components, past, ids, seed)
        if with_examples and min_users == 1
        else [],
    )


def reliability(impressions: Path, system: str = OURS, min_users: int = 1) -> Reliability | None:
    """Of a system's predictions with a known label, from its ranked impressions; None without any.

    Bins of fewer users than `min_users` are left out.
    """
    tables = list(_of_system(impressions, ["label", "predicted", *(["user_id"] if min_users > 1 else [])], system))
    if not tables:
        return None
    table = pa.concat_tables(tables)
    known = ~np.isnan(table["label"].to_numpy())
    label, predicted = (table[name].to_numpy()[known] for name in ("label", "predicted"))
    if len(label) == 0:
        return None
    place = equal_mass_bins(predicted)
    rows = np.bincount(place)
    shown = rows > 0
    if min_users > 1:
        user = table["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()[known]
        shown &= is_disclosable(distinct_users(place, user, len(rows)), min_users)
    means = [np.bincount(place, values) / np.maximum(rows, 1) for values in (predicted, label)]
    return Reliability(means[0][shown], means[1][shown], rows[shown]) if shown.any() else None


def _liking(truth: pa.Table) -> int:
    """Users with a relevant item."""
    return pc.count_distinct(truth.filter(truth["relevant"])["user_id"]).as_py()


def _fewest(corpus: Corpus) -> int:
    """The fewest users that train, or valid, has a request of."""
    shown = corpus.impressions
    return min(len(np.unique(shown.user[shown.split == split])) for split in (schemas.TRAIN, schemas.VALID))


def permuted_auc(impressions: Path, ids: IdNumbers, seed: int) -> np.ndarray:
    """Ours' `auc` of each of the first impressions with its labels permuted; float64 [lists], NaN with one class."""
    generator, values, lists = np.random.default_rng(seed), [np.zeros(0)], 0
    for block in ranking_blocks.blocks(impressions, ["impression_id", "user_id"], ["relevant", "score"], ids, OURS):
        order = np.lexsort((generator.random(len(block.item)), block.owner))
        relevant = block.numbers["relevant"][order]
        ranked = impression_lists_of(
            block.offsets, block.numbers["score"], relevant.astype(np.float32), relevant, graded=False
        )
        values.append(ranking.auc(ranked))
        lists += len(block.user)
        if lists >= _PERMUTED:
            break
    return np.concatenate(values)


def found_by_rank(catalogue: Path, truth: pa.Table, systems: Sequence[str], top_k: int) -> dict[str, np.ndarray]:
    """Share of all relevant items that a system's lists hold up to each rank; float64 [top_k] by system.

    Args:
        truth: of schemas.TRUTH.
    """
    relevant = truth.filter(truth["relevant"]).select(["user_id", "item_id"])
    shares = {}
    for system in systems:
        hits = np.zeros(top_k + 1, dtype=np.int64)
        for table in _of_system(catalogue, ["user_id", "item_id", "rank"], system):
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
    """A few users, drawn at random among those with a history, as JSON values: history, list, component scores.

    Args:
        truth: of schemas.TRUTH.
        components: columns of the lists' rows.
        past: histories of the users of `ids`.
    """
    tables = list(_of_system(catalogue, ["user_id", "item_id", "rank", "score", "predicted", *components], OURS))
    if not tables:
        return []
    lists = pa.concat_tables(tables)
    lists = lists.filter(pc.less_equal(lists["rank"], _LISTED))
    able = np.flatnonzero(np.diff(past.offsets) >= _LEAST)
    chosen = np.sort(np.random.default_rng(seed).permutation(able)[:USERS])
    return [
        _example(
            corpus, ids.user[int(user)].as_py(), past.item[past.offsets[user] : past.offsets[user + 1]], lists, truth
        )
        for user in chosen
    ]


def _example(corpus: Corpus, user_id: str, history: np.ndarray, lists: pa.Table, truth: pa.Table) -> dict[str, Any]:
    wanted = truth.filter(pc.and_(pc.equal(truth["user_id"], user_id), truth["relevant"]))["item_id"].to_pylist()
    mine = lists.filter(pc.equal(lists["user_id"], user_id)).sort_by("rank").to_pylist()
    places = pc.index_in(
        pa.array([row["item_id"] for row in mine], pa.string()), value_set=corpus.items["item_id"].combine_chunks()
    )
    for row, place in zip(mine, places.to_pylist(), strict=True):
        row.update(_told(corpus, place), hit=row["item_id"] in wanted)
    return {
        "user_id": user_id,
        "events": len(history),
        "history": [_told(corpus, int(item)) for item in history[::-1][:_HISTORY]],
        "list": mine,
        "wanted": len(wanted),
    }


def _told(corpus: Corpus, item: int) -> dict[str, Any]:
    row = corpus.items.slice(item, 1).to_pylist()[0]
    return {"title": row["title"] or row["item_id"], "category": row["category"]}


def _of_system(path: Path, columns: Sequence[str], system: str) -> Sequence[pa.Table]:
    """A system's rows, row group by row group; other systems' are not read."""
    found = files.stream_parquet(path, ["system", *columns], ["system"], containing=("system", system))
    return [table.filter(pc.equal(table["system"].cast(pa.string()), system)).select(list(columns)) for table in found]


def training_curves(log: pa.Table) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """Steps and values by name of `valid_auc` and of `loss`, this as means of up to 100 stretches of steps.

    Args:
        log: of schemas.TRAINING_LOG.
    """
    curves = {}
    for name in ("valid_auc", "loss"):
        rows = log.filter(pc.equal(log["name"], name))
        step, value = rows["step"].to_numpy(), rows["value"].to_numpy()
        if name == "loss" and len(step) > 100:
            stretch = np.arange(len(step)) * 100 // len(step)
            count = np.bincount(stretch)
            step, value = np.bincount(stretch, step) / count, np.bincount(stretch, value) / count
        if len(step):
            curves[name] = (step, value)
    return curves
