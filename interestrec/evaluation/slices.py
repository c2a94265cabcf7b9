"""Slices: parts of the lists, by users or by items, that are evaluated separately."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.evaluation.population import Population
from interestrec.io import schemas

ALL, WARM, COLD_USERS, COLD_ITEMS = "all", "warm_users", "cold_users", "cold_items"
PAIR_SEEN, PAIR_NEW = "pair:seen", "pair:new"
MIN_LISTS = 20  # lists of a slice that is reported
MIN_ATTRIBUTE_USERS = 30  # users of an attribute's value that becomes a slice
MAX_CATEGORIES = 8
MAX_CODES = 12  # distinct numbers of an attribute up to which they are codes, not amounts


@dataclass(frozen=True)
class Slice:
    """A part of the lists.

    `members` are, depending on `by`: the users of the lists; items of which a list has a relevant one; the items to
    which candidates and truth are restricted; or the relevant pairs of a list and an item that are left in the lists.
    Slices of one family partition the users and are compared.
    """

    name: str
    by: Literal["users", "relevant", "candidates", "pairs"]
    members: np.ndarray  # bool [users], [items] or [relevant pairs]
    family: str | None = None

    @property
    def has_other_lists(self) -> bool:
        """Whether its lists are shorter than those of all slices, so that its values are no part of theirs."""
        return self.by in ("candidates", "pairs")


def warmth(population: Population) -> Iterator[Slice]:
    """`warm_users` have a train or valid event or a history at request time; `cold_users` have neither."""
    yield Slice(WARM, "users", population.warm)
    yield Slice(COLD_USERS, "users", ~population.warm)


def activity(population: Population) -> Iterator[Slice]:
    """`activity_1` … `activity_4`: quartiles of the users by the length of their history, shortest first."""
    for number, members in enumerate(_quarters(np.diff(population.past.offsets).astype(np.float64)), 1):
        yield Slice(f"activity_{number}", "users", members, "activity")


def attributes(population: Population) -> Iterator[Slice]:
    """`<column>=<value>` for every attribute of the corpus's users; numbers by quartiles, `<column>=q1` … `q4`.

    A number with at most 12 distinct values is a code, such as that of an occupation, and is treated as a value.
    """
    for name in population.users.column_names:
        if name in schemas.USERS.names:
            continue
        column = population.users[name]
        dtype = column.type
        if (pa.types.is_integer(dtype) or pa.types.is_floating(dtype)) and pc.count_distinct(
            column
        ).as_py() > MAX_CODES:
            parts = enumerate(_quarters(column.cast(pa.float64()).to_numpy()), 1)
            members_by_value = {f"q{number}": members for number, members in parts}
        elif pa.types.is_temporal(dtype) or pa.types.is_nested(dtype):
            continue  # times and lists have no values that users share
        else:
            texts = column.cast(pa.string())
            values = sorted(pc.unique(texts.drop_null()).to_pylist())
            members_by_value = {value: pc.fill_null(pc.equal(texts, value), False).to_numpy() for value in values}
        for value, members in members_by_value.items():
            if members.sum() >= MIN_ATTRIBUTE_USERS:
                yield Slice(f"{name}={value}", "users", members, name)


def categories(population: Population) -> Iterator[Slice]:
    """`category=<name>`: lists with a relevant item of one of the 8 most frequent categories of the test truth."""
    code = population.category[population.relevant_items]
    counts = np.bincount(code[code >= 0], minlength=len(population.categories))
    for number in np.argsort(-counts, kind="stable")[:MAX_CATEGORIES].tolist():
        if counts[number]:
            yield Slice(f"category={population.categories[number]}", "relevant", population.category == number)


def scripts(population: Population) -> Iterator[Slice]:
    """`script=<name>`: lists with a relevant item whose title is mostly in this script, if there are several."""
    yield from _by_value("script", population.script, population.relevant_items)


def item_values(population: Population) -> Iterator[Slice]:
    """`<column>=<value>`: lists with a relevant item of this value, for each attribute of `evaluate.item_slices`."""
    for name, values in population.item_values.items():
        yield from _by_value(name, values, population.relevant_items)


def cold_items(population: Population) -> Iterator[Slice]:
    """`cold_items`: only items without a positive event and outside all histories in train and valid are ranked."""
    yield Slice(COLD_ITEMS, "candidates", population.cold)


SLICES: dict[str, Callable[[Population], Iterator[Slice]]] = {
    "warmth": warmth,
    "activity": activity,
    "attributes": attributes,
    "categories": categories,
    "scripts": scripts,
    "item_values": item_values,
    "cold_items": cold_items,
}


def all_slices(population: Population) -> list[Slice]:
    """Return every non-empty slice of the corpus; the slices do not depend on any system."""
    return [part for make in SLICES.values() for part in make(population) if part.members.any()]


def parts_of_items(slices: list[Slice], n_items: int) -> list[np.ndarray]:
    """Return the slices by relevant items of each item as partitions: int64 [items] each, −1 for none.

    Slices that share no item are in one partition, as all categories are.
    """
    partitions: list[np.ndarray] = []
    for number, part in enumerate(part for part in slices if part.by == "relevant"):
        free = (place for place in partitions if (place[part.members] < 0).all())
        partition = next(free, None)
        if partition is None:
            partition = np.full(n_items, -1, dtype=np.int64)
            partitions.append(partition)
        partition[part.members] = number
    return partitions


def _by_value(name: str, values: np.ndarray, relevant_items: np.ndarray) -> Iterator[Slice]:
    """Yield the slices of the most frequent values of relevant items, if there are several; None is no value.

    Args:
        values: object [items], str or None.
        relevant_items: the item of each relevant pair of the test truth.
    """
    counts = Counter(value for value in values[relevant_items].tolist() if value is not None)
    if len(counts) > 1:
        for value, _ in sorted(counts.most_common(), key=lambda pair: (-pair[1], pair[0]))[:MAX_CATEGORIES]:
            yield Slice(f"{name}={value}", "relevant", values == value)


def _quarters(value: np.ndarray) -> list[np.ndarray]:
    """Split users at the quartiles of a number, lowest first; equal numbers stay together, NaN is in no part."""
    known = ~np.isnan(value)
    if not known.any():
        return []
    edges = np.quantile(value[known], [0.25, 0.5, 0.75])
    quarter = np.searchsorted(edges, value, side="left")
    return [known & (quarter == number) for number in range(4)]
