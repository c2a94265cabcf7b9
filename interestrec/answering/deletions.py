"""What explanations are worth: how far the first item of a list falls without the events that are named as its reasons.

The deletion test of attributions (Samek et al. 2017, "Evaluating the visualization of what a deep neural network has
learned"), with events of a history in place of regions of a picture, against random events and against the events of
the largest attention weight.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from interestrec.answering.asked import Asked
from interestrec.answering.recommender import Recommender
from interestrec.answering.removals import Measured, RemovalSets, decision_of, leave_one_out, measure
from interestrec.core import ragged
from interestrec.io import schemas
from interestrec.io.schemas import BY_ATTENTION, BY_EFFECT, BY_RANDOM
from interestrec.scorers.requests import AttendsToHistory, Requests

REMOVED = (1, 2, 3, 5, 10)  # events, of histories that have more
_LEAST_HISTORY = 5  # events
_DRAWS = 5  # random orders per user


@dataclass(frozen=True)
class Orders:
    """Orders in which the events of histories are removed, the events of each request among its entries."""

    by: str  # BY_EFFECT, BY_ATTENTION or BY_RANDOM
    value: np.ndarray  # float64 [entries]; the largest value of a request is removed first, the latest among equal ones


def sampled_requests(requests: Requests, most: int, seed: int) -> Requests:
    """Return a random sample of at most `most` of the requests with at least five events, in their order."""
    long_enough = np.flatnonzero(np.diff(requests.offsets) >= _LEAST_HISTORY)
    chosen = np.random.default_rng(seed).permutation(long_enough)[:most]
    return requests.rows(np.sort(chosen))


def measure_deletions(recommender: Recommender, requests: Requests, seed: int) -> pa.Table:
    """Remove events from histories and score the first item of each list again; rows of schemas.DELETIONS.

    The orders are: by the effect of each event when it alone is left out; by the weight of the user tower's attention,
    if a component has one; and random ones, of which the mean is taken.

    Args:
        requests: of users of the log.
        seed: of the random orders.
    """
    if not len(requests):
        return schemas.DELETIONS.empty_table()
    asked = Asked(requests, np.full(len(requests.item), -1, np.int16), 1)
    first = recommender.recommend(asked)
    asked = asked.rows(first.request)
    requests, item = asked.requests, first.item[:, None]
    sets = leave_one_out(requests)
    effects = measure(recommender, asked, sets, item)
    is_complete = np.diff(sets.offsets) == 0
    complete = Measured(*(part[is_complete] for part in effects))
    drop = complete.score[sets.request[~is_complete], 0] - effects.score[~is_complete, 0]
    rng = np.random.default_rng(seed)
    orders = [Orders(BY_EFFECT, drop), *(Orders(BY_RANDOM, rng.random(len(drop))) for _ in range(_DRAWS))]
    if (attention := _attention(recommender, requests)) is not None:
        orders.append(Orders(BY_ATTENTION, attention))
    return _table(recommender, asked, item, complete, orders)


def _attention(recommender: Recommender, requests: Requests) -> np.ndarray | None:
    """Return the attention weights of history entries, float64 [entries]; None if no component attends to histories."""
    components = decision_of(recommender.ensemble).components.values()
    scorers = (recommender.ensemble.scorers[name] for name in components)
    weights = (scorer.history_attention(requests) for scorer in scorers if isinstance(scorer, AttendsToHistory))
    found = next((weight for weight in weights if weight is not None), None)
    return None if found is None else found.astype(np.float64)


def _table(
    recommender: Recommender, asked: Asked, item: np.ndarray, complete: Measured, orders: list[Orders]
) -> pa.Table:
    requests = asked.requests
    parts = [_first_events(requests, order.value) for order in orders]
    sets = RemovalSets(
        np.concatenate([part.request for part in parts]),
        ragged.from_lengths(np.concatenate([np.diff(part.offsets) for part in parts])),
        np.concatenate([part.event for part in parts]),
    )
    without = measure(recommender, asked, sets, item)
    by = np.repeat([order.by for order in orders], [len(part) for part in parts])
    drop = complete.score[sets.request, 0] - without.score[:, 0]
    means: dict[tuple[int, str, int], list[tuple[float, int]]] = {}
    removed = np.diff(sets.offsets)
    for row in np.lexsort((removed, by, sets.request)):
        cell = (int(sets.request[row]), str(by[row]), int(removed[row]))
        means.setdefault(cell, []).append((float(drop[row]), int(without.place[row, 0])))
    return _as_table(recommender, requests, item[:, 0], means)


def _first_events(requests: Requests, value: np.ndarray) -> RemovalSets:
    """Return sets of the REMOVED events of largest value per request, each smaller than the history."""
    owner, place = requests.owner, ragged.positions(requests.offsets)
    order = np.lexsort((-place, -value, owner))
    lengths = np.diff(requests.offsets)
    request, sets = [], []
    for row, (start, length) in enumerate(zip(requests.offsets[:-1], lengths, strict=True)):
        for count in REMOVED:
            if count < length:
                request.append(row)
                sets.append(place[order[start : start + count]])
    return RemovalSets.of(np.array(request, np.int64), sets)


def _as_table(
    recommender: Recommender,
    requests: Requests,
    item: np.ndarray,
    means: Mapping[tuple[int, str, int], list[tuple[float, int]]],
) -> pa.Table:
    """Return rows of schemas.DELETIONS from drops and ranks by request, order and number of removed events."""
    row = np.array([request for request, _, _ in means], np.int64)
    cold = decision_of(recommender.ensemble).cold_items
    columns = {
        "user_id": recommender.log.users["user_id"].take(pa.array(requests.user[row])),
        "item_id": recommender.log.items["item_id"].take(pa.array(item[row])),
        "history": np.diff(requests.offsets)[row].astype(np.int32),
        "cold_item": cold[item[row]],
        "by": [by for _, by, _ in means],
        "removed": np.array([removed for _, _, removed in means], np.int32),
        "score_drop": [float(np.mean([drop for drop, _ in values])) for values in means.values()],
        "rank": [float(np.mean([rank for _, rank in values])) for values in means.values()],
    }
    return pa.table(columns).cast(schemas.DELETIONS)
