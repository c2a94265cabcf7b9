"""Sentences that a publisher puts under everything: they tell nothing about an item."""

import re
from collections import Counter
from collections.abc import Sequence

_FEWEST = 10  # texts that must share a sentence
_END = re.compile(r"(?<=[.!?])\s+")


def shared_sentences(texts: Sequence[str], share: float) -> dict[str, int]:
    """Sentences in more than `share` of the texts that are not empty, and in at least ten; counts, greatest first."""
    counts = Counter(sentence for text in texts for sentence in set(_END.split(text)) if sentence)
    limit = share * sum(bool(text) for text in texts)
    shared = [(sentence, count) for sentence, count in counts.items() if count > limit and count >= _FEWEST]
    return dict(sorted(shared, key=lambda pair: (-pair[1], pair[0])))


def without(texts: Sequence[str], sentences: dict[str, int]) -> list[str]:
    """The texts without these sentences."""
    if not sentences:
        return list(texts)
    return [" ".join(s for s in _END.split(text) if s not in sentences) for text in texts]
