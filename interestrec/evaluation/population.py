"""Properties of the test users and of the items, from the corpus alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.core.choices import suggestion
from interestrec.core.errors import ConfigError
from interestrec.corpus.categories import SEPARATOR
from interestrec.corpus.store import Corpus
from interestrec.io.schemas import TEST, TRAIN
from interestrec.text.scripts import main_script


@dataclass(frozen=True)
class PastEvents:
    """Histories at request time, oldest event first; `item[offsets[u]:offsets[u + 1]]` is that of user u."""

    offsets: np.ndarray  # int64 [users + 1]
    item: np.ndarray  # int32 [total]

    def select(self, user: np.ndarray) -> "PastEvents":
        """Return the histories of these users."""
        offsets, rows = ragged.take(self.offsets, user)
        return PastEvents(offsets, self.item[rows])


@dataclass(frozen=True)
class Population:
    """The users with a test impression, in the order of the corpus, and all items of the corpus."""

    users: pa.Table  # schemas.USERS and attributes [users]
    past: PastEvents
    warm: np.ndarray  # bool [users], with a train or valid event or a history
    category: np.ndarray  # int32 [items], place in `categories`, −1 for none
    categories: list[str]  # first parts of the category paths
    cold: np.ndarray  # bool [items], no positive event and no place in a history in train and valid
    relevant_items: np.ndarray  # int64, the item of each relevant pair of the test truth
    script: np.ndarray  # object [items], main script of the title of relevant items, else None
    item_values: Mapping[str, np.ndarray]  # object [items] by attribute, str or None, that become slices


def describe_population(
    corpus: Corpus, user: np.ndarray, past: PastEvents, relevant_items: np.ndarray, item_slices: Sequence[str] = ()
) -> Population:
    """Return the population of these users.

    Args:
        user: int [users], rows of the corpus's users, ascending.
        past: the histories of these users.
        relevant_items: the item of each relevant pair of the test truth.
        item_slices: attributes of items whose values become slices.

    Raises:
        ConfigError: an attribute does not exist or holds lists.
    """
    events = corpus.timelines
    active = np.zeros(corpus.users.num_rows, dtype=bool)
    active[events.user[events.split < TEST]] = True
    category_number, names = first_categories(corpus.items["category"])
    return Population(
        users=corpus.users.take(pa.array(user)),
        past=past,
        warm=active[user] | (np.diff(past.offsets) > 0),
        category=category_number,
        categories=names,
        cold=corpus.cold_items(TEST),
        relevant_items=relevant_items,
        script=_scripts(corpus.items["title"], relevant_items),
        item_values={name: _item_values(corpus, name) for name in item_slices},
    )


def _scripts(titles: pa.ChunkedArray, relevant_items: np.ndarray) -> np.ndarray:
    found = np.full(len(titles), None, object)
    items = sorted_distinct(relevant_items)
    found[items] = [main_script(title) for title in titles.take(pa.array(items)).to_pylist()]
    return found


def _item_values(corpus: Corpus, name: str) -> np.ndarray:
    if name not in corpus.item_attributes:
        raise ConfigError(
            f"evaluate.item_slices: the corpus has no column '{name}' of items"
            f"{suggestion(name, corpus.item_attributes)}; list it in data.items.attributes and run preprocess"
        )
    column = corpus.items[name]
    if pa.types.is_nested(column.type):
        raise ConfigError(f"evaluate.item_slices: '{name}' holds lists, whose values are no slices; choose another")
    return np.array(column.cast(pa.string()).to_pylist(), object)


def first_categories(category: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Return category numbers, int32 [items], −1 for none, and the sorted first parts of the category paths."""
    first = pc.list_element(pc.split_pattern(category, SEPARATOR, max_splits=1), 0)
    names = sorted(pc.unique(first.drop_null()).to_pylist())
    category_number = pc.index_in(first, value_set=pa.array(names, pa.string()))
    return pc.fill_null(category_number, -1).to_numpy().astype(np.int32), names


def train_users(corpus: Corpus) -> tuple[np.ndarray, int]:
    """Count the users with a positive train event of each item, int64 [items], and those with any such event."""
    events = corpus.timelines
    positive = (events.split == TRAIN) & corpus.relevant(events.intensity)
    n_items = corpus.items.num_rows
    pairs = sorted_distinct(events.user[positive].astype(np.int64) * n_items + events.item[positive])
    return np.bincount(pairs % n_items, minlength=n_items), len(sorted_distinct(pairs // n_items))


def sorted_distinct(values: np.ndarray) -> np.ndarray:
    """Return the distinct values of int64 [n], ascending; np.unique hashes, which is several times slower here."""
    ordered = np.sort(values)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)]]
