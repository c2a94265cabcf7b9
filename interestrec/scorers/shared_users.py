"""Shared users: the products of the columns of items that `item_knn` and `ease` are computed from."""

from __future__ import annotations

from interestrec.core.cell_sums import CellSums, PairSums
from interestrec.core.column_products import PairProducts
from interestrec.core.deferred_import import np
from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.interactions import user_recencies
from interestrec.scorers.requests import Events
from interestrec.scorers.tally import Tally


def count(
    events: Events, relevant_from: float, half_life: float | None, weak_evidence: float, latest: int | None = None
) -> Tally:
    """Return the products x_i · x_j of pairs (`shared`) and |x_i|² of items (`length`).

    x_i is the vector over users of their highest weight · recency of an event with item i, where the weight is that of
    EventWeights and the recency is 1 without a half-life.
    """
    events, weight = EventWeights(relevant_from, weak_evidence).select(events)
    seen, user = user_recencies(events, weight, half_life, latest)
    length = np.asarray(seen.multiply(seen).sum(axis=0)).ravel()
    number = np.bincount(seen.indices, minlength=events.n_items)
    sums: dict[str, PairSums] = {
        "shared": PairProducts(seen, seen, user, power=2),
        "length": CellSums.of_items(length, number, power=2),
    }
    return Tally.of(events, half_life, sums, latest)
