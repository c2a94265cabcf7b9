"""The liked items of a history that are most like an item, by their texts and by the users whom they share."""

from dataclasses import dataclass
from typing import cast

import numpy as np

from interestrec.answering.recommender import Recommender
from interestrec.scorers.content import Content
from interestrec.scorers.covisit import Covisit
from interestrec.scorers.item_knn import ItemKnn
from interestrec.scorers.requests import Requests


@dataclass(frozen=True)
class LikedItem:
    """A liked event of a history and how like its item another one is."""

    event: int  # place in the history
    by: str  # scorer that compares the items
    similarity: float  # as of the scorer, above 0


def nearest_liked(recommender: Recommender, requests: Requests, item: int, most: int) -> list[LikedItem]:
    """Return the liked items that are most like an item, at most `most` of each way to compare, the most alike first.

    `content` compares texts by the cosine of their vectors, `item_item` items by the users whom they share, and
    `covisit` says how often the item followed, each if the decision has it. An event is liked if it is relevant; of
    several events with one item the latest stands for all. The item itself is left out.

    Args:
        requests: one request.
    """
    is_liked = requests.intensity >= np.float32(recommender.log.relevant_from)
    liked = np.flatnonzero(is_liked & (requests.item != item))
    _, last = np.unique(requests.item[liked][::-1], return_index=True)
    liked = np.sort(liked[len(liked) - 1 - last])
    found = []
    for name in ("content", "item_item", "covisit"):
        if name not in recommender.ensemble.scorers:
            continue
        like = _similarity(recommender, name, requests.item[liked], item)
        best = np.argsort(-like, kind="stable")[:most]
        found += [LikedItem(int(liked[n]), name, float(like[n])) for n in best if like[n] > 0]
    return found


def _similarity(recommender: Recommender, name: str, history: np.ndarray, item: int) -> np.ndarray:
    """float [history]: how like an item those of a history are."""
    scorer = recommender.ensemble.scorers[name]
    if name == "content":
        unit = cast("Content", scorer).unit
        return unit[history] @ unit[item]
    matrix = cast("ItemKnn", scorer).similarity if name == "item_item" else cast("Covisit", scorer).followers
    return matrix[history][:, [item]].toarray().ravel()
