"""Sentences that a publisher puts under everything: they tell nothing about an item."""

import re
from collections import Counter
from collections.abc import Sequence

_FEWEST = 10  # texts that must share a sentence
_WORDS = 4  # a shorter one is an abbreviation ("Rep.") or a phrase of the language
_END = re.compile(r"(?<=[.!?])\s+")


def shared_sentences(texts: Sequence[str], share: float) -> dict[str, int]:
    """Sentences of four words or more in over `share` of the texts that are not empty, and in at least ten of them.

    Returns:
        Counts by sentence, greatest first.
    """
    sentences = (sentence for text in texts for sentence in set(_END.split(text)))
    counts = Counter(sentence for sentence in sentences if sentence.count(" ") >= _WORDS - 1)
    limit = share * sum(bool(text) for text in texts)
    shared = [(sentence, count) for sentence, count in counts.items() if count > limit and count >= _FEWEST]
    return dict(sorted(shared, key=lambda pair: (-pair[1], pair[0])))


def without(texts: Sequence[str], sentences: dict[str, int]) -> list[str]:
    """The texts without these sentences."""
    if not sentences:
        return list(texts)
    return [" ".join(s for s in _END.split(text) if s not in sentences) for text in texts]
