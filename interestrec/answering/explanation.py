"""Why an item has its place in a list: terms of the score, events, the smallest removal, liked items, words."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from interestrec.answering.asked import Asked
from interestrec.answering.event_phrases import event_phrase
from interestrec.answering.nearest_liked import LikedItem, nearest_liked
from interestrec.answering.recommender import Recommender
from interestrec.answering.removals import RemovalSets, leave_one_out, measure
from interestrec.answering.score_split import split_scores
from interestrec.answering.smallest_removal import SmallestRemoval, smallest_removal
from interestrec.answering.word_effects import WordEffects

_MOST_SETS = 1000  # sets of events that the search of the smallest one tries, some milliseconds each
_MOST_LIKED = 3  # liked items per way to compare


@dataclass(frozen=True)
class EventEffect:
    """An event of the history, and what the item's score and rank are without it."""

    event: int  # place in the history, from 0 for the oldest
    told: str
    drop: float  # of the score, above 0 if the event speaks for the item
    rank: int  # 0 if no list may hold the item


@dataclass(frozen=True)
class Explanation:
    """Why an item has its place in the list of one request."""

    item: int
    k: int  # length of the list
    score: float
    rank: int  # among what the list may hold; 0 if it may not hold the item
    listed: bool
    terms: dict[str, float]  # sum to the score
    effects: list[EventEffect]  # of all events, the largest drop first
    removal: SmallestRemoval | None  # None: the item is not listed, or there is no history
    liked: list[LikedItem]
    words: WordEffects | None  # None: they were not asked for


def explain(recommender: Recommender, asked: Asked, item: int, words: WordEffects | None = None) -> Explanation:
    """Explain the place of an item in the list of one request; nothing is approximated but the effects of words.

    Args:
        asked: one request.
        words: effects of the words of the item's text, if they are wanted.
    """
    items = np.array([[item]])
    measured = measure(recommender, asked, leave_one_out(asked.requests), items)
    score, rank, listed = (part[:, 0] for part in measured)
    drop = score[0] - score[1:]
    effects = [
        EventEffect(int(event), event_phrase(recommender, asked, int(event)), float(drop[event]), int(rank[event + 1]))
        for event in np.argsort(-drop, kind="stable")
    ]
    removal = None
    if listed[0] and len(drop):
        removal = smallest_removal(drop, lambda sets: _without(recommender, asked, sets, items), _MOST_SETS)
    terms = {name: float(term[0, 0]) for name, term in split_scores(recommender, asked, items).items()}
    return Explanation(
        item=item,
        k=asked.k,
        score=sum(terms.values()),
        rank=int(rank[0]),
        listed=bool(listed[0]),
        terms=terms,
        effects=effects,
        removal=removal,
        liked=nearest_liked(recommender, asked.requests, item, _MOST_LIKED),
        words=words,
    )


def _without(
    recommender: Recommender, asked: Asked, sets: list[np.ndarray], items: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    found = measure(recommender, asked, RemovalSets.of(np.zeros(len(sets), np.int64), sets), items)
    return found.listed[:, 0], found.score[:, 0]


def explanation_values(recommender: Recommender, asked: Asked, explained: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON values; events and liked items name their items, and `rank` is null where it is 0.

    Args:
        asked: the request that was explained.
    """
    items = recommender.log.items
    event_item = asked.requests.item

    def named(item: int) -> dict[str, str]:
        return {"item_id": items["item_id"][item].as_py(), "title": items["title"][item].as_py()}

    removal, words = explained.removal, explained.words
    return {
        **named(explained.item),
        "k": explained.k,
        "score": explained.score,
        "rank": explained.rank or None,
        "listed": explained.listed,
        "terms": explained.terms,
        "events": [
            {
                **named(int(event_item[effect.event])),
                "event": effect.event,
                "told": effect.told,
                "score_drop": effect.drop,
                "rank_without": effect.rank or None,
            }
            for effect in explained.effects
        ],
        "smallest_removal": None
        if removal is None
        else {
            "events": None if removal.events is None else removal.events.tolist(),
            "proved": removal.proved,
            "kept_without_history": removal.kept_without_history,
        },
        "liked": [
            {**named(int(event_item[like.event])), "event": like.event, "by": like.by, "similarity": like.similarity}
            for like in explained.liked
        ],
        "words": None
        if words is None
        else {
            "words": [{"word": word, "effect": effect} for word, effect in words.words],
            "logit": words.logit,
            "baseline_logit": words.baseline_logit,
            "completeness_error": words.error,
            "complete": words.complete,
        },
    }
