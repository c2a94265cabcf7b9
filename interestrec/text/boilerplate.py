"""Boilerplate: sentences that a publisher adds to all texts and that carry no information about an item."""

import re
from collections import Counter
from collections.abc import Sequence

_MIN_TEXTS = 10  # that share a boilerplate sentence
_MIN_WORDS = 4  # shorter sentences are abbreviations ("Rep.") or common phrases
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def shared_sentences(texts: Sequence[str], share: float) -> dict[str, int]:
    """Find sentences of at least four words in more than `share` of the texts that are not empty, and in at least ten.

    Returns:
        Number of texts by sentence, in descending order.
    """
    sentences = (sentence for text in texts for sentence in set(_SENTENCE_END.split(text)))
    counts = Counter(sentence for sentence in sentences if sentence.count(" ") >= _MIN_WORDS - 1)
    limit = share * sum(bool(text) for text in texts)
    shared = [(sentence, count) for sentence, count in counts.items() if count > limit and count >= _MIN_TEXTS]
    return dict(sorted(shared, key=lambda pair: (-pair[1], pair[0])))


def remove_sentences(texts: Sequence[str], sentences: dict[str, int]) -> list[str]:
    """Return the texts without the sentences."""
    if not sentences:
        return list(texts)
    return [" ".join(s for s in _SENTENCE_END.split(text) if s not in sentences) for text in texts]
