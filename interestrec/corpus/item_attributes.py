"""Attributes of items as small integer codes: category, price, age and id of every corpus, and kept columns.

Attributes are fitted on the items with a positive train event. A code is 0 where the value is missing (or, for a
category, unknown) and counts from 1 otherwise; a missing value has its own code and is never imputed. `fit_…` returns
the fitted parameters as JSON values, and `…_codes` computes the code of any item from them alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.corpus.categories import SEPARATOR
from interestrec.corpus.feature_codes import FeatureCodes, FeatureShape, FittedFeatures
from interestrec.corpus.item_settings import KINDS, AttributeField, IdField
from interestrec.corpus.own_features import fit_fields, fit_own, kept_column
from interestrec.corpus.own_fields import NumberField, OwnField
from interestrec.corpus.quantile_buckets import bucket_codes, quantile_edges
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.io.schemas import TRAIN

_MIN_PRICES = 20  # per category; with fewer the mean and deviation of all items are used
_MIN_ITEMS = 2  # per category: a vector learned from a single item would describe the item
_MICROSECONDS_PER_DAY = 86_400_000_000


@dataclass(frozen=True)
class ItemFeatures:
    """Values of the items that the codes are computed from."""

    category: np.ndarray  # object [items], a path `sports/football` or None
    price: np.ndarray  # float64 [items], NaN where there is none
    published: np.ndarray  # int64 [items], microseconds since 1970 UTC, NO_TIME where there is none
    item_id: np.ndarray  # object [items]
    events: np.ndarray  # int64 [items], positive train events
    end: int  # time of the last train event in microseconds, NO_TIME when no event has a time

    @property
    def is_positive(self) -> np.ndarray:
        """bool [items], whether an item has a positive train event."""
        return self.events > 0


def fit_attributes(
    corpus: Corpus, fields: Sequence[AttributeField], fitted_before: Mapping[str, Any] | None = None
) -> FittedFeatures:
    """Fit fields of items on the train split of a corpus and compute the codes of all its items.

    Args:
        fitted_before: parameters by field, fitted for another model, to be used as they are, so that codes keep their
            meaning.

    Raises:
        ConfigError: the corpus has no column that a field reads, or values of another kind in it.
        DataError: no item with a positive train event has the attribute.
    """
    items = _item_features(corpus)

    def fit(field: AttributeField, before: dict[str, Any] | None) -> FeatureCodes:
        if isinstance(field, OwnField) and field.name not in KINDS:
            column = kept_column(corpus.items, field, corpus.item_attributes, "items")
            return fit_own(field, column, items.is_positive, before)
        return _ATTRIBUTES[field.name](items, field, before)

    return fit_fields(corpus.path, "item", fields, fit, items.is_positive, fitted_before)


def fit_category(category: np.ndarray, is_positive: np.ndarray) -> dict[str, Any]:
    """Return the categories that at least 2 items have, by level: {"levels": [first parts, complete paths]}, sorted.

    Args:
        category: object [items], a path or None.
        is_positive: bool [items].
    """
    levels = []
    for names in _levels(category[is_positive]):
        unique, counts = np.unique([name for name in names if name is not None], return_counts=True)
        levels.append([str(name) for name, count in zip(unique, counts, strict=True) if count >= _MIN_ITEMS])
    return {"levels": levels}


def known_category_codes(category: np.ndarray, fitted: dict[str, Any]) -> np.ndarray:
    """Return int32 [items, 2], 1 + the position of a category in its level of `fit_category`, 0 where it has none."""
    columns = []
    for names, known in zip(_levels(category), fitted["levels"], strict=True):
        position = {name: number for number, name in enumerate(known, 1)}
        columns.append(np.array([position.get(name, 0) for name in names], np.int32))
    return np.stack(columns, axis=1)


def fit_price(price: np.ndarray, category: np.ndarray, is_positive: np.ndarray, buckets: int) -> dict[str, Any]:
    """Return the parameters of price buckets: {"mean", "deviation", "categories": {name: the same two}, "edges"}.

    z = (log(1 + price) - m_c) / s_c, where m_c and s_c are the mean and the deviation (divisor n) in the first part of
    the item's category path. Adding 1 allows a price of 0. Edges are quantiles of z.

    Args:
        price: float64 [items], missing where not finite or below 0.
        category: object [items], a path or None.
        is_positive: bool [items]; only these items are used.
        buckets: maximum number of buckets.
    """
    selected = is_positive & _has_price(price)
    logs, top_categories = np.log1p(price[selected]), _levels(category[selected])[0]
    overall = _moments(logs, 1.0)
    categories = {}
    for name in sorted({top_category for top_category in top_categories if top_category is not None}):
        category_logs = logs[top_categories == name]
        if len(category_logs) >= _MIN_PRICES:
            categories[name] = _moments(category_logs, overall["deviation"])
    fitted = {**overall, "categories": categories}
    return {**fitted, "edges": quantile_edges(_standardised(price[selected], category[selected], fitted), buckets)}


def price_codes(price: np.ndarray, category: np.ndarray, fitted: dict[str, Any]) -> np.ndarray:
    """Return int32 [items], 0 for a missing price; the arguments are those and the result of `fit_price`."""
    known = _has_price(price)
    z = _standardised(np.where(known, price, 0.0), category, fitted)
    return np.where(known, bucket_codes(z, fitted["edges"]), 0).astype(np.int32)


def fit_age(published: np.ndarray, is_positive: np.ndarray, end: int, buckets: int) -> dict[str, Any]:
    """Return the parameters of age buckets: {"reference": ISO 8601 UTC, "edges": quantiles in days}.

    Args:
        published: int64 [items], microseconds, NO_TIME where missing.
        is_positive: bool [items]; only these items are used.
        end: reference time of ages in microseconds.
        buckets: maximum number of buckets.
    """
    ages = _days(published[is_positive & (published != NO_TIME)], end)
    return {"reference": str(np.datetime64(end, "us")), "edges": quantile_edges(ages, buckets)}


def age_codes(published: np.ndarray, fitted: dict[str, Any]) -> np.ndarray:
    """Return int32 [items], 1 for the newest, 0 without a time of publication; `fitted` is the result of `fit_age`."""
    end = int(np.datetime64(fitted["reference"], "us").astype(np.int64))
    known = published != NO_TIME
    ages = _days(np.where(known, published, end), end)
    return np.where(known, bucket_codes(ages, fitted["edges"]), 0).astype(np.int32)


def fit_id(item_id: np.ndarray, events: np.ndarray, min_events: int) -> dict[str, Any]:
    """Return the items that get their own codes: {"items": ids with at least `min_events` events, sorted}.

    Args:
        item_id: object [items].
        events: int64 [items], positive train events.
    """
    return {"items": sorted(map(str, item_id[events >= min_events]))}


def id_codes(item_id: np.ndarray, fitted: dict[str, Any]) -> np.ndarray:
    """Return int32 [items], 1 + the position of an id in `fit_id`, 0 where it has none."""
    position = {name: number for number, name in enumerate(fitted["items"], 1)}
    return np.array([position.get(str(name), 0) for name in item_id], np.int32)


def _item_features(corpus: Corpus) -> ItemFeatures:
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


def _category(features: ItemFeatures, field: AttributeField, fitted_before: dict[str, Any] | None) -> FeatureCodes:
    fitted = fitted_before or fit_category(features.category, features.is_positive)
    shape = FeatureShape("category", tuple(1 + len(names) for names in fitted["levels"]))
    return FeatureCodes(shape, known_category_codes(features.category, fitted), fitted)


def _price(features: ItemFeatures, field: AttributeField, fitted_before: dict[str, Any] | None) -> FeatureCodes:
    assert isinstance(field, NumberField)
    price, category = features.price, features.category
    fitted = fitted_before or fit_price(price, category, features.is_positive, field.buckets)
    shape = FeatureShape("price", (2 + len(fitted["edges"]),))
    return FeatureCodes(shape, price_codes(price, category, fitted)[:, None], fitted)


def _age(features: ItemFeatures, field: AttributeField, fitted_before: dict[str, Any] | None) -> FeatureCodes:
    assert isinstance(field, NumberField)
    # Without any time in train every age is unknown, so the reference time is arbitrary.
    published = features.published if features.end != NO_TIME else np.full_like(features.published, NO_TIME)
    fitted = fitted_before or fit_age(published, features.is_positive, max(features.end, 0), field.buckets)
    shape = FeatureShape("age", (2 + len(fitted["edges"]),))
    return FeatureCodes(shape, age_codes(published, fitted)[:, None], fitted)


def _id(features: ItemFeatures, field: AttributeField, fitted_before: dict[str, Any] | None) -> FeatureCodes:
    assert isinstance(field, IdField)
    fitted = fitted_before or fit_id(features.item_id, features.events, field.events)
    shape = FeatureShape("id", (1 + len(fitted["items"]),))
    return FeatureCodes(shape, id_codes(features.item_id, fitted)[:, None], fitted)


_Fit = Callable[[ItemFeatures, AttributeField, dict[str, Any] | None], FeatureCodes]
_ATTRIBUTES: dict[str, _Fit] = {"category": _category, "price": _price, "age": _age, "id": _id}


def _levels(category: np.ndarray) -> list[np.ndarray]:
    """Return the names at each level, object [items] each: first part and complete path; None without a category."""
    firsts = np.empty(len(category), object)
    firsts[:] = [None if path is None else path.split(SEPARATOR, 1)[0] for path in category]
    return [firsts, category]


def _has_price(price: np.ndarray) -> np.ndarray:
    return np.isfinite(price) & (price >= 0)


def _moments(logs: np.ndarray, default: float) -> dict[str, float]:
    """Return mean and deviation; `default` replaces a deviation of 0, so that a new price can differ."""
    if len(logs) == 0:
        return {"mean": 0.0, "deviation": default}
    deviation = float(logs.std()) if np.ptp(logs) > 0 else default
    return {"mean": float(logs.mean()), "deviation": deviation}


def _standardised(price: np.ndarray, category: np.ndarray, fitted: dict[str, Any]) -> np.ndarray:
    moments = [fitted["categories"].get(first, fitted) for first in _levels(category)[0]]
    mean = np.array([m["mean"] for m in moments], np.float64)
    return (np.log1p(price) - mean) / np.array([m["deviation"] for m in moments], np.float64)


def _days(published: np.ndarray, end: int) -> np.ndarray:
    """Return the age in days, 0 for items published after `end`."""
    return np.maximum((end - published) / _MICROSECONDS_PER_DAY, 0.0)
