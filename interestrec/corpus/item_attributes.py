"""What else is known of an item, as small integer codes: its category, its price, its age.

Everything is fitted on train: on items with a positive train event. A code is 0 where the value is missing (or, for a
category, unknown) and counts from 1 otherwise; a missing value is a code of its own and is never filled in. `fit_…`
gives what was fitted as JSON values, `…_codes` needs nothing else to give any item its code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from interestrec.core.errors import DataError
from interestrec.corpus.categories import SEPARATOR
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.io.schemas import TRAIN

_FEWEST_PRICES = 20  # of a category; with fewer the whole log's mean and deviation are used
_FEWEST_ITEMS = 2  # of a category: what is learned of a single item would not be about the category
_MICROSECONDS_A_DAY = 86_400_000_000
_Fitted: TypeAlias = tuple[
    np.ndarray, tuple[int, ...], dict[str, Any]
]  # codes, sizes of their columns, what was fitted


@dataclass(frozen=True)
class ItemFeatures:
    """What the codes are made of."""

    category: np.ndarray  # object [items], a path `sports/football` or None
    price: np.ndarray  # float64 [items], NaN where there is none
    published: np.ndarray  # int64 [items], microseconds since 1970 UTC, NO_TIME where there is none
    item_id: np.ndarray  # object [items]
    events: np.ndarray  # int64 [items], positive train events
    end: int  # time of the last train event in microseconds, NO_TIME when no event has a time

    @property
    def liked(self) -> np.ndarray:
        """bool [items], with a positive train event."""
        return self.events > 0


@dataclass(frozen=True)
class ItemAttributes:
    """Codes of all items. An attribute has one column or, as the category's levels, several."""

    codes: np.ndarray  # int32 [items, columns]
    sizes: tuple[tuple[str, tuple[int, ...]], ...]  # (attribute, number of codes of each of its columns), in order
    fitted: dict[str, Any]  # by attribute, as JSON values


def attributes(corpus: Corpus, wanted: dict[str, int], known: Mapping[str, Any] | None = None) -> ItemAttributes:
    """Fit the wanted attributes on a corpus's train split, and the codes of all its items.

    Args:
        wanted: `price` or `age` with its number of buckets, `id` with the fewest events of an item that gets a code
            of its own, `category` with 0.
        known: take what was fitted for another model, by attribute, so that codes mean what they meant to it.

    Raises:
        DataError: no item with a positive train event has the attribute.
    """
    facts = _facts(corpus)
    columns, sizes, fitted = [np.zeros((len(facts.liked), 0), np.int32)], [], {}
    for name, buckets in wanted.items():
        codes, counts, fitted[name] = _ATTRIBUTES[name](facts, buckets, (known or {}).get(name))
        if known is None and not codes[facts.liked].any():
            raise DataError(f"{corpus.path}: no item of train has a known {name}; take '{name}' out of items.fields")
        columns.append(codes)
        sizes.append((name, counts))
    return ItemAttributes(np.concatenate(columns, axis=1), tuple(sizes), fitted)


def fit_category(category: np.ndarray, liked: np.ndarray) -> dict[str, Any]:
    """The names that at least 2 liked items have, by level: {"levels": [first parts, whole paths]}, each sorted.

    Args:
        category: object [items], a path or None.
        liked: bool [items].
    """
    levels = []
    for names in _levels(category[liked]):
        found, counts = np.unique([name for name in names if name is not None], return_counts=True)
        levels.append([str(name) for name, count in zip(found, counts, strict=True) if count >= _FEWEST_ITEMS])
    return {"levels": levels}


def known_category_codes(category: np.ndarray, fitted: dict[str, Any]) -> np.ndarray:
    """int32 [items, 2], 1 + the name's place in its level of `fit_category`, 0 where it is not there."""
    columns = []
    for names, known in zip(_levels(category), fitted["levels"], strict=True):
        place = {name: number for number, name in enumerate(known, 1)}
        columns.append(np.array([place.get(name, 0) for name in names], np.int32))
    return np.stack(columns, axis=1)


def fit_price(price: np.ndarray, category: np.ndarray, liked: np.ndarray, buckets: int) -> dict[str, Any]:
    """What turns a price into a bucket: {"mean", "deviation", "categories": {name: the same two}, "edges"}.

    z = (log(1 + price) - m_c) / s_c, m_c and s_c the mean and the deviation (divisor n) in the item's category, by
    the first part of its path. 1 + price lets a price of 0 be a price. Edges are quantiles of z.

    Args:
        price: float64 [items], missing where not finite or below 0.
        category: object [items], a path or None.
        liked: bool [items]; only these items are looked at.
        buckets: most buckets.
    """
    used = liked & _has(price)
    logs, firsts = np.log1p(price[used]), _levels(category[used])[0]
    whole = _moments(logs, 1.0)
    categories = {}
    for name in sorted({first for first in firsts if first is not None}):
        inside = logs[firsts == name]
        if len(inside) >= _FEWEST_PRICES:
            categories[name] = _moments(inside, whole["deviation"])
    fitted = {**whole, "categories": categories}
    return {**fitted, "edges": quantile_edges(_standardised(price[used], category[used], fitted), buckets)}


def price_codes(price: np.ndarray, category: np.ndarray, fitted: dict[str, Any]) -> np.ndarray:
    """int32 [items], 0 for a missing price; arguments as `fit_price` takes and gives them."""
    known = _has(price)
    z = _standardised(np.where(known, price, 0.0), category, fitted)
    return np.where(known, _bucket(z, fitted["edges"]), 0).astype(np.int32)


def fit_age(published: np.ndarray, liked: np.ndarray, end: int, buckets: int) -> dict[str, Any]:
    """What turns a time of publication into a bucket: {"reference": ISO 8601 UTC, "edges": quantiles in days}.

    Args:
        published: int64 [items], microseconds, NO_TIME where missing.
        liked: bool [items]; only these items are looked at.
        end: microseconds that ages are counted back from.
        buckets: most buckets.
    """
    ages = _days(published[liked & (published != NO_TIME)], end)
    return {"reference": str(np.datetime64(end, "us")), "edges": quantile_edges(ages, buckets)}


def age_codes(published: np.ndarray, fitted: dict[str, Any]) -> np.ndarray:
    """int32 [items], 1 for the newest, 0 for no time of publication; arguments as `fit_age` takes and gives them."""
    end = int(np.datetime64(fitted["reference"], "us").astype(np.int64))
    known = published != NO_TIME
    ages = _days(np.where(known, published, end), end)
    return np.where(known, _bucket(ages, fitted["edges"]), 0).astype(np.int32)


def fit_id(item_id: np.ndarray, events: np.ndarray, fewest: int) -> dict[str, Any]:
    """The items that are told by themselves: {"items": ids with at least `fewest` events, sorted}.

    Args:
        item_id: object [items].
        events: int64 [items], positive train events.
    """
    return {"items": sorted(map(str, item_id[events >= fewest]))}


def id_codes(item_id: np.ndarray, fitted: dict[str, Any]) -> np.ndarray:
    """int32 [items], 1 + the id's place in `fit_id`, 0 where it is not there."""
    place = {name: number for number, name in enumerate(fitted["items"], 1)}
    return np.array([place.get(str(name), 0) for name in item_id], np.int32)


def quantile_edges(values: np.ndarray, buckets: int) -> list[float]:
    """Ascending edges of at most `buckets` buckets of about equally many values; the lowest is never empty.

    Values that are no more than the buckets get one each: quantiles of few, uneven values would merge some.

    Args:
        values: float64 [n].
    """
    distinct = np.unique(values)
    if len(distinct) <= buckets:
        return [float(edge) for edge in (distinct[1:] + distinct[:-1]) / 2]
    edges = np.unique(np.quantile(values, np.arange(1, buckets) / buckets))
    return [float(edge) for edge in edges if edge > distinct[0]]


def _facts(corpus: Corpus) -> ItemFeatures:
    items, timelines = corpus.items, corpus.timelines
    train = timelines.split == TRAIN
    positive = timelines.item[train & (timelines.intensity > 0)]
    return ItemFeatures(
        category=np.array(items["category"].to_pylist(), object),
        price=items["price"].to_numpy().astype(np.float64),
        published=items["published"].cast(pa.int64()).fill_null(NO_TIME).to_numpy(),
        item_id=np.array(items["item_id"].to_pylist(), object),
        events=np.bincount(positive, minlength=items.num_rows),
        end=int(timelines.time[train].max(initial=NO_TIME)),  # NO_TIME is below every time
    )


def _category(facts: ItemFeatures, buckets: int, known: dict[str, Any] | None) -> _Fitted:
    fitted = known or fit_category(facts.category, facts.liked)
    sizes = tuple(1 + len(names) for names in fitted["levels"])
    return known_category_codes(facts.category, fitted), sizes, fitted


def _price(facts: ItemFeatures, buckets: int, known: dict[str, Any] | None) -> _Fitted:
    fitted = known or fit_price(facts.price, facts.category, facts.liked, buckets)
    return price_codes(facts.price, facts.category, fitted)[:, None], (2 + len(fitted["edges"]),), fitted


def _age(facts: ItemFeatures, buckets: int, known: dict[str, Any] | None) -> _Fitted:
    # Without any time in train every age is unknown, whatever day ages are counted back from.
    published = facts.published if facts.end != NO_TIME else np.full_like(facts.published, NO_TIME)
    fitted = known or fit_age(published, facts.liked, max(facts.end, 0), buckets)
    return age_codes(published, fitted)[:, None], (2 + len(fitted["edges"]),), fitted


def _id(facts: ItemFeatures, events: int, known: dict[str, Any] | None) -> _Fitted:
    fitted = known or fit_id(facts.item_id, facts.events, events)
    return id_codes(facts.item_id, fitted)[:, None], (1 + len(fitted["items"]),), fitted


_ATTRIBUTES = {"category": _category, "price": _price, "age": _age, "id": _id}


def _levels(category: np.ndarray) -> list[np.ndarray]:
    """Names at each level, object [items] each: the first part of the path, and all of it; None where none."""
    firsts = np.empty(len(category), object)
    firsts[:] = [None if path is None else path.split(SEPARATOR, 1)[0] for path in category]
    return [firsts, category]


def _has(price: np.ndarray) -> np.ndarray:
    return np.isfinite(price) & (price >= 0)


def _moments(logs: np.ndarray, without: float) -> dict[str, float]:
    """Mean and deviation; `without` is the deviation of equal values, so that a new price can be told from theirs."""
    if len(logs) == 0:
        return {"mean": 0.0, "deviation": without}
    deviation = float(logs.std()) if np.ptp(logs) > 0 else without
    return {"mean": float(logs.mean()), "deviation": deviation}


def _standardised(price: np.ndarray, category: np.ndarray, fitted: dict[str, Any]) -> np.ndarray:
    moments = [fitted["categories"].get(first, fitted) for first in _levels(category)[0]]
    mean = np.array([m["mean"] for m in moments], np.float64)
    return (np.log1p(price) - mean) / np.array([m["deviation"] for m in moments], np.float64)


def _days(published: np.ndarray, end: int) -> np.ndarray:
    """Age in days; what is published later is as new as can be: 0."""
    return np.maximum((end - published) / _MICROSECONDS_A_DAY, 0.0)


def _bucket(values: np.ndarray, edges: list[float]) -> np.ndarray:
    return 1 + np.searchsorted(np.array(edges, np.float64), values, side="right")
