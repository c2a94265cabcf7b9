"""Growth of two-tower models by items and users that came after their training; nothing learned changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interestrec.corpus.moments import Moments
from interestrec.model.two_tower_arrays import TwoTowerArrays
from interestrec.model.two_tower_config import ItemArrays, ItemCodes
from interestrec.scorers.two_tower_model import TwoTowerModel
from interestrec.scorers.user_inputs import ItemUserInputs, KnownUsers


@dataclass(frozen=True)
class NewItems:
    """Items that a model has not seen: the vectors of their texts by its encoder, and their codes."""

    vectors: np.ndarray  # float32 [new items, text width]
    codes: ItemCodes


def grown_models(
    models: Sequence[TwoTowerModel],
    paths: Sequence[Path],
    items: Sequence[NewItems] | None,
    users: np.ndarray,
    moments: Moments,
) -> list[TwoTowerModel]:
    """Return models that know new items and users, and the counters of now.

    Args:
        models: that represent users by the items of their histories.
        paths: directories of the models, from which the towers of new items are built.
        items: new items for each model; None = there are none, and TensorFlow is not loaded.
        users: int32 [users, columns], packed features of all users.
        moments: of all items and users.
    """
    grown = []
    for n, model in enumerate(models):
        arrays = model.items if items is None else _appended(model.items, paths[n], items[n])
        config = model.model.config
        histories = ItemUserInputs(arrays, config.max_history, KnownUsers(users, moments))
        tower = TwoTowerArrays(config, model.model.weights, arrays)
        grown.append(TwoTowerModel(tower, histories, moments, model.calibration, model.task_calibrations))
    return grown


def prices_of_new(prices: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Return the standardised log prices of new items by the scale of those of the model; float32 [new items].

    The scale is read off two items of the model with different prices; with fewer, a price says nothing, NaN.

    Args:
        prices: float32 [items of the model], standardised, NaN where unknown.
        logs: float32 [items of the model + new items], log prices, NaN where unknown.
    """
    old, new = logs[: len(prices)], logs[len(prices) :]
    known = np.flatnonzero(np.isfinite(prices) & np.isfinite(old))
    if not len(known) or np.ptp(old[known]) == 0:
        return np.full(len(new), np.nan, np.float32)
    low, high = known[np.argmin(old[known])], known[np.argmax(old[known])]
    slope = (float(prices[high]) - float(prices[low])) / (float(old[high]) - float(old[low]))
    return (float(prices[low]) + slope * (new - old[low])).astype(np.float32)


def _appended(items: ItemArrays, path: Path, new: NewItems) -> ItemArrays:
    from interestrec.model.two_tower_files import load_two_tower

    found = load_two_tower(path).item_arrays(new.vectors, new.codes)
    return ItemArrays(*(np.concatenate(pair) for pair in zip(items, found, strict=True)))
