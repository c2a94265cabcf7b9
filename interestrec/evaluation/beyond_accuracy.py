"""Beyond accuracy: the first ten of every user's list over the whole catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import sparse

from interestrec.core import ragged
from interestrec.core.small_groups import distinct_users, is_disclosable
from interestrec.corpus.categories import SEPARATOR
from interestrec.corpus.store import Corpus
from interestrec.evaluation.list_metrics import SystemLists, sub_lists
from interestrec.evaluation.metric_sums import BEYOND, MetricSums, WholeCell, list_cells
from interestrec.evaluation.population import PastEvents, Population, distinct, train_users
from interestrec.evaluation.slices import ALL
from interestrec.io.schemas import TRAIN
from interestrec.metrics import list_diversity

K = 10
PER_LIST = ("novelty", "diversity", "category_calibration", "popularity_lift")
OVER_ALL = {"coverage": list_diversity.coverage, "gini": list_diversity.gini}  # one figure of all lists together
NAMES = (*PER_LIST, *OVER_ALL)


@dataclass(frozen=True)
class BeyondItems:
    """What is held against the lists."""

    had: np.ndarray  # int64 [items], train users who had the item
    n_users: int  # with a positive train event
    events: np.ndarray  # int64 [items], positive train events
    fans: np.ndarray  # int64 [categories + 1], train users of a category, the first of items without
    category: np.ndarray  # int32 [items]
    features: sparse.csr_array  # bool [items, features]


def beyond_items(corpus: Corpus, facts: Population) -> BeyondItems:
    """The items as train knew them. Features of an item are the tokens of its title and the parts of its category path;
    they come from the corpus, not from a model, so that no system is judged by its own idea of likeness."""
    had, n_users = train_users(corpus)
    events = corpus.timelines
    chosen = (events.split == TRAIN) & corpus.relevant(events.intensity)
    groups = len(facts.categories) + 1
    return BeyondItems(
        had=had,
        n_users=n_users,
        events=np.bincount(events.item[chosen], minlength=corpus.items.num_rows),
        fans=distinct_users(facts.category[events.item[chosen]] + 1, events.user[chosen], groups),
        category=facts.category,
        features=item_features(corpus.text_features["title_tokens"], corpus.items["category"]),
    )


def item_features(title_tokens: pa.ChunkedArray, category: pa.ChunkedArray) -> sparse.csr_array:
    """bool [items, features]: title tokens, and the first one, two … parts of the category path."""
    tokens = title_tokens.combine_chunks()
    token = tokens.flatten().to_numpy()
    rows, columns = [ragged.owner(tokens.offsets.to_numpy())], [token.astype(np.int64)]
    first_free = int(token.max(initial=-1)) + 1
    known: dict[str, int] = {}
    encoded = category.combine_chunks().dictionary_encode()
    paths = [path.split(SEPARATOR) for path in encoded.dictionary.to_pylist()]
    place = encoded.indices.fill_null(-1).to_numpy()
    for level in range(max(map(len, paths), default=0)):
        named = [SEPARATOR.join(parts[: level + 1]) if level < len(parts) else None for parts in paths]
        codes = np.array([-1 if name is None else known.setdefault(name, len(known)) for name in named] + [-1])
        code = codes[place]  # an item without a category finds the last
        rows.append(np.flatnonzero(code >= 0))
        columns.append(first_free + code[code >= 0])
    row, column = np.concatenate(rows), np.concatenate(columns)
    shape = (len(tokens), first_free + len(known))
    cell = distinct(row * max(shape[1], 1) + column)  # a token that stands twice in a title is one feature
    row, column = np.divmod(cell, max(shape[1], 1))
    return sparse.csr_array((np.ones(len(cell), dtype=np.int32), (row, column)), shape=shape)


@dataclass
class TopLists:
    """What one system shows, added block by block."""

    items: BeyondItems
    exposure: np.ndarray = field(init=False)  # int64 [items], lists that hold the item
    served: np.ndarray = field(init=False)  # int64 [categories + 1], lists that hold an item of it
    listed: SystemLists = field(default_factory=lambda: SystemLists(PER_LIST))

    def __post_init__(self) -> None:
        self.exposure = np.zeros(len(self.items.had), dtype=np.int64)
        self.served = np.zeros(len(self.items.fans), dtype=np.int64)

    def add(self, user: np.ndarray, offsets: np.ndarray, item: np.ndarray, rank: np.ndarray, past: PastEvents) -> None:
        """More lists.

        Args:
            user: int64 [lists].
            offsets, item, rank: the stored lists; what stands beyond the tenth rank is not looked at.
            past: the histories of all users.
        """
        kept = rank <= K
        user, offsets = sub_lists(user, offsets, kept)
        item = item[kept]
        self.exposure += np.bincount(item, minlength=len(self.exposure))
        history, known = past.of(user), self.items
        owner = ragged.owner(offsets)
        self.served += distinct_users(known.category[item] + 1, owner, len(self.served))
        values = [
            list_diversity.novelty(offsets, item, known.had, known.n_users),
            list_diversity.diversity(offsets, item, known.features),
            list_diversity.category_calibration(offsets, item, history.offsets, history.item, known.category),
            list_diversity.popularity_lift(offsets, item, history.offsets, history.item, known.had.astype(np.float64)),
        ]
        self.listed.add(user, np.stack(values))


def beyond_cells(shown: Sequence[TopLists], n_users: int) -> tuple[list[MetricSums], list[WholeCell]]:
    """Means over lists with intervals; coverage and Gini, which are figures of all lists together, without."""
    n = np.array([len(one.listed.user) for one in shown])
    singles = [
        WholeCell(
            BEYOND, ALL, name, np.array([measure(one.exposure) for one in shown]), n, np.zeros_like(n), int(n.max())
        )
        for name, measure in OVER_ALL.items()
    ]
    return list_cells(BEYOND, [one.listed for one in shown], n_users).cells, singles


def concatenate(several: Sequence[Mapping[str, TopLists]]) -> dict[str, TopLists]:
    """What systems show with several seeds, exposures added up; the lists are not kept."""
    pooled = {system: TopLists(one.items) for system, one in several[0].items()}
    for shown in several:
        for system, one in shown.items():
            pooled[system].exposure += one.exposure
            pooled[system].served = np.maximum(pooled[system].served, one.served)
    return pooled


def exposure_rows(shown: Mapping[str, TopLists], categories: Sequence[str], least: int = 1) -> list[dict[str, Any]]:
    """Rows of schemas.EXPOSURE: each category's share of what is shown, of the catalogue and of the train events.

    Args:
        least: users that must be behind a share, and behind what the shares leave of the whole.
    """
    rows = []
    for system, one in shown.items():
        groups = one.items.category + 1  # 0: items without a category
        counted = [
            np.bincount(groups, weight, minlength=len(categories) + 1)
            for weight in (one.exposure, np.ones(len(groups)), one.items.events)
        ]
        shares = [count / max(count.sum(), 1) for count in counted]
        fit = is_disclosable(one.served, least) & is_disclosable(one.items.fans, least)
        for group, category in enumerate([None, *categories]):
            if counted[1][group] and fit[group]:
                names = ("exposure", "catalogue", "train_events")
                values = {name: float(share[group]) for name, share in zip(names, shares, strict=True)}
                rows.append({"system": system, "category": category, **values})
    return rows
