"""The scorers that are not fitted here, and what the fits of others take beside events and settings."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from interestrec.scorers import content, queries, tfidf
from interestrec.scorers.random import RandomScores, id_hashes
from interestrec.scorers.requests import Scorer, ScorerInputs

_TEXT = ("title", "text")


def untrained_scorers(
    names: Sequence[str], reading: ScorerInputs, words: Mapping[str, Any], retrieve: int | None, seed: int
) -> dict[str, Scorer]:
    """Those of the named scorers that are not fitted here.

    Args:
        words: settings of `tfidf`.
        retrieve: see scorers/intensity.py.
    """
    corpus = reading.corpus

    def intensity() -> Scorer:
        from interestrec.scorers.intensity import load_intensity

        return load_intensity(reading.model, reading, retrieve)

    def chance() -> Scorer:
        users, items = corpus.users["user_id"].to_pylist(), corpus.items["item_id"].to_pylist()
        return RandomScores(id_hashes(users, seed), id_hashes(items, seed))

    def of_words() -> Scorer:
        columns = (corpus.items[column].to_pylist() for column in _TEXT)
        texts = [" ".join(parts) for parts in zip(*columns, strict=True)]
        return tfidf.fit(texts, queries.known_items(corpus, queries.VALID), **words)

    makers: dict[str, Callable[[], Scorer]] = {
        "intensity": intensity,
        "content": lambda: content.fit(reading.frozen_vectors),
        "random": chance,
        "tfidf": of_words,
    }
    return {name: makers[name]() for name in names if name in makers}


def fit_arguments(names: Sequence[str], reading: ScorerInputs, seed: int) -> dict[str, dict[str, Any]]:
    """Arguments of the fits that are not settings, by scorer."""
    relevant, seeded = {"relevant_from": reading.corpus.relevant_from}, {"seed": seed}
    arguments: dict[str, dict[str, Any]] = {
        "item_knn": relevant,
        "als": {**relevant, **seeded},
        "ease": relevant,
        "bpr": {**relevant, **seeded},
        "mf": seeded,
    }
    if "item_item" in names:
        arguments["item_item"] = {"unit": content.unit_rows(reading.frozen_vectors)}
    return arguments
