"""Metrics beyond accuracy, of the first ten items of every user's list over the whole catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.core import ragged
from interestrec.core.deferred_import import sparse  # an unchanged run needs none of it
from interestrec.core.small_groups import distinct_users, is_disclosable
from interestrec.corpus.categories import SEPARATOR
from interestrec.corpus.store import Corpus
from interestrec.evaluation.list_metrics import SystemLists, sub_lists
from interestrec.evaluation.metric_sums import BEYOND, MetricSums, PooledMetric, list_metric_sums
from interestrec.evaluation.population import PastEvents, Population, sorted_distinct, train_users
from interestrec.evaluation.slices import ALL
from interestrec.io.schemas import TRAIN
from interestrec.metrics import list_diversity

K = 10
LIST_METRICS = ("novelty", "diversity", "category_calibration", "popularity_lift")
OVERALL_METRICS = {"coverage": list_diversity.coverage, "gini": list_diversity.gini}  # one value over all lists
BEYOND_METRICS = (*LIST_METRICS, *OVERALL_METRICS)


@dataclass(frozen=True)
class ItemStatistics:
    """What lists are compared with, counted on train."""

    users_per_item: np.ndarray  # int64 [items], users with a positive train event of the item
    n_users: int  # users with a positive train event
    events_per_item: np.ndarray  # int64 [items], positive train events
    users_per_category: np.ndarray  # int64 [categories + 1], train users per category; 0: items without one
    category: np.ndarray  # int32 [items]
    features: sparse.csr_array  # bool [items, features]


def item_statistics(corpus: Corpus, population: Population) -> ItemStatistics:
    """Count users, events and features of items on train.

    The features of an item are the tokens of its title and the prefixes of its category path. They come from the
    corpus, not from a model, so that no system is judged by its own notion of similarity.
    """
    users_per_item, n_users = train_users(corpus)
    timelines = corpus.timelines
    positive = (timelines.split == TRAIN) & corpus.relevant(timelines.intensity)
    groups = len(population.categories) + 1
    return ItemStatistics(
        users_per_item=users_per_item,
        n_users=n_users,
        events_per_item=np.bincount(timelines.item[positive], minlength=corpus.items.num_rows),
        users_per_category=distinct_users(
            population.category[timelines.item[positive]] + 1, timelines.user[positive], groups
        ),
        category=population.category,
        features=item_features(corpus.title_tokens, corpus.items["category"]),
    )


def item_features(tokens: pa.ListArray, category: pa.ChunkedArray) -> sparse.csr_array:
    """Return int32 ones [items, features]: tokens, and the prefixes of one, two … parts of the category path.

    Args:
        tokens: list<int32> [items], of the titles.
    """
    token = tokens.flatten().to_numpy()
    rows, columns = [ragged.owner(tokens.offsets.to_numpy())], [token.astype(np.int64)]
    n_tokens = int(token.max(initial=-1)) + 1
    feature_numbers: dict[str, int] = {}
    encoded = category.combine_chunks().dictionary_encode()
    paths = [path.split(SEPARATOR) for path in encoded.dictionary.to_pylist()]
    path_of_item = encoded.indices.fill_null(-1).to_numpy()
    for level in range(max(map(len, paths), default=0)):
        prefixes = [SEPARATOR.join(parts[: level + 1]) if level < len(parts) else None for parts in paths]
        codes = np.array(
            [-1 if name is None else feature_numbers.setdefault(name, len(feature_numbers)) for name in prefixes] + [-1]
        )
        feature = codes[path_of_item]  # items without a category take the last code, −1
        rows.append(np.flatnonzero(feature >= 0))
        columns.append(n_tokens + feature[feature >= 0])
    row, column = np.concatenate(rows), np.concatenate(columns)
    shape = (len(tokens), n_tokens + len(feature_numbers))
    cell = sorted_distinct(row * max(shape[1], 1) + column)  # a token that occurs twice in a title is one feature
    row, column = np.divmod(cell, max(shape[1], 1))
    return sparse.csr_array((np.ones(len(cell), dtype=np.int32), (row, column)), shape=shape)


@dataclass
class TopLists:
    """The first ten items of one system's lists, accumulated block by block."""

    items: ItemStatistics
    exposure: np.ndarray = field(init=False)  # int64 [items], lists that hold the item
    lists_per_category: np.ndarray = field(init=False)  # int64 [categories + 1], lists that hold an item of it
    list_values: SystemLists = field(default_factory=lambda: SystemLists(LIST_METRICS))

    def __post_init__(self) -> None:
        self.exposure = np.zeros(len(self.items.users_per_item), dtype=np.int64)
        self.lists_per_category = np.zeros(len(self.items.users_per_category), dtype=np.int64)

    def add(self, user: np.ndarray, offsets: np.ndarray, item: np.ndarray, rank: np.ndarray, past: PastEvents) -> None:
        """Add a block of lists.

        Args:
            user: int64 [lists].
            offsets, item, rank: the stored lists; rows beyond rank 10 are ignored.
            past: the histories of all users.
        """
        kept = rank <= K
        user, offsets = sub_lists(user, offsets, kept)
        item = item[kept]
        self.exposure += np.bincount(item, minlength=len(self.exposure))
        history, items = past.select(user), self.items
        owner = ragged.owner(offsets)
        self.lists_per_category += distinct_users(items.category[item] + 1, owner, len(self.lists_per_category))
        values = [
            list_diversity.novelty(offsets, item, items.users_per_item, items.n_users),
            list_diversity.diversity(offsets, item, items.features),
            list_diversity.category_calibration(offsets, item, history.offsets, history.item, items.category),
            list_diversity.popularity_lift(
                offsets, item, history.offsets, history.item, items.users_per_item.astype(np.float64)
            ),
        ]
        self.list_values.add(user, np.stack(values))


def beyond_metrics(systems: Sequence[TopLists], n_users: int) -> tuple[list[MetricSums], list[PooledMetric]]:
    """Return the means over lists, which have intervals, and coverage and Gini, which are values over all lists."""
    n = np.array([len(lists.list_values.user) for lists in systems])
    pooled = [
        PooledMetric(
            BEYOND,
            ALL,
            name,
            np.array([measure(lists.exposure) for lists in systems]),
            n,
            np.zeros_like(n),
            int(n.max()),
        )
        for name, measure in OVERALL_METRICS.items()
    ]
    return list_metric_sums(BEYOND, [lists.list_values for lists in systems], n_users).cells, pooled


def concatenate(seeds: Sequence[Mapping[str, TopLists]]) -> dict[str, TopLists]:
    """Add up the exposure of systems over seeds; the values of single lists are dropped."""
    pooled = {system: TopLists(lists.items) for system, lists in seeds[0].items()}
    for systems in seeds:
        for system, lists in systems.items():
            pooled[system].exposure += lists.exposure
            pooled[system].lists_per_category = np.maximum(pooled[system].lists_per_category, lists.lists_per_category)
    return pooled


def exposure_rows(
    systems: Mapping[str, TopLists], categories: Sequence[str], min_users: int = 1
) -> list[dict[str, Any]]:
    """Return rows of report_schemas.EXPOSURE: each category's share of lists, catalogue and train events.

    Args:
        min_users: minimum number of users behind a category's counts and behind their remainder.
    """
    rows = []
    for system, lists in systems.items():
        groups = lists.items.category + 1  # 0: items without a category
        counts = [
            np.bincount(groups, weight, minlength=len(categories) + 1)
            for weight in (lists.exposure, np.ones(len(groups)), lists.items.events_per_item)
        ]
        shares = [count / max(count.sum(), 1) for count in counts]
        disclosable = is_disclosable(lists.lists_per_category, min_users) & is_disclosable(
            lists.items.users_per_category, min_users
        )
        for group, category in enumerate([None, *categories]):
            if counts[1][group] and disclosable[group]:
                names = ("exposure", "catalogue", "train_events")
                values = {name: float(share[group]) for name, share in zip(names, shares, strict=True)}
                rows.append({"system": system, "category": category, **values})
    return rows
