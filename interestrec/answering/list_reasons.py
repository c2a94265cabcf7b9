"""One short reason per row of lists: the event without which the item's score falls most."""

import numpy as np

from interestrec.answering.asked import Asked
from interestrec.answering.event_phrases import event_phrase
from interestrec.answering.recommender import Recommendations, Recommender
from interestrec.answering.removals import RemovalSets, catalogue_scores, decision_of, measure, set_blocks
from interestrec.answering.score_split import split_scores
from interestrec.core import ragged
from interestrec.scorers.requests import Requests
from interestrec.scoring.blend import raise_to, standardise_rows
from interestrec.scoring.decision import voters

_FIRST, _SECOND = 0.8, 0.97  # shares of the weight: of the voters that score all events, and of those for finalists
_FINALISTS = 4  # events per row
_BY_COMPONENT = {
    "popularity": "popular with all users",
    "trending": "popular lately",
    "personal_trend": "popular lately with such users",
}


def list_reasons(recommender: Recommender, asked: Asked, listed: Recommendations) -> list[str]:
    """Return one reason per row of lists, such as `because of "Alien" (rating 5, 2 days before): without it, 2 -> 17`.

    The voters with 80 % of the weight of the decision name some events, and those with 97 % choose the one without
    which their weighted sum is least. The ranks before and after are exact, by the whole decision without that event.
    For requests without a history, and where that event does not raise the score, the reason is the component that adds
    most.
    """
    if not len(listed.item):
        return []
    count = np.bincount(listed.request, minlength=len(asked.requests))
    offsets = ragged.from_lengths(count)
    order = np.argsort(listed.request, kind="stable")
    item = np.zeros((len(count), int(count.max())), np.int64)
    column = ragged.positions(offsets)
    row = listed.request[order]
    item[row, column] = listed.item[order]  # rows of shorter lists end with item 0, whose figures nobody reads
    event = _chosen_events(recommender, asked, row, item, column)
    has_event = np.flatnonzero(event >= 0)
    cells = np.stack([row[has_event], event[has_event]], axis=1)
    distinct, place_of = np.unique(cells, axis=0, return_inverse=True)
    people = np.unique(row)
    sets = RemovalSets.of(
        np.append(people, distinct[:, 0]), [*([np.zeros(0, np.int64)] * len(people)), *distinct[:, 1:]]
    )
    measured = measure(recommender, asked, sets, item)
    before = np.searchsorted(people, row)
    told = [""] * len(row)
    for n, cell in zip(has_event, place_of.ravel() + len(people), strict=True):
        if measured.score[cell, column[n]] < measured.score[before[n], column[n]]:
            old, new = measured.place[before[n], column[n]], measured.place[cell, column[n]]
            phrase = event_phrase(recommender, asked, int(asked.requests.offsets[row[n]] + event[n]))
            fell = f"without it, rank {old} -> {new}" if new > old else f"without it, a lower score, at rank {new}"
            told[n] = f"because of {phrase}: {fell}"
    rest = [n for n, reason in enumerate(told) if not reason]
    people, person = np.unique(row[rest], return_inverse=True)
    if rest:
        terms = split_scores(recommender, asked.rows(people), item[people])
        names, values = list(terms), np.stack(list(terms.values()))
        for place, own in zip(rest, person, strict=True):
            name = names[int(values[:, own, column[place]].argmax())]
            told[place] = _BY_COMPONENT.get(name, f"by {name}, not by a single event")
    reasons = [""] * len(row)
    for n, reason in zip(order, told, strict=True):
        reasons[n] = reason
    return reasons


def _chosen_events(
    recommender: Recommender, asked: Asked, row: np.ndarray, item: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """Return the place in the history of the event that is chosen for each row, int64 [rows], −1 without a history."""
    requests = asked.requests
    lengths = np.diff(requests.offsets)
    chosen = np.full(len(row), -1)
    rows = np.flatnonzero(lengths[row] > 0)
    if not len(rows):
        return chosen
    first, second = _voters_by_weight(decision_of(recommender.ensemble).catalogue_blend.known.warm.values)
    sets = RemovalSets(requests.owner, np.arange(len(requests.item) + 1), ragged.positions(requests.offsets))
    without = _weighted_sums(recommender, requests, sets, item, first)
    entries = []  # of each row, those that the first voters find to count most
    for n in rows:
        own = slice(*requests.offsets[row[n] : row[n] + 2])
        entries.append(own.start + np.argsort(without[own, column[n]], kind="stable")[:_FINALISTS])
    finalists = np.unique(np.concatenate(entries))
    among = RemovalSets(sets.request[finalists], np.arange(len(finalists) + 1), sets.event[finalists])
    total = without[finalists] + _weighted_sums(recommender, requests, among, item, second)
    for n, own in zip(rows, entries, strict=True):
        places = np.searchsorted(finalists, own)
        chosen[n] = sets.event[own[int(total[places, column[n]].argmin())]]
    return chosen


def _voters_by_weight(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the fewest voters with `_FIRST` of the weight, and those after them up to `_SECOND` of it."""
    order = np.argsort(-values, kind="stable")
    share = np.cumsum(values[order]) / max(values.sum(), np.finfo(np.float64).tiny)
    first, second = (int(np.searchsorted(share, limit)) + 1 for limit in (_FIRST, _SECOND))
    return order[:first], order[first:second]


def _weighted_sums(
    recommender: Recommender, requests: Requests, sets: RemovalSets, item: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """Return the weighted sum of some voters without each set, float64 [sets, items of a request].

    Args:
        chosen: int64, positions among the voters.
    """
    decision, scorers = decision_of(recommender.ensemble), recommender.ensemble.scorers
    weights = decision.catalogue_blend.known.warm
    names = list(voters(decision.components).values())
    total = np.zeros((len(sets), item.shape[1]))
    for start, stop in set_blocks(requests, sets, recommender.log.items.num_rows):
        block = sets.block(start, stop)
        rest, own, rows = block.rest(requests), item[block.request], np.arange(stop - start)[:, None]
        for voter in chosen:
            z = standardise_rows(catalogue_scores(scorers[names[voter]], rest), decision.known_items)[rows, own]
            total[start:stop] += weights.values[voter] * raise_to(z.astype(np.float64), weights.power)
    return total
